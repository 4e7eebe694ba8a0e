#include "net/timers.h"

#include <algorithm>

#include "net/loop.h"

namespace drover::net {

void TimerWheel::watch(Flow& flow) {
  // One slot later than the deadline's own, so that a slot that has come round holds only deadlines that have passed.
  const auto wanted =
      std::clamp(slot_number(flow.deadline_) + 1, current_ + 1, current_ + static_cast<std::int64_t>(kSlots) - 1);
  if (flow.timer_link.linked()) {
    // Lazy: it lies in some slot from an earlier wait. Only a nearer deadline makes it move now.
    if (flow.timer_slot <= wanted) return;
    flow.timer_link.unlink();
  }
  flow.timer_slot = wanted;
  slot(wanted).push_back(flow);
  earliest_ = any_ ? std::min(earliest_, wanted) : wanted;
  any_ = true;
}

void TimerWheel::expire(Mono now) {
  const auto target = slot_number(now);
  if (target <= current_) return;
  if (!any_ || earliest_ > target) {
    current_ = target;
    return;
  }
  IntrusiveList<Flow, &Flow::timer_link> due;
  const auto first = std::max(current_ + 1, earliest_);
  const auto last = std::min(target, first + static_cast<std::int64_t>(kSlots) - 1);
  for (auto number = first; number <= last; ++number) due.splice(slot(number));
  current_ = target;
  while (!due.empty()) {
    Flow& flow = due.pop_front();
    if (flow.wait_ == nullptr || flow.deadline_ == kNever) continue;  // what it waited for came
    if (flow.deadline_ > now) {
      watch(flow);
      continue;
    }
    flow.expired_ = true;
    flow.wake();
  }
  // Find the next slot in use. Bounded by the wheel's size, and only after slots were emptied.
  any_ = false;
  for (auto number = current_ + 1; number < current_ + static_cast<std::int64_t>(kSlots); ++number) {
    if (slot(number).empty()) continue;
    earliest_ = number;
    any_ = true;
    break;
  }
}

Mono TimerWheel::next() const { return any_ ? Mono{Duration{earliest_ << kShift}} : kNever; }

namespace {

bool later(const SleepQueue::Entry& a, const SleepQueue::Entry& b) {
  return a.when != b.when ? a.when > b.when : a.sequence > b.sequence;
}

}  // namespace

std::uint64_t SleepQueue::add(Mono when, Flow& flow) {
  heap_.push_back({when, ++sequence_, &flow});
  std::push_heap(heap_.begin(), heap_.end(), later);
  return sequence_;
}

void SleepQueue::remove(std::uint64_t ticket) {
  const auto found =
      std::find_if(heap_.begin(), heap_.end(), [&](const Entry& entry) { return entry.sequence == ticket; });
  if (found != heap_.end()) found->flow = nullptr;
}

void SleepQueue::wake_due(Mono now) {
  while (!heap_.empty() && heap_.front().when <= now) {
    std::pop_heap(heap_.begin(), heap_.end(), later);
    Flow* flow = heap_.back().flow;
    heap_.pop_back();
    if (flow != nullptr) flow->wake();
  }
}

bool sleep_until::step(Flow& flow) { return slept_ = flow.loop().now() >= when_; }

void sleep_until::attach(Flow& flow) {
  flow_ = &flow;
  ticket_ = flow.loop().sleeps().add(when_, flow);
}

void sleep_until::detach() {
  // Its time came: the queue has forgotten it already, and there is nothing to search for.
  if (!slept_) flow_->loop().sleeps().remove(ticket_);
}

}  // namespace drover::net
