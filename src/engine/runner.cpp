#include "engine/runner.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/check.h"
#include "engine/block_cache.h"
#include "engine/slot_cache.h"

namespace drover::engine {
namespace {

// Tokens at the start of a context that a shift keeps (Ollama's num_keep).
constexpr std::size_t kKept = 4;
// No step is free, so that time moves.
constexpr Cost kLeastStep{1e-6};

std::unique_ptr<PromptCache> make_cache(const RunnerSettings& settings) {
  switch (settings.kind) {
    case EngineKind::llama_cpp: return std::make_unique<SlotCache>(settings.slots, settings.reuse, settings.host_cache);
    case EngineKind::vllm:
      return std::make_unique<BlockCache>(settings.slots,
                                          BlockSettings{.blocks = settings.blocks, .tokens = settings.block_tokens});
  }
}

// The first `tokens` of a sequence; a piece that is not whole is left out.
void cut_sequence(Sequence& sequence, std::size_t tokens) {
  std::size_t count = 0;
  const auto end = std::ranges::find_if(sequence, [&](const Piece& piece) { return (count += piece.tokens) > tokens; });
  sequence.erase(end, sequence.end());
}

}  // namespace

Mono Runner::Stretch::end(std::uint32_t count) const {
  const double n = count;
  return begin + to_duration(first * n + growth * (n * (n - 1) / 2));
}

std::uint32_t Runner::Stretch::begun(Mono at) const {
  std::uint32_t low = 0;
  for (std::uint32_t high = steps; low < high;) {
    const std::uint32_t middle = low + (high - low) / 2;
    end(middle) < at ? low = middle + 1 : high = middle;
  }
  return low;
}

Runner::Runner(StepCosts costs, RunnerSettings settings)
    : costs_(std::move(costs)), settings_(settings), cache_(make_cache(settings)), slots_(settings.slots) {
  CHECK(settings.slots > 0 && settings.batch > settings.slots && settings.context > kKept);
}

std::size_t Runner::running() const {
  const auto cancelled = std::ranges::count_if(active_, [&](std::uint32_t index) { return slots_[index].cancelled; });
  return arriving_.size() + active_.size() - static_cast<std::size_t>(cancelled);
}

bool Runner::slot_free() const { return active_.size() + arriving_.size() + leaked_ < slots_.size(); }

Mono Runner::next_event() const {
  if (stretch_.steps == 0) return wake_;
  return stretch_.end(settings_.every_token ? stretch_.done + 1 : stretch_.steps);
}

void Runner::submit(Job job, Mono now) {
  CHECK(!job.prompt.empty());
  Waiter waiter{.job = std::move(job), .since = now};
  if (!slot_free()) return waiters_.push_back(std::move(waiter));
  enter(std::move(waiter), now);
  if (stretch_.steps == 0 && wake_ <= now) begin(now);
}

// The way to a slot takes time twice: until the runner knows of the job, and, if nothing else runs, until it begins.
// Whoever comes between the two begins with it.
void Runner::enter(Waiter waiter, Mono now) {
  const Duration half = to_duration(costs_.handover * pace_ / 2);
  waiter.enters = now + half;
  if (stretch_.steps == 0) {
    wake_ = std::min(wake_, waiter.enters + half);
  } else {
    cut(waiter.enters);
  }
  arriving_.push_back(std::move(waiter));
}

bool Runner::cancel(JobId id, Mono now) {
  const auto is_it = [&](const Waiter& each) { return each.job.id == id; };
  if (const auto waiter = std::ranges::find_if(waiters_, is_it); waiter != waiters_.end()) {
    waiters_.erase(waiter);
    return true;
  }
  if (const auto waiter = std::ranges::find_if(arriving_, is_it); waiter != arriving_.end()) {
    arriving_.erase(waiter);
    if (!waiters_.empty()) {
      enter(std::move(waiters_.front()), now);
      waiters_.pop_front();
    }
    return true;
  }
  for (const std::uint32_t index : active_) {
    Slot& slot = slots_[index];
    if (slot.cancelled || slot.job.id != id) continue;
    slot.cancelled = true;
    cut(now);
    return true;
  }
  return false;
}

void Runner::set_pace(double factor, Mono now) {
  if (factor == pace_) return;
  pace_ = factor;
  if (stretch_.steps > 0) cut(now);
}

// The present stretch ends with the step in work at `at`.
void Runner::cut(Mono at) {
  stretch_.steps = std::clamp(stretch_.begun(at), std::min(stretch_.done + 1, stretch_.steps), stretch_.steps);
}

void Runner::advance(Mono now, std::vector<RunnerEvent>& events) {
  while (true) {
    if (stretch_.steps == 0) {
      if (wake_ > now) return;
      begin(wake_);
    } else {
      if (!take_steps(now, events)) return;
      end_stretch(events);
      begin(stretch_.end(stretch_.steps));
    }
  }
}

void Runner::admit(Mono now) {
  while (!arriving_.empty() && arriving_.front().enters <= now) {
    Waiter& waiter = arriving_.front();
    Job& job = waiter.job;
    const auto place = cache_->place(job.prompt, job.answer);
    if (!place) return;
    const std::uint32_t cached = job.cached.value_or(place->cached);
    const auto tokens = static_cast<std::uint32_t>(token_count(job.prompt));
    CHECK(cached < tokens);
    copying_ += costs_.copy * static_cast<double>(place->copied);
    slots_[place->slot] = {
        .job = std::move(job),
        .usage = {.prompt = tokens, .cached = cached, .waited = now - waiter.since},
        .read = cached,
        .context = cached,
        .since = now,
    };
    active_.insert(std::ranges::lower_bound(active_, place->slot), place->slot);
    arriving_.pop_front();
  }
}

void Runner::begin(Mono now) {
  admit(now);
  stretch_ = {};
  wake_ = kNever;
  if (active_.empty()) {
    if (!arriving_.empty()) wake_ = arriving_.front().enters + to_duration(costs_.handover * pace_ / 2);
    return;
  }
  stretch_.begin = now + to_duration(std::exchange(copying_, Cost{}) * pace_);
  const bool reading =
      std::ranges::any_of(active_, [&](std::uint32_t index) { return slots_[index].state == State::reading; });
  reading ? plan_reading() : plan_decoding();
  stretch_.first = std::max(kLeastStep, step_cost(costs_, passes(), settings_.batch, rows_) * pace_);
  stretch_.growth *= pace_;
  if (!arriving_.empty() && arriving_.front().enters > now) cut(arriving_.front().enters);
}

// One step that takes a token of whoever decodes, and fills its batch with prompts in order of the slots.
void Runner::plan_reading() {
  rows_.clear();
  for (const std::uint32_t index : active_) {
    const Slot& slot = slots_[index];
    if (slot.state == State::decoding) rows_.push_back({.slot = index, .rows = 1, .context = slot.context});
  }
  auto room = settings_.batch - static_cast<std::uint32_t>(rows_.size());
  for (const std::uint32_t index : active_) {
    Slot& slot = slots_[index];
    if (slot.state == State::decoding) continue;
    slot.reading = std::min(slot.usage.prompt - slot.read, room);
    room -= slot.reading;
    rows_.push_back({.slot = index, .rows = slot.reading, .context = slot.context});
  }
  stretch_.steps = 1;
}

// As many steps as it takes until a job ends, a context is full, or begins to cost otherwise.
void Runner::plan_decoding() {
  rows_.clear();
  stretch_.steps = std::numeric_limits<std::uint32_t>::max();
  for (std::size_t i = 0; i < active_.size(); ++i) {
    const std::uint32_t index = active_[i];
    const Slot& slot = slots_[index];
    rows_.push_back({.slot = index, .rows = 1, .context = slot.context});
    const auto room = static_cast<std::uint32_t>(settings_.context - slot.context);
    const bool near = slot.context < kSplit && alone_in_pass(i);
    const auto same = near ? static_cast<std::uint32_t>(kSplit - slot.context) : room;
    stretch_.steps = std::min({stretch_.steps, slot.job.answer - slot.usage.answer, room, same});
    stretch_.growth += near ? costs_.pair_alone : costs_.pair_one;
  }
}

// Of the steps in which all that run decode: whether the pass of active_[i] has no other slot.
bool Runner::alone_in_pass(std::size_t i) const {
  if (passes() == Passes::joint) return active_.size() == 1;
  const bool before = i > 0 && active_[i - 1] + 1 == active_[i];
  const bool after = i + 1 < active_.size() && active_[i] + 1 == active_[i + 1];
  return !before && !after;
}

// Tells the tokens up to `now`, if it is wanted. True: the stretch has ended by then.
bool Runner::take_steps(Mono now, std::vector<RunnerEvent>& events) {
  while (settings_.every_token && stretch_.done < stretch_.steps && stretch_.end(stretch_.done + 1) <= now) {
    ++stretch_.done;
    for (const std::uint32_t index : active_) {
      if (slots_[index].state == State::decoding) take_token(slots_[index], stretch_.end(stretch_.done), events);
    }
  }
  return stretch_.end(stretch_.steps) <= now;
}

void Runner::take_token(Slot& slot, Mono at, std::vector<RunnerEvent>& events) {
  const std::uint32_t index = slot.usage.answer++;
  if (slot.cancelled) return;
  events.push_back({.kind = RunnerEvent::Kind::token, .job = slot.job.id, .at = at, .index = index});
}

void Runner::end_stretch(std::vector<RunnerEvent>& events) {
  const Mono now = stretch_.end(stretch_.steps);
  ended_.clear();
  for (const std::uint32_t index : active_) {
    Slot& slot = slots_[index];
    switch (slot.state) {
      case State::decoding:
        if (!settings_.every_token) slot.usage.answer += stretch_.steps;
        slot.context += stretch_.steps;
        break;
      case State::reading:
        slot.read += slot.reading;
        slot.context += slot.reading;
        if (slot.read < slot.usage.prompt) break;
        slot.state = State::decoding;
        slot.usage.prompt_time = now - slot.since;
        slot.since = now;
        if (slot.job.answer > 0) take_token(slot, now, events);
        break;
    }
    while (slot.state == State::decoding && slot.context >= settings_.context) shift(slot);
    const bool finished = slot.state == State::decoding && slot.usage.answer == slot.job.answer;
    if (finished && !slot.cancelled) {
      slot.usage.answer_time = now - slot.since;
      events.push_back({.kind = RunnerEvent::Kind::finished, .job = slot.job.id, .at = now, .usage = slot.usage});
    }
    if (finished || slot.cancelled) ended_.push_back(index);
  }
  for (const std::uint32_t index : ended_) release(index, now);
}

// A full context loses the older half of what may go, and generation goes on.
void Runner::shift(Slot& slot) const {
  slot.context -= (slot.context - kKept + 1) / 2;
  slot.shifted = true;
}

void Runner::release(std::uint32_t index, Mono now) {
  Slot& slot = slots_[index];
  Sequence held = std::move(slot.job.prompt);
  cut_sequence(held, slot.shifted ? kKept : slot.read);
  const std::size_t prompt = token_count(held);
  // The last token was given away, and never read.
  if (slot.job.token && !slot.shifted && slot.usage.answer > 0) {
    for (std::uint32_t i = 0; i + 1 < slot.usage.answer; ++i) held.push_back(slot.job.token(i));
  }
  cache_->release(index, std::move(held), prompt);
  slot = {};
  std::erase(active_, index);
  if (waiters_.empty() || !slot_free()) return;
  enter(std::move(waiters_.front()), now);
  waiters_.pop_front();
}

}  // namespace drover::engine
