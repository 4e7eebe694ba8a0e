#include "engine/card.h"

#include <algorithm>
#include <array>

namespace drover::engine {
namespace {

Cost decode_cost(const std::vector<Cost>& table, std::uint32_t slots) {
  if (slots == 0 || table.empty()) return Cost{};
  if (slots <= table.size()) return table[slots - 1];
  const Cost growth = table.size() > 1 ? table.back() - table[table.size() - 2] : table.back();
  return table.back() + growth * static_cast<double>(slots - table.size());
}

double ratio(Bytes a, Bytes b) { return static_cast<double>(a.value) / static_cast<double>(b.value); }

// The reference of the cards for people's models: an 8B model of 4 bits a weight.
constexpr Bytes kCommonFile{4'920'000'000};
constexpr std::uint64_t kCommonParameters = 8'030'000'000;
constexpr Bytes kCommonKv{131'072};

}  // namespace

Duration step_time(const StepCosts& costs, const StepWork& work) {
  const Cost cost =
      costs.base + decode_cost(costs.decode, work.decoding) + costs.context * static_cast<double>(work.contexts) +
      costs.prompt * static_cast<double>(work.prompt_tokens) + costs.prompt_context * static_cast<double>(work.pairs);
  return std::max(Duration{1}, std::chrono::duration_cast<Duration>(cost));
}

StepCosts costs_on(const Card& card, const ModelSpec& model) {
  const double weights = ratio(model.file, card.file);
  const double arithmetic = static_cast<double>(model.parameters) / static_cast<double>(card.parameters);
  const double attention = ratio(model.kv_per_token, card.kv_per_token);
  StepCosts costs = card.costs;
  for (Cost& cost : costs.decode) cost *= weights;
  costs.context *= attention;
  costs.prompt *= arithmetic;
  costs.prompt_context *= attention;
  return costs;
}

std::span<const Card> cards() {
  using std::chrono::milliseconds;
  static const std::array<Card, 4> all{Card{.name = "fast",
                                            .vram = 80_GiB,
                                            .load_bandwidth = Bytes{5'000'000'000},
                                            .load_overhead = milliseconds(400),
                                            .costs = {.base = Cost{0.3},
                                                      .decode = {Cost{6.5}, Cost{6.8}, Cost{7.1}, Cost{7.4}},
                                                      .context = Cost{0.00007},
                                                      .prompt = Cost{0.12},
                                                      .prompt_context = Cost{0.000003}},
                                            .file = kCommonFile,
                                            .parameters = kCommonParameters,
                                            .kv_per_token = kCommonKv},
                                       Card{.name = "slow",
                                            .vram = 24_GiB,
                                            .load_bandwidth = Bytes{1'200'000'000},
                                            .load_overhead = milliseconds(900),
                                            .costs = {.base = Cost{1},
                                                      .decode = {Cost{36}, Cost{39}, Cost{42}, Cost{45}},
                                                      .context = Cost{0.0005},
                                                      .prompt = Cost{2.2},
                                                      .prompt_context = Cost{0.00006}},
                                            .file = kCommonFile,
                                            .parameters = kCommonParameters,
                                            .kv_per_token = kCommonKv},
                                       Card{.name = "small",
                                            .vram = 8_GiB,
                                            .load_bandwidth = Bytes{2'500'000'000},
                                            .load_overhead = milliseconds(600),
                                            .costs = {.base = Cost{0.5},
                                                      .decode = {Cost{19}, Cost{20.5}, Cost{22}, Cost{24}},
                                                      .context = Cost{0.0003},
                                                      .prompt = Cost{0.6},
                                                      .prompt_context = Cost{0.00002}},
                                            .file = kCommonFile,
                                            .parameters = kCommonParameters,
                                            .kv_per_token = kCommonKv},
                                       // Llama architecture, 12 layers, 1,024 wide, 4 key-value heads, 8 bits a weight.
                                       Card{.name = "measured",
                                            .vram = 8_GiB,
                                            .load_bandwidth = Bytes{600'000'000},
                                            .load_overhead = milliseconds(250),
                                            .costs = {.decode = {Cost{5.8}, Cost{8.7}, Cost{11.9}, Cost{12.9}},
                                                      .context = Cost{0.0114},
                                                      .prompt = Cost{1.61},
                                                      .prompt_context = Cost{0.00058}},
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
