#include "config/nearest.h"

#include <algorithm>
#include <vector>

#include "base/ascii.h"

namespace drover::config {
namespace {

constexpr std::size_t kLongestWord = 64;

char fold(char c) { return c == '-' ? '_' : ascii::lower(c); }

// Optimal string alignment: three rows of the table of prefixes.
std::size_t edits(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) above[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = fold(a[i - 1]) == fold(b[j - 1]);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (same ? 0 : 1)});
      const bool swapped = i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) && fold(a[i - 2]) == fold(b[j - 1]);
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, above);
    std::swap(above, row);
  }
  return above[b.size()];
}

}  // namespace

std::string_view nearest_word(std::string_view written, std::span<const std::string_view> words) {
  std::string_view best;
  std::size_t fewest = std::max<std::size_t>(written.size() / 3, 1) + 1;
  if (written.size() < 2 || written.size() > kLongestWord) return best;
  for (const std::string_view word : words) {
    const std::size_t distance = edits(written, word);
    if (distance < fewest) {
      fewest = distance;
      best = word;
    }
  }
  return best;
}

}  // namespace drover::config
