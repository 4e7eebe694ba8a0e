// Any bytes as a request head: no crash, views within the bytes, one verdict however they arrive, and a path that keeps
// its promises.
#include <algorithm>

#include "base/check.h"
#include "http/request_head.h"

namespace {

using drover::http::ParseOutcome;
using drover::http::RequestHead;

bool within(std::string_view view, std::string_view bytes) {
  return view.empty() || (view.data() >= bytes.data() && view.data() + view.size() <= bytes.data() + bytes.size());
}

void check_head(const RequestHead& head, std::string_view bytes) {
  for (const auto& [name, value] : head.fields()) CHECK(within(name, bytes) && within(value, bytes) && !name.empty());
  CHECK(within(head.target(), bytes) && within(head.host(), bytes) && within(head.query(), bytes));
  const auto path = head.path();
  for (const auto* bad : {"//", "/./", "/../", "\\"}) CHECK(path.find(bad) == std::string_view::npos);
  CHECK(path.find('\0') == std::string_view::npos && !path.ends_with("/.."));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  RequestHead whole;
  const auto outcome = parse(bytes, {}, whole);
  if (outcome.state == ParseOutcome::State::complete) {
    CHECK(outcome.consumed <= size);
    check_head(whole, bytes.substr(0, outcome.consumed));
  }
  RequestHead pieces;
  auto last = ParseOutcome::more();
  for (std::size_t end = 0, seen = 0; last.state == ParseOutcome::State::more && end < size; seen = end) {
    end = std::min(size, end + 1 + data[end] % 64);
    last = parse(bytes.substr(0, end), {}, pieces, seen);
  }
  CHECK(last.state == outcome.state && last.consumed == outcome.consumed);
  return 0;
}
