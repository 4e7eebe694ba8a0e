#include "gpu/data_sheet.h"

#include <algorithm>
#include <array>
#include <ranges>
#include <string>
#include <vector>

#include "base/ascii.h"

namespace drover::gpu {
namespace {

constexpr DataSheet kSheets[] = {
    // GeForce: Turing, Ampere, Ada, Blackwell. Sums in 32 bits take twice the time of those in 16.
    {"RTX 2060", 336, 26},
    {"RTX 2070", 448, 30},
    {"RTX 2080", 448, 40},
    {"RTX 2080 Ti", 616, 54},
    {"RTX 3060", 360, 25},
    {"RTX 3060 Ti", 448, 32},
    {"RTX 3070", 448, 41},
    {"RTX 3070 Ti", 608, 43},
    {"RTX 3080", 760, 60},
    {"RTX 3080 Ti", 912, 68},
    {"RTX 3090", 936, 71},
    {"RTX 3090 Ti", 1008, 80},
    {"RTX 4060", 272, 30},
    {"RTX 4060 Ti", 288, 44},
    {"RTX 4070", 504, 58},
    {"RTX 4070 Super", 504, 71},
    {"RTX 4070 Ti", 504, 80},
    {"RTX 4070 Ti Super", 672, 88},
    {"RTX 4080", 717, 97},
    {"RTX 4080 Super", 736, 104},
    {"RTX 4090", 1008, 165},
    {"RTX 5060", 448, 38},
    {"RTX 5060 Ti", 448, 47},
    {"RTX 5070", 672, 62},
    {"RTX 5070 Ti", 896, 88},
    {"RTX 5080", 960, 113},
    {"RTX 5090", 1792, 210},
    // Workstations and data centres.
    {"RTX A4000", 448, 77},
    {"RTX A5000", 768, 111},
    {"RTX A6000", 768, 155},
    {"RTX 4000 Ada", 360, 107},
    {"RTX 6000 Ada", 960, 364},
    {"RTX PRO 6000", 1792, 504},
    {"P40", 347, 12},
    {"P100", 732, 19},
    {"V100", 900, 125},
    {"T4", 320, 65},
    {"A2", 200, 18},
    {"A10", 600, 125},
    {"A30", 933, 165},
    {"A40", 696, 150},
    {"A100", 1555, 312},
    {"A100 80GB", 2039, 312},
    {"L4", 300, 121},
    {"L40", 864, 181},
    {"L40S", 864, 362},
    {"H100", 3350, 989},
    {"H100 PCIe", 2000, 756},
    {"H100 NVL", 3900, 835},
    {"GH200", 4000, 989},
    {"H200", 4800, 989},
    {"B200", 8000, 2250},
    // AMD.
    {"RX 6800", 512, 32},
    {"RX 6900 XT", 512, 46},
    {"RX 7600", 288, 43},
    {"RX 7800 XT", 624, 75},
    {"RX 7900 XT", 800, 103},
    {"RX 7900 XTX", 960, 123},
    {"RX 9070 XT", 645, 195},
    {"W7900", 864, 123},
    {"MI100", 1229, 185},
    {"MI210", 1638, 181},
    {"MI250X", 3277, 383},
    {"MI300X", 5300, 1307},
    {"MI325X", 6000, 1307},
    // Apple, with the most cores of each.
    {"M1", 68, 2.6},
    {"M1 Pro", 200, 5.3},
    {"M1 Max", 400, 10.4},
    {"M1 Ultra", 800, 21},
    {"M2", 100, 3.6},
    {"M2 Pro", 200, 6.8},
    {"M2 Max", 400, 13.6},
    {"M2 Ultra", 800, 27},
    {"M3", 100, 3.5},
    {"M3 Max", 400, 14},
    {"M3 Ultra", 819, 28},
    {"M4", 120, 4.3},
    {"M4 Pro", 273, 9},
    {"M4 Max", 546, 18},
};

using Parts = std::vector<std::string>;

// Its letters and numbers in lower case: `rtx`, `4090`. An amount of memory is the number alone.
Parts parts_of(std::string_view name) {
  Parts parts;
  char before = ' ';
  for (const char written : name) {
    const char c = ascii::lower(written);
    if (ascii::is_alnum(c)) {
      const bool joins = ascii::is_digit(c) ? ascii::is_digit(before) : ascii::is_alpha(before);
      if (!joins) parts.emplace_back();
      parts.back() += c;
    }
    before = c;
  }
  std::erase_if(parts, [](const std::string& part) { return part == "gb"; });
  return parts;
}

// A data sheet's name: `A100 80GB` is two words of parts.
struct Title {
  explicit Title(std::string_view name) {
    for (const auto word : std::views::split(name, ' ')) words.push_back(parts_of(std::string_view(word)));
    for (const Parts& word : words) parts += word.size();
  }
  // All of its words are in the name, each as a whole, in that order.
  bool is_in(const Parts& name) const {
    auto from = name.begin();
    for (const Parts& word : words) {
      from = std::search(from, name.end(), word.begin(), word.end());
      if (from == name.end()) return false;
      from += static_cast<std::ptrdiff_t>(word.size());
    }
    return true;
  }

  std::vector<Parts> words;
  std::size_t parts = 0;
};

}  // namespace

std::span<const DataSheet> data_sheets() { return kSheets; }

const DataSheet* find_data_sheet(std::string_view name) {
  static const std::vector<Title> kTitles = [] {
    std::vector<Title> titles;
    for (const DataSheet& sheet : kSheets) titles.emplace_back(sheet.name);
    return titles;
  }();
  static const std::array kSlower{Title("laptop"), Title("mobile"), Title("max q")};
  const Parts parts = parts_of(name);
  if (std::ranges::any_of(kSlower, [&](const Title& title) { return title.is_in(parts); })) return nullptr;
  const DataSheet* found = nullptr;
  std::size_t most = 0;
  for (std::size_t i = 0; i < std::size(kSheets); ++i) {
    if (kTitles[i].parts <= most || !kTitles[i].is_in(parts)) continue;
    found = &kSheets[i];
    most = kTitles[i].parts;
  }
  return found;
}

}  // namespace drover::gpu
