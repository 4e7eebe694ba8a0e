#include "engine/card.h"

#include <algorithm>
#include <array>

namespace drover::engine {
namespace {

double ratio(Bytes a, Bytes b) { return static_cast<double>(a.value) / static_cast<double>(b.value); }

// The reference of the cards for people's models: an 8B model of 4 bits a weight.
constexpr Bytes kCommonFile{4'920'000'000};
constexpr std::uint64_t kCommonParameters = 8'030'000'000;
constexpr Bytes kCommonKv{131'072};

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
  using std::chrono::milliseconds;
  static const std::array<Card, 4> all{Card{.name = "fast",
                                            .vram = 80_GiB,
                                            .load_bandwidth = Bytes{5'000'000'000},
                                            .load_overhead = milliseconds(400),
                                            .costs = {.few_rows = {Cost{6.8}, Cost{7.1}, Cost{7.4}, Cost{7.7}},
                                                      .many_rows = Cost{0.3},
                                                      .row = Cost{0.12},
                                                      .pair_alone = Cost{0.00007},
                                                      .pair_one = Cost{0.00007},
                                                      .pair_few = Cost{0.00001},
                                                      .pair_tiled = Cost{0.000003},
                                                      .handover = Cost{4},
                                                      .copy = Cost{0.006}},
                                            .file = kCommonFile,
                                            .parameters = kCommonParameters,
                                            .kv_per_token = kCommonKv},
                                       Card{.name = "slow",
                                            .vram = 24_GiB,
                                            .load_bandwidth = Bytes{1'200'000'000},
                                            .load_overhead = milliseconds(900),
                                            .costs = {.few_rows = {Cost{37}, Cost{40}, Cost{43}, Cost{46}},
                                                      .many_rows = Cost{1},
                                                      .row = Cost{2.2},
                                                      .pair_alone = Cost{0.0005},
                                                      .pair_one = Cost{0.0005},
                                                      .pair_few = Cost{0.0002},
                                                      .pair_tiled = Cost{0.00006},
                                                      .handover = Cost{4},
                                                      .copy = Cost{0.02}},
                                            .file = kCommonFile,
                                            .parameters = kCommonParameters,
                                            .kv_per_token = kCommonKv},
                                       Card{.name = "small",
                                            .vram = 8_GiB,
                                            .load_bandwidth = Bytes{2'500'000'000},
                                            .load_overhead = milliseconds(600),
                                            .costs = {.few_rows = {Cost{19.5}, Cost{21}, Cost{22.5}, Cost{24.5}},
                                                      .many_rows = Cost{0.5},
                                                      .row = Cost{0.6},
                                                      .pair_alone = Cost{0.0003},
                                                      .pair_one = Cost{0.0003},
                                                      .pair_few = Cost{0.00006},
                                                      .pair_tiled = Cost{0.00002},
                                                      .handover = Cost{4},
                                                      .copy = Cost{0.013}},
                                            .file = kCommonFile,
                                            .parameters = kCommonParameters,
                                            .kv_per_token = kCommonKv},
                                       // Llama architecture, 12 layers, 1,024 wide, 4 key-value heads, 8 bits a weight.
                                       // What `drover fit` says to its measurements (docs/engine.md).
                                       Card{.name = "measured",
                                            .vram = 8_GiB,
                                            .load_bandwidth = Bytes{600'000'000},
                                            .load_overhead = milliseconds(250),
                                            .costs = {.few_rows = {Cost{4.99}, Cost{7.65}, Cost{9.60}, Cost{13.02}},
                                                      .many_rows = Cost{10.38},
                                                      .row = Cost{1.582},
                                                      .pair_alone = Cost{0.0143},
                                                      .pair_one = Cost{0.0109},
                                                      .pair_few = Cost{0.00805},
                                                      .pair_tiled = Cost{0.000574},
                                                      .handover = Cost{3.1},
                                                      .copy = Cost{0.0371}},
                                            .file = Bytes{145'000'000},
                                            .parameters = 136'000'000,
                                            .kv_per_token = Bytes{12'288}}};
  return all;
}

const Card* card_named(std::string_view name) {
  const auto found = std::ranges::find(cards(), name, &Card::name);
  return found == cards().end() ? nullptr : &*found;
}

}  // namespace drover::engine
