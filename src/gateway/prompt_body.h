#pragma once
// The body of an inference request on its way in: kept as it came, understood as it comes, counted against the budget.

#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "api/body_rules.h"
#include "api/body_scanner.h"
#include "base/pooled.h"
#include "gateway/body_memory.h"
#include "gateway/buffer_budget.h"
#include "wire/server_connection.h"
#include "wire/zstd.h"

namespace drover::gateway {

// Memory is taken for what has arrived, and for as much of the length that the client claims as kBelievedLength.
class PromptBody final : public wire::BodySink {
 public:
  static constexpr std::size_t kBelievedLength = 512 << 10;

  // `length`: of the body as it comes over the wire; 0: unknown.
  PromptBody(api::Route route, const api::BodyBounds& bounds, BufferLease& lease, BodyPool& pool, api::Coding coding,
             std::uint64_t length);

  // Refusals: 413 body_too_large, 503 buffer_budget, 400 decode. What the scanner refuses is kept for finish(), so that
  // the client's framing is read to its end and the connection stays usable.
  std::optional<http::Reject> take(std::string_view piece) override;
  std::span<char> room() override;
  std::optional<http::Reject> took(std::size_t bytes) override;

  // After the last piece.
  std::expected<void, api::Refusal> finish();
  // Once finish() has accepted it, until drop().
  const api::Understood& understood() const { return *understood_; }

  // What goes to the node; decoded if it came compressed.
  std::string_view text() const { return text_.view(); }
  // It is not needed any more: a stream that lasts should not hold it.
  void drop();

 private:
  std::optional<http::Reject> keep(std::string_view piece);
  bool make_room(std::size_t bytes);
  void accept(std::size_t bytes);

  const api::Route route_;
  const api::BodyBounds bounds_;
  BufferLease& lease_;
  Pooled<api::BodyScanner> scanner_;  // while the body comes
  Pooled<api::Understood> understood_;
  std::unique_ptr<wire::ZstdDecoder> zstd_;  // null: the body came plain
  BodyMemory text_;
  std::size_t expected_ = 0;  // bytes in all, as far as that is believed
};

}  // namespace drover::gateway
