#pragma once
// What /api/show said about each version of each model, so that a plain show is answered from memory.

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/units.h"
#include "fleet/probe_answers.h"

namespace drover::fleet {

// Keyed by the model's key and its manifest digest: an answer is right as long as the digest is. Requests with
// `verbose`, `system` or `options`, or with a User-Agent of GitHubCopilotChat/, are answered differently by a node and
// do not belong here. Copies share their answers, so a FleetView keeps one. Thread: the owner's; the answers are
// immutable.
class ShowCache {
 public:
  // `bodies`: bound of all bodies together; beyond it only what was read out of them is kept.
  explicit ShowCache(Bytes bodies = 64_MiB) : limit_(bodies) {}

  std::shared_ptr<const ShowInfo> find(std::string_view key, std::string_view digest) const;
  void put(std::string_view key, std::string_view digest, ShowInfo info);
  // Forgets all entries for which `keep(key, digest)` is false: versions that no node holds any more.
  template <typename Keep>
  void retain(Keep&& keep) {
    for (auto entry = entries_.begin(); entry != entries_.end();) {
      if (keep(std::string_view(entry->first.first), std::string_view(entry->first.second))) {
        ++entry;
      } else {
        used_ -= Bytes{entry->second->body.size()};
        entry = entries_.erase(entry);
      }
    }
  }
  std::size_t size() const { return entries_.size(); }
  Bytes used() const { return used_; }

 private:
  using Key = std::pair<std::string, std::string>;
  struct Less {
    using is_transparent = void;
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return std::pair<std::string_view, std::string_view>(a) < std::pair<std::string_view, std::string_view>(b);
    }
  };

  Bytes limit_;
  Bytes used_;  // of the bodies; at most limit_
  std::map<Key, std::shared_ptr<const ShowInfo>, Less> entries_;
};

}  // namespace drover::fleet
