// Any bytes as a node's answer, whole and in pieces: the tap sees the same. Left out are lines that look ordinary by
// their end and are not: what is no JSON, an error that calls itself a piece of the answer, a piece that says counts of
// the whole. No server writes those.
#include <string_view>

#include "api/answer_tap.h"
#include "base/check.h"
#include "base/json.h"

namespace {

using namespace drover::api;

AnswerTap tap(Route route, Framing framing, std::string_view answer, std::size_t piece) {
  AnswerTap result(route, framing);
  for (std::size_t at = 0; at < answer.size(); at += piece) {
    result.feed(answer.substr(at, piece), at + piece >= answer.size());
  }
  return result;
}

bool counts(std::string_view text) {
  return text.find("_count") != std::string_view::npos || text.find("_duration") != std::string_view::npos;
}
// Ends as Ollama ends its answers, and says counts or durations before that, too.
bool ends_and_counts_before(std::string_view line) {
  const std::string_view before = line.substr(0, line.find(R"("done":true,)"));
  return before.size() < line.size() && counts(before);
}

bool misleads(std::string_view line) {
  const bool looks_ordinary = line.ends_with(R"(,"done":false})") || line.ends_with(R"("finish_reason":null}]})");
  const bool looks_ended = line.find(R"("done":true,)") != std::string_view::npos;
  if (!looks_ordinary && !looks_ended) return false;
  if (looks_ordinary && counts(line)) return true;
  if (line.starts_with("data: ")) line.remove_prefix(6);
  const auto parsed = drover::parse_json(line);
  if (!parsed || drover::member(*parsed, "error") != nullptr || ends_and_counts_before(line)) return true;
  const drover::Json* const choices = drover::member(*parsed, "choices");
  return drover::member(*parsed, "usage") != nullptr || (choices != nullptr && !choices->is_array());
}

bool misleads_anywhere(std::string_view answer) {
  while (!answer.empty()) {
    const auto end = answer.find('\n');
    if (misleads(answer.substr(0, end))) return true;
    if (end == std::string_view::npos) break;
    answer.remove_prefix(end + 1);
  }
  return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  constexpr Route kRoutes[] = {Route::generate, Route::embed, Route::chat_completions};
  constexpr Framing kFramings[] = {Framing::ndjson, Framing::sse, Framing::single};
  const Route route = kRoutes[data[0] % 3];
  const Framing framing = kFramings[data[1] % 3];
  const std::string_view answer(reinterpret_cast<const char*>(data) + 3, size - 3);
  if (misleads_anywhere(answer)) return 0;
  const AnswerTap whole = tap(route, framing, answer, answer.size() + 1);
  const AnswerTap pieces = tap(route, framing, answer, 1 + data[2] % 32);
  CHECK(whole.verdict() == pieces.verdict());
  CHECK(whole.at_boundary() == pieces.at_boundary());
  CHECK(whole.metrics() == pieces.metrics());
  return 0;
}
