#pragma once
// What came of one request, and what that is called.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "api/answer_tap.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/units.h"

namespace drover::load {

enum class End : std::uint8_t {
  ok,          // the whole answer, with its terminator
  refused,     // 429 or 503: the server would not
  failed,      // nothing of the answer came, and no refusal
  cut,         // it broke off behind its first token
  wrong,       // tokens other than a simulated node's
  dropped,     // never sent: too many were outstanding
  unfinished,  // the run was ended before
};
inline constexpr std::size_t kEnds = static_cast<std::size_t>(End::unfinished) + 1;
std::string_view name(End end);

// Times are since the start of the run.
struct Outcome {
  std::uint64_t number = 0;
  Duration due{};                  // when it should have been sent: all latencies count from here
  std::optional<Duration> sent{};  // when it was
  std::optional<Duration> first_token{};
  std::optional<Duration> ended{};
  Tokens prompt{};       // as planned
  Tokens asked{};        // at most so many tokens of an answer
  Tokens prompt_read{};  // as the server counts them; 0: it does not say
  Tokens tokens{};       // of the answer: as the server counts them, else messages
  int status = 0;        // 0: no answer
  std::string node{};    // x-drover-node
  std::string request_id{};
  End end = End::unfinished;
  std::string kind{};     // of the error: "connect_refused", "503 queue_full"; empty where all went well
  std::string message{};  // for people; at most kMaxMessage bytes

  static constexpr std::size_t kMaxMessage = 200;

  // From the moment it was due. nullopt: that has not been.
  std::optional<Duration> time_to_first_token() const;
  std::optional<Duration> end_to_end() const;
  // Between two tokens, at the mean: (end to end - time to first token) / (tokens - 1). nullopt below two tokens.
  std::optional<Duration> time_per_token() const;
  std::optional<Duration> slip() const;  // how late it was sent
};

// What a client sees of an answer that says 200.
struct AnswerSeen {
  api::Verdict verdict = api::Verdict::truncated;
  std::optional<ErrorCode> broke{};  // the connection, before the body's end
  bool first_token = false;
  std::string_view wrong{};     // what is wrong with its tokens, so far
  bool tokens_missing = false;  // of those that had to come
};

struct Ending {
  End end;
  std::string kind{};
  std::string message{};
};

// No answer: dialling, sending or waiting for the head failed.
Ending ending_without_answer(ErrorCode code, std::string_view reason);
// An answer other than 200. `reason`: x-drover-reason, empty where there is none; `body`: its text.
Ending ending_of_refusal(int status, std::string_view reason, std::string_view body);
Ending ending_of_answer(const AnswerSeen& seen);

}  // namespace drover::load
