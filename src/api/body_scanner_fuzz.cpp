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

// The option taken out, or said otherwise, and the model too: a body in which all else is as before.
void check_edits(Route route, std::string_view body, const Understood& before, const ReloadSetting& setting) {
  const std::size_t count = before.reload.all().size();
  EditedBody without(body);
  without.replace(with_comma(body, setting.member), "");
  const auto gone = reference_scan(route, without.text());
  CHECK(gone && gone->reload.find(setting.option) == nullptr && gone->reload.all().size() == count - 1);
  CHECK(gone->model == before.model && gone->prompt_hashes == before.prompt_hashes);

  EditedBody otherwise(body);
  otherwise.replace(setting.value, "8192");
  if (before.model_value.length > 0) otherwise.replace(before.model_value, "\"other:1b\"");
  const std::string text = otherwise.text();
  const auto changed = reference_scan(route, text);
  CHECK(changed && changed->reload.all().size() == count && otherwise.size() == text.size());
  CHECK(changed->reload.find(setting.option)->value.of(text) == "8192");
  CHECK(changed->model == (before.model_value.length > 0 ? "other:1b" : ""));
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

  for (const ReloadSetting& setting : whole->reload.all()) check_edits(route, body, *whole, setting);
  return 0;
}
