#include "base/random.h"

#include <sys/random.h>

#include "base/check.h"

namespace drover {

void fill_unpredictable(std::span<unsigned char> bytes) {
  while (!bytes.empty()) {
    const auto got = ::getrandom(bytes.data(), bytes.size(), 0);
    CHECK(got > 0);
    bytes = bytes.subspan(static_cast<std::size_t>(got));
  }
}

}  // namespace drover
