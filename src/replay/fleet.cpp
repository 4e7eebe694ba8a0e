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

// Nodes of one card.
struct Kind {
  std::string_view card;
  std::size_t count;
  std::uint32_t most_slots;
};

void add_nodes(Fleet& fleet, const Kind& kind, const std::vector<std::string>& models, std::uint32_t context) {
  const Bytes vram = engine::card_named(kind.card)->vram;
  sim::NodeSettings node{
      .name = {}, .card = std::string(kind.card), .models = {}, .slots = kind.most_slots, .context = context};
  const auto fits = [&](const sim::ModelSettings& model, std::uint32_t slots) {
    return engine::fits(engine::size_in_memory(model.spec, std::min(context, model.spec.context), slots), vram);
  };
  for (const std::string& name : models) {
    const sim::ModelSettings* model = model_named(name);
    CHECK(model != nullptr);
    if (fits(*model, 1)) node.models.push_back(*model);
  }
  const auto all_fit = [&] {
    return std::ranges::all_of(node.models, [&](const auto& model) { return fits(model, node.slots); });
  };
  while (node.slots > 1 && !all_fit()) --node.slots;
  for (std::size_t i = 0; i < kind.count; ++i) {
    node.name = fmt::format("{}-{}", kind.card, i + 1);
    fleet.push_back(node);
  }
}

}  // namespace

std::optional<Fleet> fleet_preset(std::string_view name, const std::vector<std::string>& models,
                                  std::uint32_t context) {
  std::vector<Kind> kinds;
  if (name == "two") kinds = {{"fast", 1, 8}, {"slow", 1, 4}};
  if (name == "eight") kinds = {{"fast", 2, 8}, {"slow", 3, 4}, {"small", 3, 2}};
  if (name == "hundred") kinds = {{"fast", 20, 8}, {"slow", 40, 4}, {"small", 40, 2}};
  if (kinds.empty()) return std::nullopt;
  Fleet fleet;
  for (const Kind& kind : kinds) add_nodes(fleet, kind, models, context);
  return fleet;
}

void make_true(Fleet& fleet, const Truth& truth, std::uint64_t seed) {
  Random all(seed);
  for (std::size_t i = 0; i < fleet.size(); ++i) {
    Random random = all.split(i);
    sim::Machine& machine = fleet[i].machine;
    machine.weights = factor(random, truth.spread);
    machine.arithmetic = factor(random, truth.spread);
    machine.loads = factor(random, truth.spread);
    machine.cache = factor(random, truth.spread);
    if (!truth.host_cache) machine.cache = 0;
    fleet[i].every_token = false;
  }
}

std::vector<double> draw_bytes_per_token(std::size_t models, double spread, std::uint64_t seed) {
  Random random(seed);
  std::vector<double> all(models);
  for (double& each : all) each = kBytesPerToken * factor(random, spread);
  return all;
}

}  // namespace drover::replay
