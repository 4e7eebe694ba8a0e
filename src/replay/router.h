#pragma once
// Who decides where a request goes: the scheduler (scheduled.h), or another router's rules (rivals/).

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "balance/slots.h"
#include "base/clock.h"
#include "replay/stage.h"

namespace drover::replay {

// Called by the stage, which outlives it. It answers by Stage::start, refuse and load, at once or later.
class Router {
 public:
  virtual ~Router() = default;
  virtual void arrived(Stage& stage, std::size_t request) = 0;
  virtual void first_token(Stage& /*stage*/, std::size_t /*request*/) {}
  // A request that was started. Not `ok`: its node was too busy to take it.
  virtual void ended(Stage& stage, std::size_t request, bool ok, const balance::NodeDurations& durations) = 0;
  virtual void loaded(Stage& /*stage*/, std::uint64_t /*token*/, bool /*ok*/) {}

  // When it wants to be woken; kNever: not at all.
  virtual Mono next() const { return kNever; }
  virtual void wake(Stage& /*stage*/) {}
};

}  // namespace drover::replay
