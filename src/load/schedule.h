#pragma once
// Which requests are sent, and when each is due. Decided before anything is sent, so that a slow server cannot make the
// load lighter (coordinated omission).

#include <memory>
#include <optional>

#include "base/random.h"
#include "base/result.h"
#include "load/settings.h"
#include "traces/reader.h"

namespace drover::load {

// Thread: one.
class Schedule {
 public:
  virtual ~Schedule() = default;
  // The next request, `at` since the start of the run and never before the one before it; nullopt: there are no more.
  // Error (invalid): a trace's, with its line.
  virtual Result<std::optional<traces::Request>> next() = 0;
};

// Error (invalid): the trace cannot be read. In a closed loop every request is due at once: as soon as a user is free.
Result<std::unique_ptr<Schedule>> make_schedule(const Settings& settings);
// The requests of a trace, as `settings` say; the reader instead of a path, for tests.
std::unique_ptr<Schedule> trace_schedule(traces::Reader reader, const TraceLoop& settings);

}  // namespace drover::load
