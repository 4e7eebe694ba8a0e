#pragma once
// Finds in a request's body what routing needs, in one pass, as the bytes arrive: no document, no second copy.
//
// Keys match as Go's decoder matches them (after unescaping, without regard to case, `ſ` as s and the Kelvin sign as
// k), so that gateway and node cannot read one body in two ways. Stricter than Go on purpose: a routing key that
// appears twice, invalid UTF-8, anything behind the document, nesting deeper than 64 and a body that is no object are
// refused (rows 65, 66, 68, 70 and 77 of the fault matrix).

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

#include "api/dialect.h"
#include "api/route.h"
#include "api/understood.h"

namespace drover::api {

inline constexpr std::size_t kMaxJsonDepth = 64;
inline constexpr std::size_t kMaxModelBytes = 256;

// Thread: one request's. Cost: O(bytes), about 0.2 ns a byte in long ASCII text. Memory: about 1 KiB, fixed.
class BodyScanner {
 public:
  // The route decides the words of refusals, and whether `name` may stand for `model`.
  explicit BodyScanner(Route route);

  // The next piece, of any size; nothing of it is kept. False: the body is refused already, and the rest of it need not
  // come; refusal() says why.
  bool feed(std::string_view piece);
  const std::optional<Refusal>& refusal() const { return refusal_; }

  // The body has ended. Once only. Refusals: json, json_depth, duplicate_key, invalid_model, all with status 400 and,
  // where Go would refuse too, Go's words. A model that is absent or empty is no refusal here: api/model_refusal.h.
  std::expected<Understood, Refusal> finish();

 private:
  std::optional<Refusal> refusal_;
};

}  // namespace drover::api
