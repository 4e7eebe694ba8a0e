#pragma once
// A node's models by name, as its handlers look them up.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "sim/settings.h"

namespace drover::sim {

class Store {
 public:
  // `settings` must outlive the store.
  explicit Store(const NodeSettings& settings) : settings_(settings) {}

  // As generate, chat, embed and show find it: whatever its case, with `latest` where no tag is given. nullptr: absent.
  const ModelSettings* find(std::string_view name) const;
  // As /api/embeddings finds it: in the stored spelling only.
  const ModelSettings* find_exactly(std::string_view name) const;

  std::span<const ModelSettings> models() const { return settings_.models; }
  // Of a model's manifest: 64 hex digits. Equal on all nodes for equal name and weights.
  static std::string digest(const ModelSettings& model);
  // When it was pulled: a fixed date, later for later entries, so that lists have one order.
  Wall modified(const ModelSettings& model) const;

 private:
  const NodeSettings& settings_;
};

}  // namespace drover::sim
