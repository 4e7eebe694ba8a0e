#include "sim/store.h"

#include "api/model_name.h"
#include "sim/text.h"

namespace drover::sim {

const ModelSettings* Store::find(std::string_view name) const {
  const auto wanted = api::parse_model_name(name);
  if (!wanted) return nullptr;
  for (const ModelSettings& model : settings_.models) {
    if (api::model_key(model.spec.name) == wanted->key()) return &model;
  }
  return nullptr;
}

const ModelSettings* Store::find_exactly(std::string_view name) const {
  const auto wanted = api::parse_model_name(name);
  const ModelSettings* found = find(name);
  return found != nullptr && wanted->display() == found->spec.name ? found : nullptr;
}

std::string Store::digest(const ModelSettings& model) { return hex_digest(model.spec.name + model.spec.weights); }

Wall Store::modified(const ModelSettings& model) const {
  constexpr Wall kFirst{std::chrono::seconds(1'767'225'600)};
  const auto index = &model - settings_.models.data();
  return kFirst + std::chrono::hours(24 * 7) - std::chrono::minutes(index * 97) + std::chrono::nanoseconds(120'345'678);
}

}  // namespace drover::sim
