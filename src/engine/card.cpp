#include "engine/card.h"

#include <algorithm>

#include "engine/presets.h"

namespace drover::engine {
namespace {

double ratio(Bytes a, Bytes b) { return static_cast<double>(a.value) / static_cast<double>(b.value); }

}  // namespace

StepCosts costs_on(const Card& card, const ModelSpec& model) {
  const double weights = ratio(model.file, card.file);
  const double arithmetic = static_cast<double>(model.parameters) / static_cast<double>(card.parameters);
  const double attention = ratio(model.kv_per_token, card.kv_per_token);
  StepCosts costs = card.costs;
  for (Cost& cost : costs.few_rows) cost *= weights;
  costs.row *= arithmetic;
  for (Cost* cost : {&costs.pair_alone, &costs.pair_one, &costs.pair_few, &costs.pair_tiled, &costs.copy})
    *cost *= attention;
  return costs;
}

std::span<const Card> cards() {
  static const std::vector<Card> all = preset_cards();
  return all;
}

const Card* card_named(std::string_view name) {
  const auto found = std::ranges::find(cards(), name, &Card::name);
  return found == cards().end() ? nullptr : &*found;
}

}  // namespace drover::engine
