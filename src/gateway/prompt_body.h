#pragma once
// The body of an inference request on its way in: kept as it came, understood as it comes, counted against the budget.

#include <memory>
#include <optional>
#include <string>

#include "api/body_scanner.h"
#include "gateway/buffer_budget.h"
#include "wire/server_connection.h"
#include "wire/zstd.h"

namespace drover::gateway {

// A body that Ollama takes compressed: more of it than this is refused, as Ollama does.
inline constexpr Bytes kMaxDecodedZstd = 20_MiB;

class PromptBody final : public wire::BodySink {
 public:
  PromptBody(api::Route route, Bytes limit, BufferLease& lease, bool zstd);

  // Refusals: 413 body_too_large, 503 buffer_budget, 400 decode. What the scanner refuses is kept for finish(), so that
  // the client's framing is read to its end and the connection stays usable.
  std::optional<http::Reject> take(std::string_view piece) override;

  // After the last piece.
  std::expected<api::Understood, api::Refusal> finish();

  // What goes to the node; decoded if it came compressed.
  const std::string& text() const { return text_; }

 private:
  std::optional<http::Reject> keep(std::string_view piece);

  const Bytes limit_;
  BufferLease& lease_;
  api::BodyScanner scanner_;
  std::unique_ptr<wire::ZstdDecoder> zstd_;  // null: the body came plain
  std::string text_;
};

}  // namespace drover::gateway
