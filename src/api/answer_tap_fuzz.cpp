// Any bytes as a node's answer, whole and in pieces: the tap sees the same.
#include <string_view>

#include "api/answer_tap.h"
#include "base/check.h"

namespace {

using namespace drover::api;

AnswerTap tap(Route route, Framing framing, std::string_view answer, std::size_t piece) {
  AnswerTap result(route, framing);
  for (std::size_t at = 0; at < answer.size(); at += piece) result.feed(answer.substr(at, piece));
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  constexpr Route kRoutes[] = {Route::generate, Route::embed, Route::chat_completions};
  constexpr Framing kFramings[] = {Framing::ndjson, Framing::sse, Framing::single};
  const Route route = kRoutes[data[0] % 3];
  const Framing framing = kFramings[data[1] % 3];
  const std::string_view answer(reinterpret_cast<const char*>(data) + 3, size - 3);
  const AnswerTap whole = tap(route, framing, answer, answer.size() + 1);
  const AnswerTap pieces = tap(route, framing, answer, 1 + data[2] % 32);
  CHECK(whole.verdict() == pieces.verdict());
  CHECK(whole.at_boundary() == pieces.at_boundary());
  CHECK(whole.metrics() == pieces.metrics());
  return 0;
}
