#include "replay/models.h"

#include <algorithm>

#include "api/model_name.h"
#include "sim/text.h"

namespace drover::replay {
namespace {

sim::ModelSettings like(std::string_view known, std::string_view name, std::uint64_t file, std::uint64_t parameters,
                        std::uint32_t layers, std::uint32_t context, std::uint64_t kv_per_token) {
  sim::ModelSettings model = *sim::known_model(known);
  model.spec.name = name;
  model.spec.weights = sim::hex_digest(name);
  model.spec.file = Bytes{file};
  model.spec.parameters = parameters;
  model.spec.layers = layers;
  model.spec.context = context;
  model.spec.kv_per_token = Bytes{kv_per_token};
  return model;
}

}  // namespace

const std::vector<sim::ModelSettings>& models() {
  static const std::vector<sim::ModelSettings> all = [] {
    std::vector<sim::ModelSettings> list = sim::known_models();
    list.push_back(like("llama3.2:3b", "llama3.1:8b", 4'920'734'272, 8'030'261'312, 32, 131'072, 131'072));
    list.push_back(like("llama3.2:3b", "mistral:7b", 4'113'289'152, 7'248'023'552, 32, 32'768, 131'072));
    list.push_back(like("llama3.2:3b", "phi4:14b", 9'053'114'944, 14'659'507'200, 40, 16'384, 204'800));
    return list;
  }();
  return all;
}

const sim::ModelSettings* model_named(std::string_view name) {
  const std::string key = api::model_key(name);
  const auto found = std::ranges::find(models(), key, [](const auto& each) { return api::model_key(each.spec.name); });
  return found == models().end() ? nullptr : &*found;
}

}  // namespace drover::replay
