// No request outlives its deadline, and nothing times out before its time, whatever the wall clock does.

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <set>
#include <utility>

#include "world/oracles.h"

namespace drover::world {
namespace {

class Deadlines final : public Witness {
 public:
  explicit Deadlines(Court& court) : court_(court) {}

  void logged(const Request& request) override {
    const Json& line = request.lines.front();
    const auto total = Duration{line.value("event.duration", std::int64_t{0})};
    const std::string reason = line.value("drover.reason", "");
    const config::Timeouts& limits = court_.plan.settings.timeouts;
    // The timer wheel notices a deadline two of its slots late. Before an answer has begun, an error answer may still
    // be read from a node.
    const bool relayed = request.relayed && request.status == 200;
    const Duration late = std::chrono::milliseconds(100) + court_.slack() + std::chrono::seconds(relayed ? 0 : 13);
    if (total > limits.request + late && !was_frozen(request) && !court_.healed) {
      court_.complain("deadlines", fmt::format("took {:.3f} s of {:.3f}: {}", seconds(total), seconds(limits.request),
                                               text_of(request)));
    }
    at_least("deadline", reason, total, limits.request, request);
    at_least("connect_timeout", reason, total, limits.connect, request);
    if (reason == "upstream_stalled" && !request.attempts.empty()) {
      const Duration silent = court_.now() - request.attempts.back().last_byte.value_or(request.attempts.back().began);
      at_least("upstream_stalled", reason, silent, shortest_silence(), request);
    }
    if (reason == "first_byte_timeout" && !request.attempts.empty() && total < limits.request) {
      judge_silence(request, request.attempts.back());
    }
    at_least("client_stalled", reason, total, limits.client_stall, request);
    at_least("queue_timeout", reason, total, shortest_queue(), request);
    const auto queue = std::chrono::duration_cast<Duration>(
        std::chrono::duration<double, std::milli>(line.value("drover.queue_ms", 0.0)));
    if (queue > total + std::chrono::milliseconds(1)) {
      court_.complain("deadlines", "queued for longer than it lasted: " + text_of(request));
    }
    if (total < Duration{0}) court_.complain("deadlines", "ended before it began: " + text_of(request));
  }

  void looked(const Look& look) override {
    if (std::exchange(life_, look.life) != look.life) looks_.clear();
    looks_.push_back({look.now, look.alive});
    while (looks_.front().at + 2 * kLookEvery < look.now) looks_.pop_front();
  }

 private:
  struct Alive {
    Mono at;
    std::set<std::size_t> nodes;  // whose last probe passed
  };
  static constexpr Duration kLookEvery = std::chrono::seconds(5);  // of the gateway at a silent node: attempt.cpp

  // A node that has the request and says nothing is given up when it was down at two looks in a row.
  void judge_silence(const Request& request, const Attempt& attempt) {
    if (!attempt.sent || attempt.last_byte || court_.frozen_until + 2 * kLookEvery > court_.now()) return;
    for (const Duration ago : {Duration{0}, kLookEvery}) {
      if (was_down(attempt.node, court_.now() - ago)) continue;
      court_.complain("deadlines",
                      fmt::format("given up, and alive {:.0f} s before: {}", seconds(ago), text_of(request)));
    }
  }
  // Somewhere around that time, as far as looks tell.
  bool was_down(std::size_t node, Mono at) const {
    const Duration around = std::chrono::milliseconds(150) + court_.slack();
    return std::ranges::any_of(looks_, [&](const Alive& each) {
      return each.at >= at - around && each.at <= at + around && !each.nodes.contains(node);
    });
  }

  void at_least(std::string_view why, std::string_view reason, Duration took, Duration limit, const Request& request) {
    if (why != reason || took >= limit - std::chrono::microseconds(1)) return;
    court_.complain("deadlines", fmt::format("{} after {:.3f} s, the limit is {:.3f}: {}", why, seconds(took),
                                             seconds(limit), text_of(request)));
  }
  // Reloads change these two.
  bool reloads() const { return court_.plan.has(Fault::reload) || court_.plan.has(Fault::gateway_stop); }
  Duration shortest_silence() const {
    const Duration drawn = court_.plan.settings.timeouts.silence;
    return reloads() ? std::min<Duration>(drawn, std::chrono::seconds(1)) : drawn;
  }
  Duration shortest_queue() const {
    const config::Timeouts& limits = court_.plan.settings.timeouts;
    const Duration least = std::min(limits.queue, limits.request);
    return reloads() ? std::min<Duration>(least, std::chrono::milliseconds(200)) : least;
  }
  bool was_frozen(const Request& request) const { return court_.frozen_until > request.began; }

  Court& court_;
  unsigned life_ = 0;
  std::deque<Alive> looks_;
};

}  // namespace

std::unique_ptr<Witness> make_deadlines(Court& court) { return std::make_unique<Deadlines>(court); }

}  // namespace drover::world
