#include "load/run.h"

#include <fmt/format.h>

#include "net/timers.h"

namespace drover::load {
namespace {

// A user who got an error waits so long: a server that refuses connections would else be asked as fast as it refuses.
constexpr Duration kAfterError = std::chrono::milliseconds(100);

}  // namespace

Run::Run(net::Network& network, const net::Endpoint& target, const Settings& settings,
         std::unique_ptr<Schedule> schedule, Goal goal, Ended ended)
    : network_(network),
      settings_(settings),
      schedule_(std::move(schedule)),
      writer_(settings),
      report_(std::move(goal)),
      ended_(std::move(ended)),
      start_(network.loop().clock().mono()),
      client_(network, target, settings, start_),
      flows_(network.loop()) {}

net::Task<Result<void>> Run::run() {
  if (const auto* closed = std::get_if<ClosedLoop>(&settings_.arrivals)) {
    for (std::size_t i = 0; i < closed->users; ++i) flows_.spawn(be_user());
  } else {
    flows_.spawn(send_when_due());
  }
  co_await flows_.ended();
  co_return result_;
}

void Run::stop() {
  sending_ = false;
  flows_.cancel_all();
}

Progress Run::progress() const {
  return {.elapsed = client_.since_start(),
          .sent = next_number_,
          .ended = report_.requests(),
          .outstanding = outstanding_,
          .messages = client_.messages(),
          .sending = sending_};
}

// The next request, if there is one and more are to be sent.
std::optional<traces::Request> Run::take() {
  if (!sending_) return std::nullopt;
  auto next = schedule_->next();
  if (!next) result_ = next.error();
  if (next && *next) return std::move(**next);
  sending_ = false;
  return std::nullopt;
}

net::Task<> Run::send_when_due() {
  while (auto request = take()) {
    const Mono due = start_ + request->at;
    if (due > network_.loop().now()) {
      const bool slept = co_await net::sleep_until(due);
      if (!slept) co_return;
    }
    const std::uint64_t number = next_number_++;
    if (outstanding_ < settings_.max_outstanding) {
      ++outstanding_;
      flows_.spawn(start(std::move(*request), number));
    } else {
      finish({.number = number,
              .due = request->at,
              .prompt = request->prompt,
              .asked = request->answer,
              .end = End::dropped,
              .kind = "max_outstanding",
              .message = fmt::format("{} requests were outstanding already", outstanding_)});
    }
  }
}

net::Task<> Run::start(traces::Request request, std::uint64_t number) { co_await perform(std::move(request), number); }

net::Task<> Run::be_user() {
  while (auto request = take()) {
    request->at = client_.since_start();
    if (settings_.time && request->at >= *settings_.time) {
      sending_ = false;
      co_return;
    }
    ++outstanding_;
    const End end = co_await perform(std::move(*request), next_number_++);
    if (end == End::ok) continue;
    const bool slept = co_await net::sleep_until(network_.loop().now() + kAfterError);
    if (!slept) co_return;
  }
}

net::Task<End> Run::perform(traces::Request request, std::uint64_t number) {
  Outcome outcome{.number = number, .due = request.at, .prompt = request.prompt, .asked = request.answer};
  co_await client_.ask(writer_.write(request, number), outcome);
  --outstanding_;
  finish(outcome);
  co_return outcome.end;
}

void Run::finish(const Outcome& outcome) {
  report_.add(outcome);
  if (ended_) ended_(outcome);
}

}  // namespace drover::load
