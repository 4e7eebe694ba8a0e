#include "replay/ideal_cache.h"

#include <algorithm>

#include "base/random.h"
#include "engine/memory.h"

namespace drover::replay {
namespace {

constexpr std::uint32_t kBlock = 16;  // tokens, as sim::Node has them

// The prompt and the answer that a later prompt may contain, but its last token, which no engine reads.
engine::Sequence all_of(const Question& question) {
  engine::Sequence all = question.prompt;
  if (!question.answer_name) return all;
  for (std::uint32_t i = 0; i + 1 < question.answer; ++i) all.emplace_back(answer_token(*question.answer_name, i));
  return all;
}

std::uint64_t scaled(std::uint64_t count, double factor) {
  return static_cast<std::uint64_t>(static_cast<double>(count) * factor);
}

}  // namespace

std::uint64_t InfiniteCache::read(const Question& question) {
  const engine::Sequence all = all_of(question);
  chain_.clear();
  marks_.clear();
  std::uint64_t hash = 0;
  std::size_t since_mark = 0;
  for (const engine::Piece& piece : all) {
    hash = Random(hash * 0xd1342543de82ef95 + piece.hash * 31 + piece.tokens).next();
    chain_.push_back(hash);
    since_mark += piece.tokens;
    if (since_mark < kBlock) continue;
    marks_.push_back(chain_.size());
    since_mark = 0;
  }
  const auto knows = [&](std::size_t pieces) { return known_.contains(chain_[pieces - 1]); };
  // Who knows a beginning knows all shorter ones. Behind the last mark known may lie an end.
  const auto unknown = std::ranges::partition_point(marks_, knows);
  const std::size_t known = unknown == marks_.begin() ? 0 : *std::prev(unknown);
  std::size_t pieces = unknown == marks_.end() ? chain_.size() : *unknown;
  while (pieces > known && !knows(pieces)) --pieces;
  for (auto mark = unknown; mark != marks_.end(); ++mark) known_.insert(chain_[*mark - 1]);
  known_.insert(chain_.back());
  const std::size_t found = engine::token_count({all.begin(), all.begin() + static_cast<std::ptrdiff_t>(pieces)});
  return std::min(found, engine::token_count(question.prompt) - 1);
}

PooledCache::PooledCache(const Fleet& fleet, const sim::ModelSettings& model) : reuse_(model.spec.reuse) {
  const bool in_blocks = fleet.front().engine == engine::EngineKind::vllm;
  for (const sim::NodeSettings& node : fleet) {
    if (std::ranges::none_of(node.models, [&](const auto& held) { return held.spec.weights == model.spec.weights; })) {
      continue;
    }
    const std::uint64_t slots = std::uint64_t{std::min(node.context, model.spec.context)} * node.slots;
    const double cache = node.machine.cache;
    room_ += in_blocks ? scaled(slots, cache) : slots + scaled(engine::host_cache_tokens(model.spec), cache);
  }
  if (!in_blocks) return;
  blocks_ = std::make_unique<engine::BlockCache>(
      1, engine::BlockSettings{.blocks = std::max<std::size_t>(room_ / kBlock, 1), .tokens = kBlock});
}

std::uint64_t PooledCache::read(const Question& question) {
  if (blocks_ == nullptr) return read_sequences(question);
  const auto place = blocks_->place(question.prompt, question.answer);
  blocks_->release(place->slot, all_of(question), engine::token_count(question.prompt));
  return place->cached;
}

std::uint64_t PooledCache::read_sequences(const Question& question) {
  const std::size_t prompt = engine::token_count(question.prompt);
  engine::Remembered now{.sequence = all_of(question), .checkpoint = prompt};
  now.tokens = engine::token_count(now.sequence);
  std::size_t found = 0;
  std::size_t held = now.tokens;
  for (auto each = sequences_.begin(); each != sequences_.end();) {
    found = std::max(found, engine::reusable(*each, question.prompt, prompt, reuse_));
    const bool continued = engine::common_tokens(each->sequence, now.sequence) == each->tokens;
    if (!continued) held += each->tokens;
    each = continued ? sequences_.erase(each) : std::next(each);
  }
  sequences_.push_back(std::move(now));
  for (; held > room_; sequences_.pop_front()) held -= sequences_.front().tokens;
  return found;
}

}  // namespace drover::replay
