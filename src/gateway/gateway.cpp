#include "gateway/gateway.h"

#include <fmt/format.h>

#include <algorithm>

#include "gateway/decisions.h"

namespace drover::gateway {

Gateway::Gateway(GatewayParts parts, GatewaySetup setup)
    : parts_(std::move(parts)),
      metrics_(parts_.workers.size()),
      buffers_(setup.settings.buffers),
      scheduler_(setup.scheduler, parts_.seed),
      control_(
          parts_.control, parts_.resolver, scheduler_, parts_.log, std::move(setup),
          [this](const std::shared_ptr<const Published>& published) { publish(published); }, parts_.local_slots),
      shared_{.scheduler = scheduler_,
              .buffers = buffers_,
              .control = control_,
              .log = parts_.log,
              .access_line = parts_.access_line,
              .log_key = parts_.log_key,
              .instance = fmt::format("{:016x}", Random(parts_.seed).next())},
      ending_(parts_.control.loop()),
      started_(parts_.control.loop().now()),
      last_reload_(parts_.control.loop().wall()) {
  Random random(parts_.seed);
  const std::size_t connections = control_.published()->settings.connections;
  for (std::size_t i = 0; i < parts_.workers.size(); ++i) {
    workers_.push_back(std::make_unique<Worker>(i, *parts_.workers[i], shared_, metrics_.shard(i), random.split(i + 1),
                                                control_.published(),
                                                std::max<std::size_t>(1, connections / parts_.workers.size())));
    scheduler_.add_worker(parts_.workers[i]->loop(), *workers_.back());
  }
}

Gateway::~Gateway() = default;

void Gateway::publish(const std::shared_ptr<const Published>& published) {
  for (auto& worker : workers_) {
    worker->loop().post([to = worker.get(), published] { to->publish(published); });
  }
}

Result<net::Endpoint> Gateway::listen(const net::Endpoint& at) {
  net::Endpoint where = at;
  const bool shared_port = workers_.size() > 1;
  if (shared_port) {
    // SO_REUSEPORT would let a second gateway share our port unseen: bind once without it.
    auto alone = parts_.workers[0]->listen(at);
    if (!alone) return alone.error();
    where = (*alone)->local();
  }
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    auto listener = parts_.workers[i]->listen(where, {.shared_port = shared_port});
    if (!listener) return listener.error();
    where = (*listener)->local();
    workers_[i]->loop().post(
        [worker = workers_[i].get(), moved = std::move(*listener)]() mutable { worker->serve(std::move(moved)); });
  }
  return listen_at_ = where;
}

Result<net::Endpoint> Gateway::listen_admin(const net::Endpoint& at) {
  auto listener = parts_.control.listen(at);
  if (!listener) return listener.error();
  admin_at_ = (*listener)->local();
  admin_ =
      std::make_unique<Admin>(parts_.control,
                              AdminPages{.unready = [this] { return unready(); },
                                         .metrics = [this] { return metrics_page(); },
                                         .status = [this] { return to_pretty_text(status()) + "\n"; },
                                         .decisions = [this](std::string_view id) { return decisions(id); },
                                         .try_node = [this](std::string_view name) { return control_.try_node(name); },
                                         .published = [this] { return control_.published(); }},
                              guard::OriginRules::admin({}).value());
  admin_->serve(std::move(*listener));
  return admin_at_;
}

void Gateway::apply(GatewaySetup setup) {
  buffers_.set_limit(setup.settings.buffers);
  control_.apply(std::move(setup));
}

void Gateway::note_reload(bool ok) {
  last_reload_ok_ = ok;
  last_reload_ = parts_.control.loop().wall();
}

void Gateway::end(std::function<void()> ended) { ending_.spawn(wind_up(std::move(ended))); }

net::Task<> Gateway::wind_up(std::function<void()> ended) {
  draining_ = true;
  const Duration grace = control_.published()->settings.drain;
  for (auto& worker : workers_) {
    worker->loop().post([this, to = worker.get(), grace] {
      to->end(grace, [this] {
        parts_.control.loop().post([this] {
          if (++workers_ended_ == workers_.size()) all_workers_ended_.notify();
        });
      });
    });
  }
  [[maybe_unused]] const auto all = co_await all_workers_ended_.notified(kNever);
  if (admin_) co_await admin_->stop();
  co_await control_.stop();
  ended();
}

std::string_view Gateway::unready() const {
  if (draining_) return "shutting down: no new requests are taken";
  const bool any = std::ranges::any_of(control_.published()->nodes, [](const NodeAddress& node) {
    return node.reachable() && node.health != balance::Health::offline;
  });
  return any ? "" : "no node can take requests";
}

Json Gateway::status() const {
  const Mono now = parts_.control.loop().now();
  return status_json({.version = parts_.version,
                      .listen = "http://" + net::to_text(listen_at_),
                      .admin = "http://" + net::to_text(admin_at_),
                      .policy = std::string(balance::name(control_.policy())),
                      .uptime = now - started_,
                      .draining = draining_},
                     control_.nodes(), scheduler_.snapshot(now), *control_.published()->fleet, metrics_, now);
}

Result<std::string> Gateway::decisions(std::string_view request) const {
  const auto found = scheduler_.decisions(request);
  if (found.found.empty()) {
    const std::string whose = request.empty() ? "any request" : fmt::format("request {}", request);
    return Error{ErrorCode::invalid, Side::gateway,
                 fmt::format("nothing is remembered of {}: {} decisions are, of requests for models (limits.decisions "
                             "says how many at most)",
                             whose, found.remembered)};
  }
  net::Loop& loop = parts_.control.loop();
  return to_pretty_text(decisions_json(found, *control_.published(), loop.now(), loop.wall())) + "\n";
}

std::string Gateway::metrics_page() const {
  const Mono now = parts_.control.loop().now();
  const auto snapshot = scheduler_.snapshot(now);
  observe::Gauges gauges;
  for (const auto& node : control_.nodes()) {
    auto& gauge = gauges.nodes.emplace_back();
    gauge.name = node.state.spec.name;
    gauge.up = node.state.reachable;
    gauge.health = node.health;
    gauge.counts = node.counts;
    const auto& report = node.state.agent;
    if (!report || now - report->at >= control_.gpu_report_age()) continue;
    gauge.gpu = {.busy = report->busy(),
                 .memory_free = report->memory_free().value,
                 .memory_total = report->memory_total().value};
  }
  for (const auto& model : snapshot.models) {
    const fleet::Model* known = control_.published()->fleet->find(model.model);
    if (known != nullptr) gauges.models.push_back({known->name, model.waiting});
  }
  gauges.name_lookups = control_.name_lookups();
  gauges.buffered_bytes = buffers_.used().value;
  gauges.log_dropped = parts_.log_dropped ? parts_.log_dropped() : 0;
  gauges.last_reload_ok = last_reload_ok_;
  gauges.last_reload = last_reload_;
  gauges.version = parts_.version;
  gauges.commit = parts_.commit;
  return metrics_.scrape(gauges);
}

}  // namespace drover::gateway
