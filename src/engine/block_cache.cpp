#include "engine/block_cache.h"

#include <algorithm>

#include "base/check.h"

namespace drover::engine {
namespace {

// The finaliser of SplitMix64 (Steele, Lea, Flood 2014), over the name so far and what comes behind it.
std::uint64_t chain(std::uint64_t name, std::uint64_t next) {
  std::uint64_t mixed = name + 0x9e3779b97f4a7c15 + next;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return mixed ^ (mixed >> 31);
}

}  // namespace

BlockCache::BlockCache(std::uint32_t slots, BlockSettings settings) : settings_(settings), slots_(slots) {
  CHECK(settings.tokens > 0);
}

// The names of the full blocks of the first `tokens` of a sequence, into names_.
void BlockCache::name_blocks(std::span<const Piece> sequence, std::size_t tokens) const {
  names_.clear();
  std::size_t left = tokens / settings_.tokens * settings_.tokens;
  std::uint32_t room = settings_.tokens;
  Name name = 0;
  for (const Piece& piece : sequence) {
    for (std::uint32_t from = 0; from < piece.tokens && left > 0;) {
      const auto taken = static_cast<std::uint32_t>(std::min<std::size_t>({piece.tokens - from, room, left}));
      name = chain(chain(name, piece.hash), (std::uint64_t{from} << 32) + taken);
      from += taken;
      left -= taken;
      room -= taken;
      if (room == 0) {
        names_.push_back(name);
        room = settings_.tokens;
      }
    }
  }
}

void BlockCache::use(Name name) {
  const auto [found, is_new] = blocks_.try_emplace(name);
  Block& block = found->second;
  if (!is_new && block.users == 0) idle_.erase(block.age);
  ++block.users;
}

void BlockCache::leave(Name name, bool remember) {
  const auto found = blocks_.find(name);
  CHECK(found != blocks_.end() && found->second.users > 0);
  if (--found->second.users > 0) return;
  if (remember) {
    found->second.age = idle_.insert(idle_.end(), name);
  } else {
    blocks_.erase(found);
  }
}

void BlockCache::forget_oldest() {
  blocks_.erase(idle_.front());
  idle_.pop_front();
}

std::optional<Placement> BlockCache::place(std::span<const Piece> prompt, std::uint32_t answer) {
  const auto slot = std::ranges::find(slots_, false, &Slot::taken);
  if (slot == slots_.end()) return std::nullopt;
  const std::size_t tokens = token_count(prompt);
  name_blocks(prompt, tokens);
  const std::size_t known = count_known();
  std::size_t known_idle = 0;
  for (std::size_t i = 0; i < known; ++i) known_idle += blocks_.at(names_[i]).users == 0;
  const std::size_t all = std::min((tokens + answer + settings_.tokens - 1) / settings_.tokens, settings_.blocks);
  const std::size_t unnamed = all - std::min(all, names_.size());
  const std::size_t added = std::min(all, names_.size()) - std::min(all, known) + unnamed;
  const std::size_t busy = blocks_in_use() - idle_.size();
  if (busy + known_idle + added > settings_.blocks && busy > 0) return std::nullopt;
  names_.resize(std::min(all, names_.size()));
  slot->taken = true;
  slot->names = names_;
  slot->unnamed = unnamed;
  unnamed_ += unnamed;
  // What it knows is in use before anything is forgotten.
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (i >= known) {
      while (blocks_in_use() >= settings_.blocks && !idle_.empty()) forget_oldest();
    }
    use(names_[i]);
  }
  while (blocks_in_use() > settings_.blocks && !idle_.empty()) forget_oldest();
  return Placement{.slot = static_cast<std::uint32_t>(slot - slots_.begin()),
                   .cached = static_cast<std::uint32_t>(found_tokens(known, tokens))};
}

std::size_t BlockCache::known(std::span<const Piece> prompt) const {
  const std::size_t tokens = token_count(prompt);
  name_blocks(prompt, tokens);
  return found_tokens(count_known(), tokens);
}

// Of names_, from the beginning.
std::size_t BlockCache::count_known() const {
  std::size_t known = 0;
  while (known < names_.size() && blocks_.contains(names_[known])) ++known;
  return known;
}

// The last token is always read, and with it its block.
std::size_t BlockCache::found_tokens(std::size_t blocks, std::size_t prompt) const {
  return std::min(blocks * settings_.tokens, (prompt - 1) / settings_.tokens * settings_.tokens);
}

void BlockCache::release(std::uint32_t index, Sequence held, std::size_t) {
  Slot& slot = slots_[index];
  CHECK(slot.taken);
  name_blocks(held, token_count(held));
  unnamed_ -= slot.unnamed;
  // Those of the answer have a name now.
  for (std::size_t i = slot.names.size(); i < names_.size() && blocks_in_use() < settings_.blocks; ++i) {
    use(names_[i]);
    slot.names.push_back(names_[i]);
  }
  // The end of a sequence goes before its beginning, which more sequences share. What was never computed is no memory.
  for (std::size_t i = slot.names.size(); i-- > 0;) leave(slot.names[i], i < names_.size());
  slot = {};
}

}  // namespace drover::engine
