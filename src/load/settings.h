#pragma once
// What `drover load` is told. Plain data.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "api/route.h"
#include "base/clock.h"
#include "http/url.h"

namespace drover::load {

// Requests at a rate, whatever becomes of those before them.
struct OpenLoop {
  double rate = 1;       // a second
  bool poisson = false;  // at random moments, independent of one another; else evenly
};

// Users who ask again as soon as they have their answer.
struct ClosedLoop {
  std::size_t users = 1;
};

// Requests when and as large as a trace has them.
struct TraceLoop {
  std::string path;
  double speed = 1;                 // so many times as fast as it was
  std::optional<Duration> first{};  // only so much of the trace, in its own time
};

// How many tokens a prompt or an answer has: any number of the range, all alike often.
struct TokenRange {
  std::uint64_t least = 32;
  std::uint64_t most = 32;
};

struct Settings {
  http::BaseUrl target;
  std::string model;
  api::Route route = api::Route::chat;  // one of generate, chat, chat_completions, completions
  bool stream = true;
  std::vector<std::pair<std::string, std::string>> headers{};  // names and values, besides those that HTTP needs
  std::variant<OpenLoop, ClosedLoop, TraceLoop> arrivals{};
  TokenRange prompt{}, answer{};            // but for a trace
  std::optional<Duration> time{};           // nothing is sent later
  std::optional<std::uint64_t> requests{};  // nor more than these
  std::uint64_t seed = 1;                   // decides sizes, texts and moments
  std::optional<std::uint64_t> sim_seed{};  // the nodes are simulated, with this seed: every token is checked

  std::size_t max_outstanding = 10'000;         // but for users: one more is not sent, and counted as dropped
  Duration timeout = std::chrono::minutes(10);  // for a request, from its sending to its end
  Duration connect_timeout = std::chrono::seconds(10);
};

}  // namespace drover::load
