// Any bytes as the head of a node's answer, and on to the client: what is relayed parses again.
#include "base/check.h"
#include "http/head_writer.h"
#include "http/response_head.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace drover::http;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  ResponseHead head;
  const auto outcome = parse(bytes, {}, Method::post, head);
  if (outcome.state != ParseOutcome::State::complete) return 0;
  CHECK(outcome.consumed <= size && head.status() >= 100 && head.status() != 101);

  const Field own[] = {{"x-request-id", "1"}};
  std::string out;
  append_relayed_response(out, head,
                          {.framing = {.kind = BodyKind::chunked}, .keep_alive = true, .client_minor = 1, .own = own});
  if (out.size() > (std::size_t{64} << 10) || head.fields().size() > 190) return 0;
  ResponseHead relayed;
  const auto again = parse(out, {}, Method::post, relayed);
  CHECK(again.state == ParseOutcome::State::complete && again.consumed == out.size());
  CHECK(relayed.find("x-request-id") == "1" && !relayed.find("set-cookie"));
  return 0;
}
