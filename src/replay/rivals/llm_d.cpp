// The nodes that know at least 80 % of the prompt, until they are 18 s of reading behind the others; among those the
// one with the least left to read: llm-d's approximate prefix index (llm-d-router, prefixhash: 31,250 blocks a node)
// and its 'sticky until saturated' with the shipped calibration of 15,928 tokens/s, in the variant for prompts that
// bound.
#include <algorithm>
#include <limits>
#include <map>
#include <unordered_map>

#include "replay/rivals/prefix_memory.h"
#include "replay/rivals/rival.h"

namespace drover::replay {
namespace {

constexpr std::size_t kBlocks = 31'250;
constexpr double kWarm = 0.8;
constexpr double kReadPerSecond = 15'928;  // tokens
constexpr double kSaturated = 18;          // seconds

class LlmD final : public Rival {
 public:
  std::optional<std::size_t> pick(const Call& call, std::span<const Backend> backends, Mono, Random&) override {
    const double tokens = static_cast<double>(call.bytes) / kBytesPerToken;
    std::vector<Choice> choices;
    for (const Backend& backend : backends) {
      const double hit = indexes_.of(call.model, backend.node).share(call.prefix);
      choices.push_back({.hit = hit, .unread = unread_[backend.node], .left = tokens * (1 - hit)});
    }
    const auto warm = [](const Choice& choice) { return choice.hit >= kWarm; };
    const double least_warm = least(choices, warm);
    const double least_of_all = least(choices, [](const Choice&) { return true; });
    const bool sticky = std::ranges::any_of(choices, warm) && least_warm - least_of_all <= kSaturated * kReadPerSecond;
    std::optional<std::size_t> best;
    for (std::size_t i = 0; i < choices.size(); ++i) {
      if (sticky && !warm(choices[i])) continue;
      if (!best || choices[i].unread + choices[i].left < choices[*best].unread + choices[*best].left) best = i;
    }
    const std::size_t node = backends[*best].node;
    indexes_.of(call.model, node).remember(call.prefix);
    unread_[node] += choices[*best].left;
    reading_[call.request] = choices[*best].left;
    return best;
  }

  void first_token(std::size_t request, std::size_t node) override { stop_reading(request, node); }
  void ended(const Answered& answer) override { stop_reading(answer.request, answer.node); }

 private:
  struct Choice {
    double hit;     // share of the prompt that is known there
    double unread;  // tokens of others that are to be read there
    double left;    // tokens of this prompt that would be
  };

  template <typename Admit>
  static double least(std::span<const Choice> choices, Admit admit) {
    double unread = std::numeric_limits<double>::infinity();
    for (const Choice& choice : choices) {
      if (admit(choice)) unread = std::min(unread, choice.unread);
    }
    return unread;
  }
  void stop_reading(std::size_t request, std::size_t node) {
    const auto found = reading_.find(request);
    if (found == reading_.end()) return;
    unread_[node] -= found->second;
    reading_.erase(found);
  }

  PrefixMemories indexes_{kBlocks};
  std::map<std::size_t, double> unread_;             // tokens in flight, by node
  std::unordered_map<std::size_t, double> reading_;  // of those, by request
};

}  // namespace

std::unique_ptr<Rival> make_llm_d() { return std::make_unique<LlmD>(); }

}  // namespace drover::replay
