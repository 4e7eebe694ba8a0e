#include "api/logged_prefix.h"

#include <bit>
#include <cstring>

namespace drover::api {
namespace {

// The machine's order of bytes is that of SipHash: least significant first.
static_assert(std::endian::native == std::endian::little);

std::uint64_t read_word(const void* bytes, std::size_t size = sizeof(std::uint64_t)) {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, size);
  return word;
}

class SipState {
 public:
  SipState(std::uint64_t first, std::uint64_t second)
      : v0_(first ^ 0x736f'6d65'7073'6575),
        v1_(second ^ 0x646f'7261'6e64'6f6d),
        v2_(first ^ 0x6c79'6765'6e65'7261),
        v3_(second ^ 0x7465'6462'7974'6573) {}

  void absorb(std::uint64_t word) {
    v3_ ^= word;
    rounds(2);
    v0_ ^= word;
  }
  std::uint64_t finish() {
    v2_ ^= 0xff;
    rounds(4);
    return v0_ ^ v1_ ^ v2_ ^ v3_;
  }

 private:
  void rounds(int count) {
    for (; count > 0; --count) {
      v0_ += v1_;
      v2_ += v3_;
      v1_ = std::rotl(v1_, 13) ^ v0_;
      v3_ = std::rotl(v3_, 16) ^ v2_;
      v0_ = std::rotl(v0_, 32);
      v2_ += v1_;
      v0_ += v3_;
      v1_ = std::rotl(v1_, 17) ^ v2_;
      v3_ = std::rotl(v3_, 21) ^ v0_;
      v2_ = std::rotl(v2_, 32);
    }
  }
  std::uint64_t v0_, v1_, v2_, v3_;
};

}  // namespace

LogKey::LogKey(const Secret& secret) : first_(read_word(secret.data())), second_(read_word(secret.data() + 8)) {}

std::uint64_t LogKey::hash(std::string_view bytes) const {
  SipState state(first_, second_);
  const std::uint64_t size = bytes.size();
  for (; bytes.size() >= sizeof(std::uint64_t); bytes.remove_prefix(sizeof(std::uint64_t))) {
    state.absorb(read_word(bytes.data()));
  }
  state.absorb(read_word(bytes.data(), bytes.size()) | size << 56);
  return state.finish();
}

void write_logged_prefix(std::span<const std::uint64_t> chain, const LogKey& key, std::span<std::uint64_t> out) {
  constexpr std::size_t kLinks = kLoggedBlock / kPromptBlock;
  const std::size_t count = logged_hashes(chain.size());
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t link = chain[(i + 1) * kLinks - 1];
    out[i] = key.hash({reinterpret_cast<const char*>(&link), sizeof link});
  }
}

}  // namespace drover::api
