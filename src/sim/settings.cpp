#include "sim/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "api/model_name.h"
#include "engine/card.h"
#include "sim/text.h"

namespace drover::sim {
namespace {

ModelSettings model(std::string_view name, std::uint64_t file, std::uint64_t parameters, std::uint32_t layers,
                    std::uint32_t context, std::uint32_t embedding, std::uint64_t kv_per_token, std::string_view family,
                    std::string_view size, std::string_view quantization, engine::Capabilities can,
                    ToolShape tool_shape = ToolShape::own_line) {
  engine::ModelSpec spec;
  spec.name = name;
  spec.weights = hex_digest(name);
  spec.file = Bytes{file};
  spec.parameters = parameters;
  spec.layers = layers;
  spec.context = context;
  spec.embedding = embedding;
  spec.kv_per_token = Bytes{kv_per_token};
  spec.family = family;
  spec.parameter_size = size;
  spec.quantization = quantization;
  spec.capabilities = can;
  if (family == "gemma3") spec.reuse = engine::PrefixReuse::continuation;
  return {std::move(spec), tool_shape};
}

NodeSettings node(std::string_view name, std::string_view card, std::uint32_t context,
                  std::initializer_list<std::string_view> models) {
  NodeSettings settings{.name = std::string(name), .card = std::string(card), .models = {}, .context = context};
  for (const std::string_view each : models) settings.models.push_back(*known_model(each));
  return settings;
}

}  // namespace

const std::vector<ModelSettings>& known_models() {
  static const std::vector<ModelSettings> models{
      model("llama3.2:3b", 2'019'377'376, 3'212'749'888, 28, 131'072, 3'072, 114'688, "llama", "3.2B", "Q4_K_M",
            {.completion = true, .tools = true}, ToolShape::last_line),
      model("qwen3:8b", 5'225'374'688, 8'190'735'360, 36, 40'960, 4'096, 147'456, "qwen3", "8.2B", "Q4_K_M",
            {.completion = true, .tools = true, .thinking = true}),
      model("gemma3:4b", 3'338'792'448, 4'299'915'632, 34, 131'072, 2'560, 34'816, "gemma3", "4.3B", "Q4_K_M",
            {.completion = true, .vision = true}),
      model("nomic-embed-text:latest", 274'290'656, 136'727'040, 12, 2'048, 768, 36'864, "nomic-bert", "137M", "F16",
            {.embedding = true}),
      model("llama3.3:70b", 42'520'397'216, 70'553'706'560, 80, 131'072, 8'192, 327'680, "llama", "70.6B", "Q4_K_M",
            {.completion = true, .tools = true}, ToolShape::last_line),
  };
  return models;
}

const ModelSettings* known_model(std::string_view name) {
  const std::string key = api::model_key(name);
  const auto& models = known_models();
  const auto found = std::ranges::find(models, key, [](const auto& each) { return api::model_key(each.spec.name); });
  return found == models.end() ? nullptr : &*found;
}

Settings default_fleet() { return fleet_of(3); }

Settings fleet_of(std::size_t count) {
  const NodeSettings kinds[] = {
      node("sim-fast", "fast", 8'192,
           {"llama3.2:3b", "qwen3:8b", "gemma3:4b", "nomic-embed-text:latest", "llama3.3:70b"}),
      node("sim-slow", "slow", 8'192, {"llama3.2:3b", "qwen3:8b", "gemma3:4b"}),
      node("sim-small", "small", 4'096, {"llama3.2:3b", "gemma3:4b", "nomic-embed-text:latest"}),
  };
  Settings settings;
  for (std::size_t i = 0; i < count; ++i) {
    NodeSettings each = kinds[i % std::size(kinds)];
    if (i >= std::size(kinds)) each.name += fmt::format("-{}", i / std::size(kinds) + 1);
    settings.nodes.push_back(std::move(each));
  }
  return settings;
}

Result<void> validate(const Settings& settings) {
  const auto wrong = [](std::string detail) { return Error{ErrorCode::config, Side::gateway, std::move(detail)}; };
  for (const NodeSettings& each : settings.nodes) {
    if (engine::card_named(each.card) == nullptr) {
      return wrong(fmt::format("simulated node {}: there is no card '{}'; use fast, slow, small or measured", each.name,
                               each.card));
    }
    if (each.slots == 0) return wrong(fmt::format("simulated node {}: slots is 0; use at least 1", each.name));
    if (!(each.speedup > 0)) {
      return wrong(fmt::format("simulated node {}: speedup is {}; use more than 0", each.name, each.speedup));
    }
    std::set<std::string> names;
    for (const ModelSettings& held : each.models) {
      if (names.insert(api::model_key(held.spec.name)).second) continue;
      return wrong(fmt::format("simulated node {}: holds two models named {}", each.name, held.spec.name));
    }
  }
  return {};
}

}  // namespace drover::sim
