#include "gateway/worker.h"

#include <fmt/format.h>

#include "gateway/serve.h"

namespace drover::gateway {
namespace {

constexpr std::size_t kLate = 4096;      // connections that wait for a listener which closes; a backlog is no longer
constexpr std::size_t kTurnedAway = 64;  // that are seen off at once; beyond them a connection closes behind its 503
constexpr Duration kSeeOff = std::chrono::seconds(1);
constexpr std::size_t kSeeOffBytes = 64 * 1024;

// What the client still sends is read, so that no reset destroys the answer before it is read.
net::Task<> see_off(std::unique_ptr<net::Stream> stream, Mono until) {
  stream->finish();
  for (std::size_t discarded = 0; discarded < kSeeOffBytes;) {
    const auto bytes = co_await stream->read_some(until);
    if (!bytes || bytes->empty()) co_return;
    discarded += bytes->size();
  }
}

}  // namespace

Worker::Worker(std::size_t index, net::Network& network, Shared& shared, observe::MetricShard& metrics, Random random,
               std::shared_ptr<const Published> published, std::size_t max_connections)
    : index_(index),
      network_(network),
      shared_(shared),
      metrics_(metrics),
      random_(random),
      published_(std::move(published)),
      max_connections_(max_connections),
      pool_(network, metrics, published_->settings.upstream_idle, published_->settings.kept_per_node),
      acceptors_(network.loop()),
      clients_(network.loop()),
      turned_away_(network.loop()),
      background_(network.loop()),
      ending_(network.loop()) {}

void Worker::serve(std::unique_ptr<net::Listener> listener) {
  acceptors_.spawn(accept_clients(std::move(listener)));
  acceptors_.spawn(sweep_pool());
}

net::Task<> Worker::accept_clients(std::unique_ptr<net::Listener> listener) {
  while (true) {
    auto accepted = co_await listener->accept();
    if (!accepted) break;
    if (clients_.size() >= max_connections_) {
      if (idle_.empty()) {
        turn_away(std::move(*accepted), api::Reason::connection_limit);
        continue;
      }
      idle_.front().close();
    }
    clients_.spawn(serve_connection(*this, std::move(*accepted)));
  }
  // The drain begins. Who came before the port is closed is told so.
  for (std::size_t i = 0; i < kLate; ++i) {
    auto late = listener->accept_waiting();
    if (!late) co_return;
    turn_away(std::move(late), api::Reason::shutting_down);
  }
}

void Worker::turn_away(std::unique_ptr<net::Stream> stream, api::Reason reason) {
  const auto written =
      stream->write(fmt::format("HTTP/1.1 503 Service Unavailable\r\nx-drover-reason: {}\r\nRetry-After: 1\r\n"
                                "Content-Length: 0\r\nConnection: close\r\n\r\n",
                                api::traits(reason).slug));
  if (!written || turned_away_.size() >= kTurnedAway) return;
  turned_away_.spawn(see_off(std::move(stream), loop().now() + kSeeOff));
}

net::Task<> Worker::sweep_pool() {
  while (co_await net::sleep_until(loop().now() + std::chrono::seconds(5))) pool_.sweep();
}

void Worker::publish(std::shared_ptr<const Published> published) {
  published_ = std::move(published);
  pool_.keep([&](NodeId node) { return published_->node(node) != nullptr; });
}

void Worker::end(Duration grace, std::function<void()> ended) { ending_.spawn(wind_up(grace, std::move(ended))); }

net::Task<> Worker::wind_up(Duration grace, std::function<void()> ended) {
  draining_ = true;
  acceptors_.cancel_all();
  idle_.for_each([](IdleMark& mark) { mark.close(); });
  co_await acceptors_.ended();
  co_await clients_.ended(after(loop().now(), grace));
  clients_.cancel_all();
  background_.cancel_all();
  co_await clients_.ended();
  co_await background_.ended();
  co_await turned_away_.ended();
  ended();
}

// As many digits as a string holds without an allocation.
std::string Worker::make_request_id() {
  std::string id(15, '0');
  std::uint64_t number = random_.next();
  for (char& digit : id) {
    digit = "0123456789abcdef"[number & 15];
    number >>= 4;
  }
  return id;
}

void Worker::granted(const balance::Grant& grant) {
  const auto found = tickets_.find(grant.request);
  if (found == tickets_.end()) return;  // it left; cancelled() is on its way and voids the grant
  found->second->grant = grant;
  found->second->decided.notify();
}

void Worker::refused(const balance::Refuse& refuse) {
  const auto found = tickets_.find(refuse.request);
  if (found == tickets_.end()) return;
  found->second->refuse = refuse;
  found->second->decided.notify();
}

}  // namespace drover::gateway
