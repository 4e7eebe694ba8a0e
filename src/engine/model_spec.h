#pragma once
// A model as an engine sees it: what its weights weigh, what a token of context costs, what it can do.

#include <compare>
#include <cstdint>
#include <string>

#include "base/units.h"

namespace drover::engine {

struct Capabilities {
  bool completion = false;
  bool tools = false;
  bool thinking = false;
  bool vision = false;
  bool embedding = false;
  bool insert = false;
  friend bool operator==(const Capabilities&, const Capabilities&) = default;
};

// What of an earlier prompt a model can use again: any common beginning, or (layers that attend to a sliding window)
// only a whole earlier conversation that the new prompt continues.
enum class PrefixReuse : std::uint8_t { any, continuation };

struct ModelSpec {
  std::string name;     // with its tag, as listings show it
  std::string weights;  // 64 hex digits: the digest of the weights. Models with equal weights share one runner
  Bytes file;           // what a load reads, and what the weights take in memory
  std::uint64_t parameters = 0;
  std::uint32_t layers = 0;
  std::uint32_t context = 0;    // tokens it was trained for
  std::uint32_t embedding = 0;  // width of its vectors
  Bytes kv_per_token;           // of context, all layers together
  std::string family;           // "llama"
  std::string parameter_size;   // "3.2B"
  std::string quantization;     // "Q4_K_M"
  Capabilities capabilities;
  PrefixReuse reuse = PrefixReuse::any;
};

}  // namespace drover::engine
