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

void Loop::give_back(std::string&& text) {
  if (strings_.size() >= kKeptStrings || text.capacity() > kKeptCapacity ||
      text.capacity() <= std::string().capacity()) {
    return;
  }
  text.clear();
  strings_.push_back(std::move(text));
}

}  // namespace drover::net
