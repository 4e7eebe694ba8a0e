// How prompts begin, as the access log says it.
#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <vector>

#include "api/logged_prefix.h"

namespace drover::api {
namespace {

LogKey::Secret counting() {
  LogKey::Secret secret;
  std::iota(secret.begin(), secret.end(), static_cast<unsigned char>(0));
  return secret;
}

std::vector<std::uint64_t> logged(const std::vector<std::uint64_t>& chain, const LogKey& key) {
  std::vector<std::uint64_t> hashes(logged_hashes(chain.size()));
  write_logged_prefix(chain, key, hashes);
  return hashes;
}

std::vector<std::uint64_t> chain_of(std::size_t links) {
  std::vector<std::uint64_t> chain(links);
  std::iota(chain.begin(), chain.end(), 1U);
  return chain;
}

// From the paper's appendix, and its authors' table of vectors: the key 00 01 .. 0f, the bytes 00 01 .. of each length.
TEST(LogKey, hashes_as_its_authors_do) {
  const LogKey key(counting());
  std::string bytes;
  for (char i = 0; i < 15; ++i) bytes += i;
  EXPECT_EQ(key.hash(bytes), 0xa129'ca61'49be'45e5);
  EXPECT_EQ(key.hash(""), 0x726f'db47'dd0e'0e31);
  EXPECT_EQ(key.hash(std::string_view(bytes).substr(0, 8)), 0x93f5'f579'9a93'2462);
}

TEST(LoggedPrefix, has_a_hash_for_each_whole_kibibyte_up_to_its_bound) {
  for (const auto& [links, hashes] :
       {std::pair(0UL, 0UL), std::pair(3UL, 0UL), std::pair(4UL, 1UL), std::pair(7UL, 1UL),
        std::pair(4 * kMaxLoggedHashes, kMaxLoggedHashes), std::pair(4 * kMaxLoggedHashes + 400, kMaxLoggedHashes)}) {
    EXPECT_EQ(logged(chain_of(links), LogKey(counting())).size(), hashes) << links;
  }
}

TEST(LoggedPrefix, is_equal_as_far_as_the_prompts_are) {
  const LogKey key(counting());
  std::vector<std::uint64_t> one = chain_of(12), other = one;
  other[9] = other[10] = other[11] = 99;  // a chain never comes back
  const auto a = logged(one, key), b = logged(other, key);
  EXPECT_EQ(a[0], b[0]);
  EXPECT_EQ(a[1], b[1]);
  EXPECT_NE(a[2], b[2]);
}

TEST(LoggedPrefix, of_another_key_has_nothing_in_common) {
  LogKey::Secret secret = counting();
  secret[15] ^= 1;
  const auto a = logged(chain_of(40), LogKey(counting())), b = logged(chain_of(40), LogKey(secret));
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_NE(a[i], b[i]);
    EXPECT_NE(a[i], 4 * (i + 1)) << "the chain itself";
  }
}

}  // namespace
}  // namespace drover::api
