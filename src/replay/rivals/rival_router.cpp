#include "replay/rivals/rival_router.h"

#include <algorithm>

namespace drover::replay {

RivalRouter::RivalRouter(const Stage& stage, std::unique_ptr<Rival> rival, Binding binding, Rival::Buffer queue,
                         std::uint64_t seed)
    : rival_(std::move(rival)), binding_(binding), buffer_(rival_->buffer()), random_(seed), in_flight_(stage.nodes()) {
  if (binding == Binding::early) return;
  buffer_.most = queue.most;
  buffer_.longest = queue.longest;
}

bool RivalRouter::try_start(Stage& stage, std::size_t number) {
  const Request& request = stage.request(number);
  backends_.clear();
  for (std::size_t node = 0; node < stage.nodes(); ++node) {
    if (!stage.can_serve(node, request)) continue;
    const sim::NodeSettings& settings = stage.settings(node);
    if (binding_ == Binding::late && in_flight_[node] >= settings.slots) continue;
    backends_.push_back({.node = node,
                         .slots = settings.slots,
                         .in_flight = in_flight_[node],
                         .memory = std::uint64_t{settings.slots} * settings.context});
  }
  if (backends_.empty()) return false;
  const Call call{.request = number,
                  .model = request.question.model,
                  .prefix = stage.prefix(number),
                  .bytes = request.bytes,
                  .program = request.question.program,
                  .arrived = request.arrived};
  const auto picked = rival_->pick(call, backends_, stage.now(), random_);
  if (!picked) return false;
  const std::size_t node = backends_[*picked].node;
  ++in_flight_[node];
  stage.start(number, node);
  return true;
}

void RivalRouter::try_all(Stage& stage) {
  std::erase_if(waiting_, [&](const Waiting& each) { return try_start(stage, each.request); });
  again_ = buffer_.again > Duration{0} ? stage.now() + buffer_.again : kNever;
}

void RivalRouter::refuse(Stage& stage, std::size_t number) {
  rival_->refused(number);
  stage.refuse(number);
}

void RivalRouter::arrived(Stage& stage, std::size_t number) {
  // Who waits was asked for at the last end, and found nothing.
  if (try_start(stage, number)) return;
  if (waiting_.size() >= buffer_.most) return refuse(stage, number);
  if (waiting_.empty() && buffer_.again > Duration{0}) again_ = stage.now() + buffer_.again;
  waiting_.push_back({number, stage.now() + buffer_.longest});
}

void RivalRouter::first_token(Stage& stage, std::size_t number) {
  rival_->first_token(number, stage.request(number).node);
}

void RivalRouter::ended(Stage& stage, std::size_t number, bool, const balance::NodeDurations& durations) {
  const std::size_t node = stage.request(number).node;
  --in_flight_[node];
  rival_->ended({.request = number, .node = node, .durations = durations, .now = stage.now()});
  try_all(stage);
}

Mono RivalRouter::next() const { return waiting_.empty() ? kNever : std::min(waiting_.front().until, again_); }

void RivalRouter::wake(Stage& stage) {
  while (!waiting_.empty() && waiting_.front().until <= stage.now()) {
    const std::size_t number = waiting_.front().request;
    waiting_.pop_front();
    refuse(stage, number);
  }
  if (again_ <= stage.now()) try_all(stage);
}

}  // namespace drover::replay
