#pragma once
// One request of a trace: when it came and how large it was. No trace has its text.

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/units.h"

namespace drover::traces {

// A piece of a prompt that may come again. Two prompts that begin with the same blocks begin with the same text.
using BlockId = std::uint64_t;

struct Request {
  Duration at{};  // since the trace's first request
  Tokens prompt;
  Tokens answer;
  // Of the prompt, from its beginning, `block_tokens` each; the last one may be shorter. Empty: the trace does not say,
  // and no two prompts have anything in common.
  std::vector<BlockId> blocks{};
  Tokens block_tokens{};
  // Which model, who asked, and in which conversation; empty: the trace does not say.
  std::string model{};
  std::string tenant{};
  std::string session{};

  friend bool operator==(const Request&, const Request&) = default;
};

}  // namespace drover::traces
