#include "balance/decision_log.h"

namespace drover::balance {

std::string_view name(DecisionRecord::State state) {
  switch (state) {
    case DecisionRecord::State::waiting: return "waiting";
    case DecisionRecord::State::running: return "running";
    case DecisionRecord::State::ended: return "ended";
    case DecisionRecord::State::left: return "left";
    case DecisionRecord::State::refused: return "refused";
  }
  return "";
}

const Option* DecisionRecord::chosen() const {
  if (state != State::running && state != State::ended) return nullptr;
  const auto all = seen();
  const auto found = std::ranges::find(all, node, &Option::node);
  return found == all.end() ? nullptr : &*found;
}

void DecisionLog::resize(std::size_t size) {
  if (size == size_) return;
  size_ = size;
  forgotten_ = last_;
  opened_ = 0;
  records_ = std::vector<DecisionRecord>(size);  // its memory is touched now, not as requests come
}

DecisionRecord* DecisionLog::open(const Submission& submission, const Route& route, std::uint64_t& number) {
  if (submission.now - second_ >= std::chrono::seconds(1)) {
    second_ = submission.now;
    opened_ = 0;
  }
  if (opened_ == size_) return nullptr;
  ++opened_;
  number = ++last_;
  DecisionRecord& record = records_[place_of(number)];
  record.request = submission.request;
  record.name.assign(submission.name);
  record.model.assign(submission.model);
  record.policy = route.settings.policy;
  record.estimates = route.estimates;
  record.retry = submission.retry;
  record.arrival = submission.arrival;
  record.submitted = submission.now;
  record.queued.reset();
  record.durations.reset();
  return &record;
}

bool DecisionLog::look(DecisionSearch& search, std::size_t most) const {
  search.remembered = std::min<std::size_t>(last_ - forgotten_, size_);
  if (search.next == 0) search.next = last_;
  for (; most > 0 && remembers(search.next); --most, --search.next) {
    const DecisionRecord& record = records_[place_of(search.next)];
    if (search.name.empty()) search.name = record.name.view();
    if (record.name.view() != search.name) continue;
    // Clients may use a name again: of the request that came last only.
    if (search.found.empty() || search.found.front().request == record.request) search.found.push_back(record);
  }
  return remembers(search.next);
}

}  // namespace drover::balance
