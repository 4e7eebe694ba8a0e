#include "net/loop.h"

namespace drover::net {

void Loop::turn() {
  sleeps_.wake_due(now_);
  timers_.expire(now_);
  batch_.splice(ready_);
  while (!batch_.empty()) {
    Flow& flow = batch_.pop_front();
    if (!batch_.empty()) batch_.front().prefetch();
    flow.run();
  }
}

std::string Loop::take_string() {
  if (strings_.empty()) return {};
  std::string text = std::move(strings_.back());
  strings_.pop_back();
  return text;
}

void Loop::give_back(std::string& text) {
  const bool owns_memory = text.capacity() > std::string().capacity();
  text.clear();
  if (!owns_memory) return;
  if (strings_.size() < kKeptStrings && text.capacity() <= kKeptCapacity) {
    strings_.push_back(std::move(text));
    text.clear();
  } else {
    std::string().swap(text);  // frees it: clearing it did not
  }
}

}  // namespace drover::net
