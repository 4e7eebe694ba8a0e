#include "engine/presets.h"

#include <algorithm>
#include <chrono>
#include <iterator>

#include "gpu/data_sheet.h"

namespace drover::engine {
namespace {

// The reference of the cards for people's models: an 8B model of 4 bits a weight, 32 layers, 4,096 wide.
constexpr Bytes kCommonFile{4'920'000'000};
constexpr std::uint64_t kCommonParameters = 8'030'000'000;
constexpr Bytes kCommonKv{131'072};
constexpr double kPairOperations = 4.0 * 4096 * 32;  // two products of the width in each layer

// Guesses of the right order of magnitude, and the machine of the measurements.
std::vector<Card> own_cards() {
  using std::chrono::milliseconds;
  return {Card{.name = "fast",
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
}

// A machine with a card that people have. What no data sheet says, how much of its figures an engine reaches, is taken
// to be the same for all: these are estimates, and nobody has measured them.
struct Machine {
  std::string_view name;  // by which gpu/data_sheet.h finds the card, too
  Bytes memory;           // that the GPU may use
  double bus;             // to the host's memory, GB/s
  double storage;         // GB/s
};
constexpr Machine kMachines[] = {
    {"rtx3090", 24_GiB, 25, 3},   {"rtx4090", 24_GiB, 25, 3},  {"rtx5090", 32_GiB, 50, 3}, {"l4", 24_GiB, 25, 3},
    {"l40s", 48_GiB, 25, 5},      {"a100-80g", 80_GiB, 25, 5}, {"h100", 80_GiB, 50, 5},    {"rx7900xtx", 24_GiB, 25, 3},
    {"m2-ultra", 48_GiB, 100, 5},  // 64 GB, of which the system leaves three quarters
};

constexpr double kReached = 0.8;      // of the bandwidth
constexpr double kCalculated = 0.5;   // of the arithmetic
constexpr Cost kLaunches{2.5};        // of the kernels of a step
constexpr double kAnotherRow = 1.05;  // what a step costs with one row more, while memory bounds it
constexpr double kFewRows = 3;        // what a pair costs in a pass too small for tiles, in pairs of a tile

Cost time_of(double amount, double per_second) { return std::chrono::duration<double>(amount / per_second); }

Card estimated(const Machine& machine) {
  const gpu::DataSheet& sheet = *gpu::find_data_sheet(machine.name);
  const double bandwidth = kReached * sheet.bandwidth * 1e9;
  const double arithmetic = kCalculated * sheet.arithmetic * 1e12;
  const auto kv = static_cast<double>(kCommonKv.value);
  StepCosts costs{.many_rows = Cost{0.5},
                  .row = time_of(2.0 * static_cast<double>(kCommonParameters), arithmetic),
                  .pair_alone = time_of(kv, bandwidth),
                  .pair_one = time_of(kv, bandwidth),
                  .pair_few = kFewRows * time_of(kPairOperations, arithmetic),
                  .pair_tiled = time_of(kPairOperations, arithmetic),
                  .handover = Cost{4},
                  .copy = time_of(kv, machine.bus * 1e9)};
  Cost weights = kLaunches + time_of(static_cast<double>(kCommonFile.value), bandwidth);
  for (int rows = 1; rows <= 4; ++rows, weights *= kAnotherRow) costs.few_rows.push_back(weights);
  return {.name = machine.name,
          .vram = machine.memory,
          .load_bandwidth = Bytes{static_cast<std::uint64_t>(machine.storage * 1e9)},
          .load_overhead = std::chrono::milliseconds(500),
          .costs = std::move(costs),
          .file = kCommonFile,
          .parameters = kCommonParameters,
          .kv_per_token = kCommonKv};
}

}  // namespace

std::vector<Card> preset_cards() {
  std::vector<Card> cards = own_cards();
  std::ranges::transform(kMachines, std::back_inserter(cards), estimated);
  return cards;
}

}  // namespace drover::engine
