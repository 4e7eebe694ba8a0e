#pragma once
// The body of an inference request on its way in: kept as it came, understood as it comes, counted against the budget.

#include <memory>
#include <optional>
#include <string>

#include "api/body_rules.h"
#include "api/body_scanner.h"
#include "gateway/buffer_budget.h"
#include "wire/server_connection.h"
#include "wire/zstd.h"

namespace drover::gateway {

class PromptBody final : public wire::BodySink {
 public:
  PromptBody(api::Route route, const api::BodyBounds& bounds, BufferLease& lease, api::Coding coding);

  // Refusals: 413 body_too_large, 503 buffer_budget, 400 decode. What the scanner refuses is kept for finish(), so that
  // the client's framing is read to its end and the connection stays usable.
  std::optional<http::Reject> take(std::string_view piece) override;

  // After the last piece.
  std::expected<api::Understood, api::Refusal> finish();

  // What goes to the node; decoded if it came compressed.
  const std::string& text() const { return text_; }

 private:
  std::optional<http::Reject> keep(std::string_view piece);

  const api::Route route_;
  const api::BodyBounds bounds_;
  BufferLease& lease_;
  api::BodyScanner scanner_;
  std::unique_ptr<wire::ZstdDecoder> zstd_;  // null: the body came plain
  std::string text_;
};

}  // namespace drover::gateway
