#pragma once
// Changes of a body on its way to a node: as splices, so that all other bytes stay those the client sent.

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "api/span.h"

namespace drover::api {

// What to leave out of `body` so that this member of an object is gone and the rest is still JSON: it goes with one of
// its commas. Leaving out differs from null: a node asks whether `num_ctx` is there at all.
Span with_comma(std::string_view body, Span member);

// A body, some places of which are said otherwise. Views into the body and the new texts, which must outlive it.
class EditedBody {
 public:
  static constexpr std::size_t kMostEdits = 2;
  static constexpr std::size_t kMostPieces = 2 * kMostEdits + 1;

  explicit EditedBody(std::string_view body) : body_(body), pieces_{body} {}

  // Places are of the body as it was, and do not overlap. In any order.
  void replace(Span place, std::string_view text);

  // In their order; some may be empty.
  std::span<const std::string_view> pieces() const { return {pieces_.data(), count_}; }
  std::size_t size() const;
  std::string text() const;

 private:
  std::string_view body_;
  std::array<std::string_view, kMostPieces> pieces_;  // by turns of the body and new
  std::size_t count_ = 1;
};

}  // namespace drover::api
