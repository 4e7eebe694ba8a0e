#include "balance/leak.h"

#include <algorithm>

#include "balance/estimate.h"
#include "balance/lane.h"
#include "balance/node.h"
#include "balance/request_table.h"

namespace drover::balance {
namespace {

// Whoever waits says so each five seconds (gateway/attempt.cpp).
constexpr Duration kHeardOf = std::chrono::seconds(11);
constexpr double kReadings = 4;
constexpr double kSlowRead = 0.02;  // seconds a token, where nothing is known

double reading_time(const Runner& runner) {
  double tokens = 0;
  for (const Request* each = runner.running; each != nullptr; each = each->behind) tokens += work_of(*each).reading;
  return tokens * (runner.speed.knows_reading() ? runner.speed.read_time() : kSlowRead);
}

bool all_are_silent(const Runner& runner, Mono now) {
  for (const Request* each = runner.running; each != nullptr; each = each->behind) {
    if (now - each->silent_at > kHeardOf) return false;
  }
  return true;
}

}  // namespace

bool writes_for_others(const Runner& runner, const Request& request, Mono now) {
  for (const Request* each = runner.running; each != nullptr; each = each->behind) {
    if (each != &request && now - std::max(each->started, each->silent_at) > kHeardOf) return true;
  }
  return false;
}

bool waits_in_vain(Request& request, const LeakSettings& settings, Mono now) {
  Runner& runner = *request.runner;
  request.silent_at = now;
  if (runner.leak != Leak::none) return true;
  const bool warm = runner.resident && runner.seen_resident && !request.node->load;
  if (settings.patience <= Duration{0} || !warm || now < runner.no_unload_until) return false;
  const Duration silent = now - std::max(request.started, runner.answered_at);
  if (silent < settings.patience || seconds(silent) < kReadings * reading_time(runner)) return false;
  if (!all_are_silent(runner, now)) return false;
  runner.leak = Leak::emptying;
  request.node->changed();
  return true;
}

}  // namespace drover::balance
