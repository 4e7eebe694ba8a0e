#pragma once
// The gateway's own scheduler as a router: late binding, its own loads, polls and ticks as the gateway has them.

#include <unordered_map>
#include <vector>

#include "balance/scheduler.h"
#include "replay/router.h"

namespace drover::replay {

struct ScheduledSettings {
  balance::SchedulerSettings scheduler{};
  Duration tick = std::chrono::milliseconds(100);
  Duration poll = std::chrono::seconds(5);  // of each node: is it there, and what is in its memory
  bool gpus_known = true;                   // the scheduler is told what card each node has
};

class Scheduled final : public Router {
 public:
  // `tenants`: names of those who ask; empty: nobody in particular.
  Scheduled(Stage& stage, const std::vector<std::string>& models, const std::vector<std::string>& tenants,
            const ScheduledSettings& settings, std::uint64_t seed);

  void arrived(Stage& stage, std::size_t request) override;
  void ended(Stage& stage, std::size_t request, bool ok, const balance::NodeDurations& durations) override;
  void loaded(Stage& stage, std::uint64_t token, bool ok) override;
  Mono next() const override;
  void wake(Stage& stage) override;

 private:
  struct Poll {
    Mono due;
    Mono asked{};  // while the node lets it wait, as it does while it unloads
    bool waits = false;
  };

  void poll(Stage& stage, std::size_t node);
  void observe(Stage& stage, std::size_t node, Mono asked);
  void act(Stage& stage);
  std::size_t number_of(std::string_view model) const;  // of one of `keys_`

  const ScheduledSettings settings_;
  balance::Scheduler scheduler_;
  const std::vector<std::string>& tenants_;
  std::vector<std::string> keys_;                         // the models as the scheduler names them
  std::vector<Poll> polls_;                               // by node
  std::unordered_map<std::uint64_t, std::size_t> loads_;  // nodes by token
  Mono next_tick_{};
  Mono next_poll_{};
  balance::Actions actions_;                  // scratch
  std::vector<NodeId> too_small_;             // scratch
  std::vector<balance::ModelOnNode> listed_;  // scratch
};

}  // namespace drover::replay
