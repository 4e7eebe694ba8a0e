#include "net/loop.h"

namespace drover::net {

void Loop::turn() {
  sleeps_.wake_due(now_);
  timers_.expire(now_);
  IntrusiveList<Flow, &Flow::ready_link> batch;
  batch.splice(ready_);
  while (!batch.empty()) batch.pop_front().run();
}

}  // namespace drover::net
