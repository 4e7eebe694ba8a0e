#pragma once
// What an agent beside a node says of its GPUs: GET /v1/node, read without trust.
//
//     {"gpus":[{"name":"NVIDIA H200","busy":0.42,"memory_free":61203283968,"memory_total":150754820096}]}
//
// `busy`: the part of the time in which the GPU worked lately, from 0 to 1. Memory in bytes.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/units.h"

namespace drover::fleet {

inline constexpr std::size_t kMaxGpus = 64;        // of a node
inline constexpr std::size_t kMaxGpuName = 128;    // bytes
inline constexpr Bytes kMaxGpuMemory{1ULL << 50};  // of one
inline constexpr Bytes kMaxAgentAnswer{64 * 1024};

struct Gpu {
  std::string name;
  double busy = 0;
  Bytes memory_free;
  Bytes memory_total;  // above 0
  friend bool operator==(const Gpu&, const Gpu&) = default;
};

struct AgentReport {
  std::vector<Gpu> gpus;  // at least one
  Mono at{};              // when it came

  // Of the node. A model that is spread over GPUs uses all of them, so what counts is how busy they are on average.
  double busy() const;
  Bytes memory_free() const;
  Bytes memory_total() const;
  friend bool operator==(const AgentReport&, const AgentReport&) = default;
};

// Errors (protocol): anything that is not as above, or a bound is passed; one bad GPU makes the report a bad one, and
// the error says which and what was seen. Other members are for later versions and are passed over.
Result<AgentReport> parse_agent_answer(std::string_view body);

}  // namespace drover::fleet
