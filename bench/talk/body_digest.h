#pragma once
// A fingerprint of a body that may come in pieces of any size: enough to see that a proxy changed, cut or mixed it, and
// cheap enough (about 10 GB a second) to run on every body of a benchmark. Not against people.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace drover::bench {

class BodyDigest {
 public:
  void feed(std::string_view piece);
  // Of all that was fed so far.
  std::uint64_t value() const;
  void reset() { *this = BodyDigest(); }

 private:
  static constexpr std::size_t kBlock = 32;
  void take_block(const char* block);

  std::array<std::uint64_t, 4> lanes_{1, 2, 3, 4};
  std::array<char, kBlock> rest_{};  // its first size_ % kBlock bytes wait for the others of their block
  std::uint64_t size_ = 0;
};

}  // namespace drover::bench
