// What peers make the gateway hold stays within the settings, for one answer and for all; at rest it holds nothing.

#include <fmt/format.h>

#include "world/oracles.h"

namespace drover::world {
namespace {

class Memory final : public Witness {
 public:
  explicit Memory(Court& court) : court_(court) {}

  void looked(const Look& look) override {
    const Bytes cap = court_.plan.settings.limits.buffers.value_or(1_GiB);
    if (look.buffered > cap) {
      court_.complain("memory", fmt::format("{} bytes are buffered, {} may be", look.buffered.value, cap.value));
    }
    // The last read of the node, its framing, and the head come on top.
    constexpr std::size_t kLastRead = 72 * 1024;
    const std::size_t most = court_.plan.settings.limits.stream_buffer.value + kLastRead;
    if (look.most_unsent > most && look.most_unsent > kWhole) {
      court_.complain("memory", fmt::format("{} bytes are kept for one client, {} may be", look.most_unsent, most));
    }
  }

 private:
  static constexpr std::size_t kWhole = 128 * 1024;  // answers of our own, listings above all, are written at once
  Court& court_;
};

}  // namespace

std::unique_ptr<Witness> make_memory(Court& court) { return std::make_unique<Memory>(court); }

}  // namespace drover::world
