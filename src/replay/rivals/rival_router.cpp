#include "replay/rivals/rival_router.h"

namespace drover::replay {

RivalRouter::RivalRouter(const Stage& stage, std::unique_ptr<Rival> rival, Binding binding, Rival::Buffer queue,
                         std::uint64_t seed)
    : rival_(std::move(rival)),
      binding_(binding),
      buffer_(binding == Binding::late ? queue : rival_->buffer()),
      random_(seed),
      in_flight_(stage.nodes()) {}

bool RivalRouter::try_start(Stage& stage, std::size_t number) {
  const Request& request = stage.request(number);
  backends_.clear();
  for (std::size_t node = 0; node < stage.nodes(); ++node) {
    if (!stage.can_serve(node, request)) continue;
    if (binding_ == Binding::late && in_flight_[node] >= stage.settings(node).slots) continue;
    backends_.push_back({.node = node, .slots = stage.settings(node).slots, .in_flight = in_flight_[node]});
  }
  if (backends_.empty()) return false;
  const Call call{
      .request = number, .model = request.question.model, .prefix = stage.prefix(number), .bytes = request.bytes};
  const auto picked = rival_->pick(call, backends_, stage.now(), random_);
  if (!picked) return false;
  const std::size_t node = backends_[*picked].node;
  ++in_flight_[node];
  stage.start(number, node);
  return true;
}

void RivalRouter::arrived(Stage& stage, std::size_t number) {
  // Who waits was asked for at the last end, and found nothing.
  if (try_start(stage, number)) return;
  if (waiting_.size() >= buffer_.most) return stage.refuse(number);
  waiting_.push_back({number, stage.now() + buffer_.longest});
}

void RivalRouter::first_token(Stage& stage, std::size_t number) {
  rival_->first_token(number, stage.request(number).node);
}

void RivalRouter::ended(Stage& stage, std::size_t number, bool, const balance::NodeDurations& durations) {
  const std::size_t node = stage.request(number).node;
  --in_flight_[node];
  rival_->ended({.request = number, .node = node, .took = durations.total, .now = stage.now()});
  std::erase_if(waiting_, [&](const Waiting& each) { return try_start(stage, each.request); });
}

Mono RivalRouter::next() const { return waiting_.empty() ? kNever : waiting_.front().until; }

void RivalRouter::wake(Stage& stage) {
  while (!waiting_.empty() && waiting_.front().until <= stage.now()) {
    const std::size_t number = waiting_.front().request;
    waiting_.pop_front();
    stage.refuse(number);
  }
}

}  // namespace drover::replay
