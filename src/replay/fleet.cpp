#include "replay/fleet.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/random.h"
#include "engine/card.h"
#include "engine/memory.h"
#include "replay/models.h"

namespace drover::replay {
namespace {

constexpr double kBytesPerToken = 4;

double factor(Random& random, double spread) { return 1 - spread + 2 * spread * random.uniform(); }

std::uint32_t most_slots(Bytes vram) { return vram >= 40_GiB ? 8 : vram >= 16_GiB ? 4 : 2; }

}  // namespace

sim::NodeSettings node_on(std::string_view card, const Needs& needs) {
  const Bytes vram = engine::card_named(card)->vram;
  sim::NodeSettings node{
      .name = {}, .card = std::string(card), .models = {}, .slots = most_slots(vram), .context = needs.context};
  const auto fits = [&](const sim::ModelSettings& model, std::uint32_t slots) {
    return engine::fits(engine::size_in_memory(model.spec, std::min(needs.context, model.spec.context), slots), vram);
  };
  for (const std::string& name : needs.models) {
    const sim::ModelSettings* model = model_named(name);
    CHECK(model != nullptr);
    if (fits(*model, 1)) node.models.push_back(*model);
  }
  const auto all_fit = [&] {
    return std::ranges::all_of(node.models, [&](const auto& model) { return fits(model, node.slots); });
  };
  while (node.slots > 1 && !all_fit()) --node.slots;
  return node;
}

std::string free_name(const Fleet& fleet, std::string_view beginning) {
  for (std::size_t number = 1;; ++number) {
    std::string name = fmt::format("{}-{}", beginning, number);
    if (std::ranges::find(fleet, name, &sim::NodeSettings::name) == fleet.end()) return name;
  }
}

std::optional<Fleet> fleet_preset(std::string_view name, const Needs& needs) {
  struct Kind {
    std::string_view card;
    std::size_t count;
  };
  std::vector<Kind> kinds;
  if (name == "two") kinds = {{"fast", 1}, {"slow", 1}};
  if (name == "eight") kinds = {{"fast", 2}, {"slow", 3}, {"small", 3}};
  if (name == "hundred") kinds = {{"fast", 20}, {"slow", 40}, {"small", 40}};
  if (kinds.empty()) return std::nullopt;
  Fleet fleet;
  for (const Kind& kind : kinds) {
    sim::NodeSettings node = node_on(kind.card, needs);
    for (std::size_t i = 0; i < kind.count; ++i) {
      node.name = free_name(fleet, kind.card);
      fleet.push_back(node);
    }
  }
  return fleet;
}

void make_true(Fleet& fleet, const Truth& truth, std::uint64_t seed) {
  for (sim::NodeSettings& node : fleet) {
    std::uint64_t salt = 0;
    for (const char c : node.name) salt = salt * 257 + static_cast<unsigned char>(c);
    Random random = Random(seed).split(salt);
    sim::Machine& machine = node.machine;
    machine.weights = factor(random, truth.spread);
    machine.arithmetic = factor(random, truth.spread);
    machine.loads = factor(random, truth.spread);
    machine.cache = factor(random, truth.spread);
    if (!truth.host_cache) machine.cache = 0;
    node.every_token = false;
  }
}

std::vector<double> draw_bytes_per_token(std::size_t models, double spread, std::uint64_t seed) {
  Random random(seed);
  std::vector<double> all(models);
  for (double& each : all) each = kBytesPerToken * factor(random, spread);
  return all;
}

}  // namespace drover::replay
