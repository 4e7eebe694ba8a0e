#pragma once
// What the makers of GPUs say of them, as far as it tells how fast a language model runs there.

#include <span>
#include <string_view>

namespace drover::gpu {

struct DataSheet {
  std::string_view name;  // as people call it
  double bandwidth;       // of its memory, GB/s: how fast answers are written
  double arithmetic;  // on numbers of 16 bits, summed in 32, none left out as zeros, Tflop/s: how fast prompts are read
};

std::span<const DataSheet> data_sheets();

// By a name as people or drivers write it: `RTX 4090`, `rtx4090`, `NVIDIA GeForce RTX 4090`, `NVIDIA A100-SXM4-80GB`.
// nullptr: nothing is known of such a GPU; what laptops have under the same names is slower and unknown, too.
const DataSheet* find_data_sheet(std::string_view name);

}  // namespace drover::gpu
