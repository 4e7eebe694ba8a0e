#include "balance/slots.h"

#include <algorithm>

namespace drover::balance {
namespace {

constexpr Duration kSlack = std::chrono::milliseconds(150);  // between our view of start and end and the node's
constexpr Duration kTooSoon = std::chrono::milliseconds(250);
constexpr Duration kRetest = std::chrono::minutes(10);
constexpr unsigned kHinderedToLower = 2;

}  // namespace

SlotVerdict judge(const SlotSample& sample) {
  if (!sample.first_end) return SlotVerdict::unhindered;
  // In floating point: a node may report any number, and no sum of them must overflow.
  const NodeDurations& spent = sample.durations;
  const double rest = seconds(spent.total) - seconds(spent.load) - seconds(spent.prompt_eval) - seconds(spent.eval);
  if (rest < seconds(*sample.first_end - kSlack)) return SlotVerdict::unhindered;
  return *sample.first_end < kTooSoon ? SlotVerdict::undecided : SlotVerdict::hindered;
}

SlotEstimate::SlotEstimate(const SlotSetting& setting) : setting_(setting), slots_(1) {
  slots_ = clamped(setting.start);
}

unsigned SlotEstimate::clamped(unsigned slots) const {
  if (setting_.fixed) return std::max(1U, *setting_.fixed);
  return std::clamp(slots, 1U, std::max(1U, setting_.most));
}

void SlotEstimate::configure(const SlotSetting& setting) {
  const bool was_fixed = setting_.fixed.has_value();
  setting_ = setting;
  slots_ = clamped(was_fixed ? hint_.value_or(setting.start) : slots_);
}

void SlotEstimate::hint(unsigned slots) {
  if (hint_ == slots) return;  // said before: what was learned since counts for more
  hint_ = slots;
  slots_ = clamped(slots);
  unhindered_ = hindered_ = 0;
  ceiling_until_ = Mono{};
}

void SlotEstimate::observe(const SlotSample& sample, Mono now) {
  if (setting_.fixed || sample.in_flight > slots_) return;  // started under a higher value: says nothing of this one
  switch (judge(sample)) {
    case SlotVerdict::undecided: return;
    case SlotVerdict::hindered:
      unhindered_ = 0;
      if (++hindered_ < kHinderedToLower || slots_ == 1) return;
      --slots_;
      ceiling_ = slots_;
      ceiling_until_ = after(now, kRetest);
      hindered_ = 0;
      return;
    case SlotVerdict::unhindered:
      if (sample.in_flight < slots_) return;
      hindered_ = 0;
      if (!sample.others_wait || ++unhindered_ < slots_) return;
      unhindered_ = 0;
      if (now >= ceiling_until_ || slots_ < ceiling_) slots_ = clamped(slots_ + 1);
      return;
  }
}

}  // namespace drover::balance
