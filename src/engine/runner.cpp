#include "engine/runner.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace drover::engine {
namespace {

// A slot whose cache helps with less than this share of the prompt is not preferred for it (llama-server's default).
constexpr double kLeastSimilarity = 0.1;
// Tokens at the start of a context that a shift keeps (Ollama's num_keep).
constexpr std::size_t kKept = 4;

}  // namespace

Runner::Runner(StepCosts costs, RunnerSettings settings)
    : costs_(std::move(costs)), settings_(settings), slots_(settings.slots), host_(settings.host_cache) {
  CHECK(settings.slots > 0 && settings.batch > 0 && settings.context > 0);
}

std::size_t Runner::running() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(slots_, [](const Slot& slot) { return slot.state != State::idle && !slot.cancelled; }));
}

void Runner::submit(Job job, Mono now) {
  CHECK(!job.prompt.empty() && step_end_ >= now);
  waiters_.push_back({std::move(job), now});
  if (step_end_ == kNever) begin_step(now);
}

bool Runner::cancel(JobId id) {
  const auto waiter = std::ranges::find(waiters_, id, [](const Waiter& each) { return each.job.id; });
  if (waiter != waiters_.end()) {
    waiters_.erase(waiter);
    return true;
  }
  for (Slot& slot : slots_) {
    if (slot.state == State::idle || slot.cancelled || slot.job.id != id) continue;
    slot.cancelled = true;
    return true;
  }
  return false;
}

std::vector<RunnerEvent> Runner::advance(Mono now) {
  std::vector<RunnerEvent> events;
  while (step_end_ <= now) {
    const Mono boundary = step_end_;
    end_step(events);
    begin_step(boundary);
  }
  return events;
}

// The slot whose cache helps most; if none helps enough, the one not used for the longest time.
Runner::Slot* Runner::free_slot(const Job& job) {
  const auto busy = std::ranges::count_if(slots_, [](const Slot& slot) { return slot.state != State::idle; });
  if (static_cast<std::size_t>(busy) + leaked_ >= slots_.size()) return nullptr;
  Slot* best = nullptr;
  Slot* oldest = nullptr;
  double most = kLeastSimilarity * static_cast<double>(job.prompt.size());
  for (Slot& slot : slots_) {
    if (slot.state != State::idle) continue;
    if (oldest == nullptr || slot.last_used < oldest->last_used) oldest = &slot;
    const auto help = static_cast<double>(reusable(slot.tokens, job.prompt, settings_.reuse));
    if (help > most) {
      most = help;
      best = &slot;
    }
  }
  return best != nullptr ? best : oldest;
}

void Runner::start(Slot& slot, Waiter waiter, Mono now) {
  Job& job = waiter.job;
  std::size_t known = reusable(slot.tokens, job.prompt, settings_.reuse);
  std::vector<TokenHash> remembered = host_.take(job.prompt, settings_.reuse, known);
  if (!remembered.empty()) {
    known = reusable(remembered, job.prompt, settings_.reuse);
    std::swap(slot.tokens, remembered);
    host_.remember(std::move(remembered));
  } else if (known < slot.tokens.size()) {
    host_.remember(slot.tokens);
  }
  slot.tokens.assign(job.prompt.begin(), job.prompt.begin() + static_cast<std::ptrdiff_t>(known));
  slot.state = State::reading;
  slot.cancelled = false;
  slot.read = known;
  slot.since = now;
  slot.usage = {.prompt = static_cast<std::uint32_t>(job.prompt.size()),
                .cached = static_cast<std::uint32_t>(known),
                .waited = now - waiter.since};
  slot.job = std::move(job);
}

void Runner::admit(Mono now) {
  while (!waiters_.empty()) {
    Slot* slot = free_slot(waiters_.front().job);
    if (slot == nullptr) return;
    start(*slot, std::move(waiters_.front()), now);
    waiters_.pop_front();
  }
}

void Runner::begin_step(Mono now) {
  admit(now);
  StepWork work;
  for (Slot& slot : slots_) {
    slot.reading = 0;
    if (slot.state == State::decoding) {
      ++work.decoding;
      work.contexts += slot.tokens.size();
    } else if (slot.state == State::reading) {
      const std::uint64_t count =
          std::min<std::uint64_t>(slot.job.prompt.size() - slot.read, settings_.batch - work.prompt_tokens);
      slot.reading = count;
      work.prompt_tokens += count;
      work.pairs += count * slot.read + count * (count - std::min<std::uint64_t>(count, 1)) / 2;
    }
  }
  if (work.decoding == 0 && work.prompt_tokens == 0) {
    step_end_ = kNever;
    return;
  }
  const double time = static_cast<double>(step_time(costs_, work).count()) * pace_;
  step_end_ = now + std::max(Duration{1}, Duration{std::llround(time)});
}

void Runner::end_step(std::vector<RunnerEvent>& events) {
  for (Slot& slot : slots_) {
    if (slot.state == State::idle) continue;
    slot.last_used = step_end_;
    if (slot.reading > 0) {
      const auto from = slot.job.prompt.begin() + static_cast<std::ptrdiff_t>(slot.read);
      slot.tokens.insert(slot.tokens.end(), from, from + static_cast<std::ptrdiff_t>(slot.reading));
      slot.read += slot.reading;
    }
    if (slot.cancelled) {
      slot.state = State::idle;
    } else if (slot.state == State::decoding) {
      emit_token(slot, events);
    } else if (slot.read == slot.job.prompt.size()) {
      slot.state = State::decoding;
      slot.usage.prompt_time = step_end_ - slot.since;
      slot.since = step_end_;
      slot.job.answer == 0 ? finish(slot, events) : emit_token(slot, events);
    }
  }
}

void Runner::emit_token(Slot& slot, std::vector<RunnerEvent>& events) {
  const std::uint32_t index = slot.usage.answer++;
  if (slot.tokens.size() >= settings_.context) shift(slot);
  slot.tokens.push_back(slot.job.token(index));
  events.push_back(
      {.kind = RunnerEvent::Kind::token, .job = slot.job.id, .at = step_end_, .index = index, .usage = {}});
  if (slot.usage.answer == slot.job.answer) finish(slot, events);
}

void Runner::finish(Slot& slot, std::vector<RunnerEvent>& events) {
  slot.usage.answer_time = step_end_ - slot.since;
  slot.state = State::idle;
  events.push_back({.kind = RunnerEvent::Kind::finished, .job = slot.job.id, .at = step_end_, .usage = slot.usage});
}

// A full context loses the older half of what may go, and generation goes on.
void Runner::shift(Slot& slot) const {
  const std::size_t kept = std::min(kKept, slot.tokens.size());
  const std::size_t dropped = (slot.tokens.size() - kept + 1) / 2;
  const auto from = slot.tokens.begin() + static_cast<std::ptrdiff_t>(kept);
  slot.tokens.erase(from, from + static_cast<std::ptrdiff_t>(dropped));
}

}  // namespace drover::engine
