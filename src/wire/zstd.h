#pragma once
// Bodies compressed with zstd (RFC 8878), which Ollama takes on its OpenAI routes. libzstd stays behind this file.

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "base/units.h"

namespace drover::wire {

// Decodes one frame as it arrives, at most `limit` bytes of it, whatever the frame claims: a bomb costs no more.
class ZstdDecoder {
 public:
  explicit ZstdDecoder(Bytes limit);
  ~ZstdDecoder();
  ZstdDecoder(const ZstdDecoder&) = delete;

  // Hands each decoded piece to `take`, valid during the call; stops when it returns false. Errors: invalid (not zstd,
  // or damaged), too_large.
  Result<bool> feed(std::string_view piece, const std::function<bool(std::string_view)>& take);
  // The frame has come to its end.
  bool complete() const { return complete_; }

 private:
  struct Context;
  std::unique_ptr<Context> context_;
  std::size_t left_;
  bool complete_ = false;
};

}  // namespace drover::wire
