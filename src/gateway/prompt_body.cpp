#include "gateway/prompt_body.h"

#include <algorithm>

namespace drover::gateway {
namespace {

http::Reject to_reject(const api::Refusal& refusal) {
  return {refusal.status, api::slug(refusal.reason), refusal.message};
}

}  // namespace

PromptBody::PromptBody(api::Route route, const api::BodyBounds& bounds, BufferLease& lease, BodyPool& pool,
                       api::Coding coding, std::uint64_t length)
    : route_(route), bounds_(bounds), lease_(lease), scanner_(make_pooled<api::BodyScanner>(route)), text_(pool) {
  expected_ = std::min<std::uint64_t>(length, kBelievedLength);
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
  if (const auto refusal = api::refuse_length(route_, Bytes{text_.size() + piece.size()}, bounds_)) {
    return to_reject(*refusal);
  }
  if (!make_room(piece.size())) {
    return http::Reject{503, "buffer_budget", "the gateway holds as many request bodies as it may; try again"};
  }
  piece.copy(text_.free().data(), piece.size());
  accept(piece.size());
  return std::nullopt;
}

// What lies behind the body is a part of it now.
void PromptBody::accept(std::size_t bytes) {
  const std::string_view piece(text_.free().data(), bytes);
  text_.grew(bytes);
  scanner_->feed(piece);
}

// Counted as the memory that is taken, not only as what has arrived. One byte more than is expected, so that the read
// that ends a body finds the socket empty.
bool PromptBody::make_room(std::size_t bytes) {
  if (text_.free().size() >= bytes) return true;
  const std::size_t wanted = std::max({text_.size() + bytes, 2 * text_.capacity(), expected_ + 1});
  if (!lease_.resize(BodyPool::size_for(wanted))) return false;
  text_.reserve(wanted);
  return true;
}

std::span<char> PromptBody::room() {
  // Where there is none to be had, the bytes come through take(), which says so.
  if (zstd_ || !make_room(1)) return {};
  return text_.free();
}

std::optional<http::Reject> PromptBody::took(std::size_t bytes) {
  if (const auto refusal = api::refuse_length(route_, Bytes{text_.size() + bytes}, bounds_)) return to_reject(*refusal);
  accept(bytes);
  return std::nullopt;
}

void PromptBody::drop() {
  text_.drop();
  understood_.reset();
  lease_.resize(0);
}

std::expected<void, api::Refusal> PromptBody::finish() {
  if (zstd_ && !zstd_->complete()) {
    return std::unexpected(api::refuse(api::Reason::decode, "the body's zstd frame is incomplete"));
  }
  if (scanner_->refusal()) return std::unexpected(*scanner_->refusal());
  auto understood = scanner_->finish();
  scanner_.reset();
  if (!understood) return std::unexpected(std::move(understood.error()));
  understood_ = make_pooled<api::Understood>(std::move(*understood));
  return {};
}

}  // namespace drover::gateway
