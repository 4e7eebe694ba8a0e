#include "balance/context.h"

namespace drover::balance {

void RunnerContext::saw(std::uint64_t tokens, const std::optional<LoadNeed>& loaded) {
  tokens_ = tokens;
  if (tokens > most_) most_ = 0;
  if (!loaded || tokens == 0) return;
  if (loaded->context == 0) own_ = tokens;
  if (tokens < loaded->context) most_ = tokens;
}

bool RunnerContext::suffices(const std::optional<LoadNeed>& loaded, LoadNeed wanted, ContextRule rule) const {
  const LoadNeed had = loaded.value_or(LoadNeed{});
  if (rule == ContextRule::as_sent) return had == wanted;
  if (had.fingerprint != wanted.fingerprint) return false;
  if (wanted.context == 0) return had.context == 0 || has(loaded) == own_;
  return has(loaded) >= bounded(wanted.context);
}

std::uint64_t RunnerContext::has(const std::optional<LoadNeed>& loaded) const {
  if (tokens_ != 0 || !loaded) return tokens_;
  return loaded->context == 0 ? own_ : bounded(loaded->context);
}

ContextFit RunnerContext::fit(const std::optional<LoadNeed>& loaded, LoadNeed wanted, ContextRule rule) const {
  if (wanted.context == 0) return {};
  ContextFit fit{.tokens = has(loaded)};
  if (rule == ContextRule::as_sent || bounded(wanted.context) == tokens_) return fit;
  const bool is_own = loaded ? loaded->context == 0 : tokens_ == own_;
  const std::uint64_t keeps = is_own ? 0 : loaded ? loaded->context : tokens_;
  if (keeps != wanted.context) fit.num_ctx = keeps;
  return fit;
}

LoadNeed RunnerContext::to_load(LoadNeed wanted, ContextRule rule) const {
  if (rule == ContextRule::fit && own_ != 0 && own_ >= bounded(wanted.context)) wanted.context = 0;
  return wanted;
}

}  // namespace drover::balance
