#include "fleet/agent_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"

namespace drover::fleet {
namespace {

Error bad(std::string_view what) {
  return Error{ErrorCode::protocol, Side::upstream, fmt::format("the agent's report is wrong: {}", what)};
}

// What stands there, for people; cut.
std::string seen(const Json* value) { return value == nullptr ? "missing" : to_text(*value).substr(0, 40); }

// A whole number of bytes up to the bound.
std::optional<Bytes> read_memory(const Json* value) {
  if (value == nullptr || !value->is_number_unsigned()) return std::nullopt;
  const Bytes bytes{value->get<std::uint64_t>()};
  return bytes <= kMaxGpuMemory ? std::optional(bytes) : std::nullopt;
}

bool is_shown(char c) { return c >= ' ' && c < '\x7f'; }

Result<Gpu> read_gpu(const Json& object, std::size_t index) {
  const auto wrong = [&](std::string_view key, std::string_view expected) {
    return bad(fmt::format("gpus[{}].{} is {}; expected {}", index, key, seen(member(object, key)), expected));
  };
  Gpu gpu{.name = std::string(text_at(object, "name")),
          .busy = number_at(object, "busy", -1),
          .memory_free = {},
          .memory_total = {}};
  if (gpu.name.empty() || gpu.name.size() > kMaxGpuName || !std::ranges::all_of(gpu.name, is_shown)) {
    return wrong("name", "a short text");
  }
  if (!(gpu.busy >= 0 && gpu.busy <= 1)) return wrong("busy", "a number from 0 to 1");
  const auto total = read_memory(member(object, "memory_total"));
  if (!total || *total == Bytes{}) return wrong("memory_total", "bytes, above 0");
  const auto free = read_memory(member(object, "memory_free"));
  if (!free || *free > *total) return wrong("memory_free", "bytes, at most memory_total");
  gpu.memory_total = *total;
  gpu.memory_free = *free;
  return gpu;
}

}  // namespace

double AgentReport::busy() const {
  double sum = 0;
  for (const Gpu& gpu : gpus) sum += gpu.busy;
  return sum / static_cast<double>(gpus.size());
}

Bytes AgentReport::memory_free() const {
  Bytes sum;
  for (const Gpu& gpu : gpus) sum += gpu.memory_free;
  return sum;
}

Bytes AgentReport::memory_total() const {
  Bytes sum;
  for (const Gpu& gpu : gpus) sum += gpu.memory_total;
  return sum;
}

Result<AgentReport> parse_agent_answer(std::string_view body) {
  const auto answer = parse_json(body);
  const Json* list = answer ? member(*answer, "gpus") : nullptr;
  if (list == nullptr || !list->is_array() || list->empty()) return bad("no JSON object with an array `gpus`");
  if (list->size() > kMaxGpus) return bad(fmt::format("{} gpus; expected {} at most", list->size(), kMaxGpus));
  AgentReport report;
  for (const Json& object : *list) {
    auto gpu = read_gpu(object, report.gpus.size());
    if (!gpu) return gpu.error();
    report.gpus.push_back(std::move(*gpu));
  }
  return report;
}

}  // namespace drover::fleet
