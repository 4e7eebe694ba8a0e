#include "engine/prompt_cache.h"

#include <algorithm>

namespace drover::engine {
namespace {

std::size_t common_beginning(std::span<const TokenHash> a, std::span<const TokenHash> b) {
  return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

}  // namespace

std::size_t reusable(std::span<const TokenHash> known, std::span<const TokenHash> prompt, PrefixReuse reuse) {
  if (known.empty() || prompt.empty()) return 0;
  const std::size_t common = common_beginning(known, prompt);
  if (reuse == PrefixReuse::continuation && common < known.size()) return 0;
  return std::min(common, prompt.size() - 1);
}

void HostCache::forget(std::size_t index) {
  tokens_ -= conversations_[index].size();
  conversations_.erase(conversations_.begin() + static_cast<std::ptrdiff_t>(index));
}

void HostCache::remember(std::vector<TokenHash> conversation) {
  if (conversation.empty() || conversation.size() > limit_) return;
  for (std::size_t i = conversations_.size(); i-- > 0;) {
    if (common_beginning(conversations_[i], conversation) == conversations_[i].size()) forget(i);
  }
  tokens_ += conversation.size();
  conversations_.push_back(std::move(conversation));
  while (tokens_ > limit_) forget(0);
}

std::vector<TokenHash> HostCache::take(std::span<const TokenHash> prompt, PrefixReuse reuse, std::size_t least) {
  std::size_t best = conversations_.size();
  for (std::size_t i = 0; i < conversations_.size(); ++i) {
    const std::size_t help = reusable(conversations_[i], prompt, reuse);
    if (help > least) {
      least = help;
      best = i;
    }
  }
  if (best == conversations_.size()) return {};
  std::vector<TokenHash> found = std::move(conversations_[best]);
  tokens_ -= found.size();
  conversations_.erase(conversations_.begin() + static_cast<std::ptrdiff_t>(best));
  return found;
}

}  // namespace drover::engine
