#include "gateway/prompt_body.h"

#include <algorithm>

namespace drover::gateway {
namespace {

http::Reject to_reject(const api::Refusal& refusal) {
  return {refusal.status, api::slug(refusal.reason), refusal.message};
}

}  // namespace

PromptBody::PromptBody(api::Route route, const api::BodyBounds& bounds, BufferLease& lease, api::Coding coding)
    : route_(route), bounds_(bounds), lease_(lease), scanner_(route) {
  if (coding == api::Coding::zstd) {
    zstd_ = std::make_unique<wire::ZstdDecoder>(std::min(api::body_bound(route, bounds), bounds.decoded));
  }
}

std::optional<http::Reject> PromptBody::take(std::string_view piece) {
  if (!zstd_) return keep(piece);
  std::optional<http::Reject> reject;
  const auto fed = zstd_->feed(piece, [&](std::string_view decoded) {
    reject = keep(decoded);
    return !reject;
  });
  if (reject) return reject;
  if (!fed && fed.error().code == ErrorCode::too_large) {
    return to_reject(api::refuse(api::Reason::body_too_large, fed.error().detail));
  }
  if (!fed) return http::Reject{400, "decode", "the body is not valid zstd: " + fed.error().detail};
  return std::nullopt;
}

std::optional<http::Reject> PromptBody::keep(std::string_view piece) {
  const std::size_t size = text_.size() + piece.size();
  if (const auto refusal = api::refuse_length(route_, Bytes{size}, bounds_)) return to_reject(*refusal);
  // Counted as the memory that the string may take when it grows, not only as what has arrived.
  if (size > text_.capacity() && !lease_.resize(std::max(size, 2 * text_.capacity()))) {
    return http::Reject{503, "buffer_budget", "the gateway holds as many request bodies as it may; try again"};
  }
  text_ += piece;
  scanner_.feed(piece);
  return std::nullopt;
}

std::expected<api::Understood, api::Refusal> PromptBody::finish() {
  if (zstd_ && !zstd_->complete()) {
    return std::unexpected(api::refuse(api::Reason::decode, "the body's zstd frame is incomplete"));
  }
  if (scanner_.refusal()) return std::unexpected(*scanner_.refusal());
  return scanner_.finish();
}

}  // namespace drover::gateway
