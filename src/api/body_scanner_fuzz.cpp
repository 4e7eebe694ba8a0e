// Any bytes as a body, whole, byte by byte and in pieces: one verdict, which is the reference's, and spans that hold.
#include <string>
#include <string_view>

#include "api/body_edit.h"
#include "api/body_scanner.h"
#include "api/reference_scanner.h"
#include "base/check.h"

namespace {

using namespace drover::api;
using Outcome = std::expected<Understood, Refusal>;

Outcome scan(Route route, std::string_view body, std::size_t piece) {
  BodyScanner scanner(route);
  for (std::size_t at = 0; at < body.size(); at += piece) {
    if (!scanner.feed(body.substr(at, piece))) break;
  }
  return scanner.finish();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  constexpr Route kRoutes[] = {Route::generate, Route::chat, Route::show, Route::openai_embeddings};
  const Route route = kRoutes[data[0] % 4];
  const std::size_t piece = 1 + data[1] % 32;
  const std::string_view body(reinterpret_cast<const char*>(data) + 2, size - 2);

  const Outcome whole = scan(route, body, body.size() + 1);
  const Outcome pieces = scan(route, body, piece);
  CHECK(whole.has_value() == pieces.has_value());
  const auto reference = reference_scan(route, body);
  CHECK(whole.has_value() == reference.has_value());
  if (!whole) {
    CHECK(whole.error().reason == pieces.error().reason && whole.error().message == pieces.error().message);
    return 0;
  }
  CHECK(*whole == *pieces && *whole == *reference);

  ReloadSet all;
  for (const ReloadSetting& setting : whole->reload.all()) all.add(setting.option);
  const auto edited = reference_scan(route, without(body, removals(body, *whole, all)));
  CHECK(edited && edited->reload.all().empty() && edited->model == whole->model);
  return 0;
}
