#include "engine/slot_cache.h"

#include <algorithm>

namespace drover::engine {
namespace {

// llama-server's own thresholds. A slot is similar that knows more than this share of the prompt.
constexpr double kSimilar = 0.1;
// A similar slot of whose memory less than this share would stay is treated like one chosen for its age.
constexpr double kWorthKeeping = 0.5;
// A sequence in the host's memory is left there if less than this share of it would be used.
constexpr double kWorthLoading = 0.25;
// Models with a sliding window: a checkpoint lies four tokens before the end of a prompt, and one token is read again.
constexpr std::size_t kCheckpointGap = 5;

double share(std::size_t part, std::size_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

std::size_t reusable(const Remembered& known, std::span<const Piece> prompt, std::size_t tokens, PrefixReuse reuse) {
  if (prompt.empty()) return 0;
  const std::size_t common = std::min(common_tokens(known.sequence, prompt), tokens - 1);
  switch (reuse) {
    case PrefixReuse::any: return common;
    case PrefixReuse::continuation: return common >= known.checkpoint ? known.checkpoint : 0;
  }
}

void HostCache::forget(std::size_t index) {
  tokens_ -= sequences_[index].tokens;
  sequences_.erase(sequences_.begin() + static_cast<std::ptrdiff_t>(index));
}

bool HostCache::save(const Remembered& sequence) {
  if (sequence.tokens == 0 || sequence.tokens > limit_) return false;
  for (std::size_t i = sequences_.size(); i-- > 0;) {
    const std::size_t common = common_tokens(sequences_[i].sequence, sequence.sequence);
    if (common == sequence.tokens) return false;
    if (common == sequences_[i].tokens) forget(i);
  }
  tokens_ += sequence.tokens;
  sequences_.push_back(sequence);
  while (tokens_ > limit_) forget(0);
  return true;
}

bool HostCache::load(Remembered& slot, std::span<const Piece> prompt) {
  std::size_t most = common_tokens(slot.sequence, prompt);
  double kept = share(most, slot.tokens);
  std::size_t best = sequences_.size();
  for (std::size_t i = 0; i < sequences_.size(); ++i) {
    const std::size_t common = common_tokens(sequences_[i].sequence, prompt);
    const double would_keep = share(common, sequences_[i].tokens);
    if (would_keep < kWorthLoading || would_keep <= kept || common <= most) continue;
    most = common;
    kept = would_keep;
    best = i;
  }
  if (best == sequences_.size()) return false;
  slot = sequences_[best];
  forget(best);
  return true;
}

std::size_t HostCache::known(std::span<const Piece> prompt, std::size_t tokens, PrefixReuse reuse) const {
  std::size_t most = 0;
  for (const Remembered& sequence : sequences_) {
    const std::size_t common = common_tokens(sequence.sequence, prompt);
    if (share(common, sequence.tokens) >= kWorthLoading)
      most = std::max(most, reusable(sequence, prompt, tokens, reuse));
  }
  return most;
}

SlotCache::SlotCache(std::uint32_t slots, PrefixReuse reuse, std::size_t host_tokens)
    : slots_(slots), reuse_(reuse), host_(host_tokens) {}

// The free slot that knows most of the prompt; if none is similar, the one not used for the longest time, of those
// never used the last.
std::optional<SlotCache::Choice> SlotCache::choose(std::span<const Piece> prompt, std::size_t tokens) const {
  std::optional<std::uint32_t> similar;
  std::optional<std::uint32_t> oldest;
  double most = kSimilar;
  for (std::uint32_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    if (slot.taken) continue;
    if (!oldest || slot.last_used <= slots_[*oldest].last_used) oldest = i;
    const double known = share(common_tokens(slot.memory.sequence, prompt), tokens);
    if (known > most) {
      most = known;
      similar = i;
    }
  }
  if (similar) return Choice{*similar, true};
  if (oldest) return Choice{*oldest, false};
  return std::nullopt;
}

std::optional<Placement> SlotCache::place(std::span<const Piece> prompt, std::uint32_t) {
  const std::size_t tokens = token_count(prompt);
  const auto choice = choose(prompt, tokens);
  if (!choice) return std::nullopt;
  Slot& slot = slots_[choice->slot];
  Placement placement{.slot = choice->slot};
  const std::size_t common = common_tokens(slot.memory.sequence, prompt);
  if (!choice->similar || share(common, slot.memory.tokens) < kWorthKeeping) {
    if (host_.save(slot.memory)) placement.copied += slot.memory.tokens;
    host_.load(slot.memory, prompt);
  }
  slot.taken = true;
  // Whoever begins has the idle slots saved, lest another takes them.
  for (const Slot& idle : slots_) {
    if (!idle.taken && host_.save(idle.memory)) placement.copied += idle.memory.tokens;
  }
  placement.cached = static_cast<std::uint32_t>(reusable(slot.memory, prompt, tokens, reuse_));
  return placement;
}

void SlotCache::release(std::uint32_t slot, Sequence held, std::size_t prompt) {
  const std::size_t tokens = token_count(held);
  slots_[slot] = {.taken = false,
                  .memory = {.sequence = std::move(held),
                             .tokens = tokens,
                             .checkpoint = prompt > kCheckpointGap ? prompt - kCheckpointGap : 0},
                  .last_used = ++releases_};
}

std::size_t SlotCache::known(std::span<const Piece> prompt) const {
  const std::size_t tokens = token_count(prompt);
  std::size_t most = host_.known(prompt, tokens, reuse_);
  for (const Slot& slot : slots_) {
    if (!slot.taken) most = std::max(most, reusable(slot.memory, prompt, tokens, reuse_));
  }
  return most;
}

}  // namespace drover::engine
