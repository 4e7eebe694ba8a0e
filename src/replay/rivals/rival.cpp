#include "replay/rivals/rival.h"

#include <algorithm>
#include <array>

namespace drover::replay {
namespace {

struct Entry {
  std::string_view name;
  std::unique_ptr<Rival> (*make)();
};
constexpr std::array kRivals{
    Entry{"rival:random", make_random},
    Entry{"rival:round_robin", make_round_robin},
    Entry{"rival:least_connections", make_least_connections},
    Entry{"rival:peak_ewma", make_peak_ewma},
    Entry{"rival:paddler", make_paddler},
    Entry{"rival:sglang", make_sglang},
    Entry{"rival:llm_d", make_llm_d},
    Entry{"rival:llm_d_scores", make_llm_d_scores},
    Entry{"rival:aibrix", make_aibrix},
    Entry{"rival:progress_ttl", make_progress_ttl},
};

}  // namespace

std::span<const std::string_view> rival_names() {
  static constexpr auto names = [] {
    std::array<std::string_view, kRivals.size()> all{};
    std::ranges::transform(kRivals, all.begin(), &Entry::name);
    return all;
  }();
  return names;
}

std::unique_ptr<Rival> make_rival(std::string_view name) {
  const auto found = std::ranges::find(kRivals, name, &Entry::name);
  return found == kRivals.end() ? nullptr : found->make();
}

}  // namespace drover::replay
