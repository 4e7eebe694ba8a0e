#include "wire/zstd.h"

#include <zstd.h>

#include <array>

#include "base/check.h"

namespace drover::wire {

struct ZstdDecoder::Context {
  ZSTD_DCtx* stream = ZSTD_createDCtx();
  std::array<char, 16 * 1024> buffer;
  Context() {
    CHECK(stream != nullptr);
    ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, 23);  // 8 MiB, what RFC 8878 asks decoders to support
  }
  ~Context() { ZSTD_freeDCtx(stream); }
};

ZstdDecoder::ZstdDecoder(Bytes limit) : context_(std::make_unique<Context>()), left_(limit.value) {}
ZstdDecoder::~ZstdDecoder() = default;

Result<bool> ZstdDecoder::feed(std::string_view piece, const std::function<bool(std::string_view)>& take) {
  ZSTD_inBuffer in{piece.data(), piece.size(), 0};
  while (true) {
    ZSTD_outBuffer out{context_->buffer.data(), context_->buffer.size(), 0};
    const std::size_t hint = ZSTD_decompressStream(context_->stream, &out, &in);
    if (ZSTD_isError(hint) != 0) return Error{ErrorCode::invalid, Side::client, ZSTD_getErrorName(hint)};
    if (out.pos > left_) return Error{ErrorCode::too_large, Side::client, "the decoded body is too large"};
    left_ -= out.pos;
    complete_ = hint == 0;
    if (out.pos > 0 && !take(std::string_view(context_->buffer.data(), out.pos))) return false;
    if (in.pos == in.size && out.pos < out.size) return true;
  }
}

}  // namespace drover::wire
