#include "sim/faults.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace drover::sim {
namespace {

constexpr std::string_view kNames[] = {"refuse",        "reset", "stall", "cut",          "slow_load",
                                       "out_of_memory", "busy",  "error", "hang",         "garbage",
                                       "silent_end",    "drip",  "crash", "empty_listing"};

}  // namespace

std::string_view name(FaultKind kind) { return kNames[static_cast<std::size_t>(kind)]; }

Result<Fault> read_fault(const Json& json) {
  const std::string_view wanted = text_at(json, "fault");
  const auto found = std::ranges::find(kNames, wanted);
  if (found == std::end(kNames)) {
    return Error{ErrorCode::invalid, Side::client,
                 fmt::format("there is no fault '{}'; use one of {}", wanted, fmt::join(kNames, ", "))};
  }
  Fault fault{.kind = static_cast<FaultKind>(found - std::begin(kNames))};
  const std::int64_t tokens = integer_at(json, "after_tokens");
  const std::int64_t count = integer_at(json, "count", 1);
  const double seconds = number_at(json, "seconds");
  if (tokens < 0 || tokens > 1'000'000 || count < 0 || count > 1'000'000 || seconds < 0 || seconds > 1e6) {
    return Error{ErrorCode::invalid, Side::client, "after_tokens, count and seconds go from 0 to a million"};
  }
  fault.after_tokens = static_cast<std::uint32_t>(tokens);
  fault.count = static_cast<std::uint32_t>(count);
  if (json.contains("seconds")) fault.seconds = Duration{std::llround(seconds * 1e9)};
  fault.path = text_at(json, "path");
  fault.text = text_at(json, "text", "a simulated error");
  return fault;
}

void Faults::arm(Fault fault, Mono now) {
  if (fault.kind == FaultKind::refuse) {
    refusing_until_ = fault.seconds ? after(now, *fault.seconds) : kNever;
    return;
  }
  armed_.push_back(std::move(fault));
}

void Faults::clear() {
  armed_.clear();
  refusing_until_ = Mono{};
}

std::optional<Fault> Faults::take(std::string_view path) {
  return take(std::ranges::find_if(armed_, [&](const Fault& each) {
    return each.kind != FaultKind::empty_listing && (each.path.empty() || each.path == path);
  }));
}

bool Faults::take_listing() {
  return take(std::ranges::find(armed_, FaultKind::empty_listing, &Fault::kind)).has_value();
}

std::optional<Fault> Faults::take(std::vector<Fault>::iterator found) {
  if (found == armed_.end()) return std::nullopt;
  if (found->count == 0) return *found;
  --found->count;
  std::optional<Fault> fault = *found;
  if (found->count == 0) armed_.erase(found);
  return fault;
}

Json Faults::to_json() const {
  Json list = Json::array();
  for (const Fault& each : armed_) {
    list.push_back(Json{{"fault", std::string(name(each.kind))},
                        {"after_tokens", each.after_tokens},
                        {"count", each.count},
                        {"path", each.path}});
  }
  return list;
}

}  // namespace drover::sim
