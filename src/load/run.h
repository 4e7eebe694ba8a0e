#pragma once
// One run of load from its first request to its last answer.

#include <functional>
#include <memory>
#include <optional>

#include "load/client.h"
#include "load/report.h"
#include "load/schedule.h"

namespace drover::load {

// How far a run is.
struct Progress {
  Duration elapsed{};
  std::uint64_t sent = 0;       // requests that were due so far
  std::uint64_t ended = 0;      // of those
  std::size_t outstanding = 0;  // the others
  std::uint64_t messages = 0;   // of all answers: about one token each
  bool sending = true;          // more will come
};

// Thread: the loop's. `network` and `settings` must outlive it; run() must have ended before it dies.
class Run {
 public:
  using Ended = std::function<void(const Outcome&)>;

  // `ended` hears of each request when it is over, whatever came of it; may be empty.
  Run(net::Network& network, const net::Endpoint& target, const Settings& settings, std::unique_ptr<Schedule> schedule,
      Goal goal, Ended ended);

  // Ends when all requests have. Must not be cancelled: stop() ends it. Error (invalid): the trace is broken; what was
  // sent before has ended and is in the report.
  net::Task<Result<void>> run();
  // Sends no more and gives up what runs: those requests are unfinished.
  void stop();

  const Report& report() const { return report_; }
  Progress progress() const;

 private:
  std::optional<traces::Request> take();
  net::Task<> send_when_due();
  net::Task<> be_user();
  net::Task<> start(traces::Request request, std::uint64_t number);
  net::Task<End> perform(traces::Request request, std::uint64_t number);
  void finish(const Outcome& outcome);

  net::Network& network_;
  const Settings& settings_;
  std::unique_ptr<Schedule> schedule_;
  QuestionWriter writer_;
  Report report_;
  Ended ended_;
  Mono start_;
  Client client_;
  net::TaskGroup flows_;
  std::uint64_t next_number_ = 0;
  std::size_t outstanding_ = 0;
  bool sending_ = true;
  Result<void> result_;
};

}  // namespace drover::load
