#include "engine/memory.h"

#include <algorithm>
#include <tuple>

namespace drover::engine {
namespace {

// Layers in the host's memory run this much slower than on the card: its memory is about that much slower.
constexpr double kHostSlowdown = 12;

constexpr Bytes kHostCache = 8_GiB;

constexpr Bytes kLargeCard = 47_GiB;
constexpr Bytes kMiddleCard = 23_GiB;

}  // namespace

Bytes size_in_memory(const ModelSpec& model, std::uint32_t context, std::uint32_t slots) {
  return model.file + Bytes{model.kv_per_token.value * context * slots};
}

bool fits(Bytes size, Bytes free) { return size.value <= free.value / 10 * 8; }

Bytes placed(Bytes size, Bytes free) {
  return fits(size, free) ? size : Bytes{std::min(size.value, free.value / 10 * 8)};
}

double slowdown(Bytes size, Bytes on_card) {
  if (size.value == 0 || on_card >= size) return 1;
  const double share = static_cast<double>(on_card.value) / static_cast<double>(size.value);
  return share + (1 - share) * kHostSlowdown;
}

std::size_t host_cache_tokens(const ModelSpec& model) {
  return kHostCache.value / std::max<std::uint64_t>(model.kv_per_token.value, 1);
}

Duration load_time(const Card& card, const ModelSpec& model) {
  const double reading = static_cast<double>(model.file.value) / static_cast<double>(card.load_bandwidth.value);
  return card.load_overhead + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(reading));
}

std::uint32_t default_context(Bytes vram, const ModelSpec& model) {
  const std::uint32_t tier = vram >= kLargeCard ? 262'144 : vram >= kMiddleCard ? 32'768 : 4'096;
  return std::min(tier, model.context);
}

std::optional<std::size_t> pick_victim(std::span<const Resident> residents) {
  const auto order = [](const Resident& each) { return std::tuple(!each.idle, each.keep_alive, each.weights); };
  const auto found = std::ranges::min_element(residents, {}, order);
  if (found == residents.end()) return std::nullopt;
  return static_cast<std::size_t>(found - residents.begin());
}

}  // namespace drover::engine
