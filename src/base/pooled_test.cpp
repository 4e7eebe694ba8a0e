#include "base/pooled.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <thread>
#include <vector>

#include "base/random.h"

namespace drover {
namespace {

struct Taken {
  unsigned char* at;
  std::size_t size;
  unsigned char mark;

  explicit Taken(std::size_t bytes, unsigned char with)
      : at(static_cast<unsigned char*>(allocate_pooled(bytes))), size(bytes), mark(with) {
    std::memset(at, mark, size);
  }
  bool untouched() const {
    return std::ranges::all_of(std::span(at, size), [this](unsigned char byte) { return byte == mark; });
  }
};

TEST(Pooled, blocks_of_all_sizes_never_overlap) {
  Random random(1);
  std::vector<Taken> taken;
  for (int i = 0; i < 50'000; ++i) {
    if (taken.size() < random.below(2'000)) {
      taken.emplace_back(1 + random.below(random.below(10) == 0 ? 8'000 : 700), static_cast<unsigned char>(i));
      ASSERT_EQ(reinterpret_cast<std::uintptr_t>(taken.back().at) % 16, 0U);
    } else if (!taken.empty()) {
      std::swap(taken[random.below(taken.size())], taken.back());
      ASSERT_TRUE(taken.back().untouched());
      free_pooled(taken.back().at, taken.back().size);
      taken.pop_back();
    }
  }
  for (const Taken& block : taken) {
    ASSERT_TRUE(block.untouched());
    free_pooled(block.at, block.size);
  }
}

TEST(Pooled, blocks_outlive_the_thread_that_took_them) {
  std::vector<Taken> taken;
  std::thread([&] {
    for (int i = 0; i < 1'000; ++i) taken.emplace_back(300, static_cast<unsigned char>(i));
  }).join();
  for (const Taken& block : taken) {
    ASSERT_TRUE(block.untouched());
    free_pooled(block.at, block.size);
  }
}

#if !defined(__SANITIZE_ADDRESS__) && !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)

// How many of the pages that the blocks were on have memory.
std::size_t resident(const std::vector<Taken>& blocks) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  std::vector<std::uintptr_t> pages;
  for (const Taken& block : blocks) pages.push_back(reinterpret_cast<std::uintptr_t>(block.at) / page * page);
  std::ranges::sort(pages);
  const auto rest = std::ranges::unique(pages);
  pages.erase(rest.begin(), rest.end());
  return static_cast<std::size_t>(std::ranges::count_if(pages, [&](std::uintptr_t at) {
    unsigned char in_memory = 0;
    return ::mincore(reinterpret_cast<void*>(at), page, &in_memory) == 0 && (in_memory & 1) != 0;
  }));
}

TEST(Pooled, what_a_burst_took_goes_back_though_other_blocks_stay) {
  std::vector<Taken> burst;
  std::vector<Taken> stay;
  for (int i = 0; i < 5'000; ++i) {
    burst.emplace_back(2'000, 1);
    stay.emplace_back(100, 2);
  }
  const std::size_t before = resident(burst);
  EXPECT_GT(before, 2'000U);
  for (const Taken& block : burst) free_pooled(block.at, block.size);
  EXPECT_LT(resident(burst), before / 20);
  for (const Taken& block : stay) {
    ASSERT_TRUE(block.untouched());
    free_pooled(block.at, block.size);
  }
}

#endif

}  // namespace
}  // namespace drover
