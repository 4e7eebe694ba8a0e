#include "net/loop.h"

namespace drover::net {

void Loop::turn() {
  sleeps_.wake_due(now_);
  timers_.expire(now_);
  IntrusiveList<Flow, &Flow::ready_link> batch;
  batch.splice(ready_);
  while (!batch.empty()) batch.pop_front().run();
}

std::string Loop::take_string() {
  if (strings_.empty()) return {};
  std::string text = std::move(strings_.back());
  strings_.pop_back();
  return text;
}

void Loop::give_back(std::string& text) {
  std::string ours;
  ours.swap(text);  // what is not kept is freed: clearing it would not
  if (strings_.size() >= kKeptStrings || ours.capacity() > kKeptCapacity) return;
  if (ours.capacity() == std::string().capacity()) return;
  ours.clear();
  strings_.push_back(std::move(ours));
}

}  // namespace drover::net
