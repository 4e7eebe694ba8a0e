#include "sim/server.h"

#include "sim/connection.h"

namespace drover::sim {
namespace {

// A node waits for its clients as long as they like (6.3).
constexpr Duration kPatience = std::chrono::hours(24);

wire::ServerLimits patient_limits() {
  wire::ServerLimits limits;
  limits.head_time = kPatience;
  limits.body_silence = kPatience;
  limits.idle = kPatience;
  limits.stalled = kPatience;
  return limits;
}

}  // namespace

Server::Server(net::Loop& loop, std::unique_ptr<net::Listener> listener, NodeSettings settings, std::uint64_t seed)
    : loop_(loop),
      listener_(std::move(listener)),
      settings_(std::move(settings)),
      seed_(seed),
      store_(settings_),
      node_(settings_),
      limits_(patient_limits()),
      flows_(loop) {}

void Server::start() {
  flows_.spawn(accept());
  flows_.spawn(drive());
}

net::Task<> Server::stop() {
  stopping_ = true;
  flows_.cancel_all();
  co_await flows_.ended();
  leaked_.clear();
}

net::Task<> Server::accept() {
  while (true) {
    auto accepted = co_await listener_->accept();
    if (!accepted) co_return;
    if (faults_.refusing(loop_.now())) {
      (*accepted)->abort();
      continue;
    }
    flows_.spawn(serve(std::move(*accepted)));
  }
}

// Takes the node through time and hands out what it says.
net::Task<> Server::drive() {
  while (true) {
    for (NodeEvent& event : node_.advance(loop_.now())) {
      const auto mailbox = mailboxes_.find(event.ask);
      if (mailbox == mailboxes_.end()) continue;
      mailbox->second->events.push_back(std::move(event));
      mailbox->second->signal.notify();
    }
    if (!co_await alarm_.sleep(node_.next_event())) co_return;
  }
}

net::Task<> Server::serve(std::unique_ptr<net::Stream> stream) {
  Connection connection(*this, *stream);
  if (co_await connection.run()) leaked_.push_back(std::move(stream));
}

Json Server::state() const {
  Json requests = Json::object();
  for (const auto& [path, count] : counts_.requests) requests[path] = count;
  Json loaded = Json::array();
  for (const Running& each : node_.running()) {
    loaded.push_back(Json{{"name", each.model->spec.name},
                          {"size", each.size.value},
                          {"size_vram", each.size_vram.value},
                          {"context", each.context},
                          {"running", each.running},
                          {"waiting", each.waiting}});
  }
  Json ages = Json::array();
  for (const Duration age : counts_.aborted_ages) ages.push_back(seconds(age) * 1e3);
  return Json{{"name", settings_.name},       {"card", settings_.card},          {"slots", settings_.slots},
              {"speedup", settings_.speedup}, {"in_flight", counts_.in_flight},  {"queued_loads", node_.queued_loads()},
              {"loaded", std::move(loaded)},  {"requests", std::move(requests)}, {"completed", counts_.completed},
              {"loads", node_.loads()},       {"aborted", counts_.aborted},      {"aborted_ages_ms", std::move(ages)},
              {"tokens", counts_.tokens},     {"leaked", node_.leaked()},        {"faults", faults_.to_json()}};
}

}  // namespace drover::sim
