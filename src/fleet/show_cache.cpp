#include "fleet/show_cache.h"

namespace drover::fleet {

std::shared_ptr<const ShowInfo> ShowCache::find(std::string_view key, std::string_view digest) const {
  const auto found = entries_.find(std::pair(key, digest));
  return found == entries_.end() ? nullptr : found->second;
}

void ShowCache::put(std::string_view key, std::string_view digest, ShowInfo info) {
  auto& slot = entries_[Key(key, digest)];
  if (slot) used_ -= Bytes{slot->body.size()};
  if (used_ + Bytes{info.body.size()} > limit_) info.body = {};
  used_ += Bytes{info.body.size()};
  slot = std::make_shared<const ShowInfo>(std::move(info));
}

}  // namespace drover::fleet
