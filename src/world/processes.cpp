#include "world/processes.h"

#include "base/check.h"
#include "gateway/setup.h"

namespace drover::world {
namespace {

// Who reads settings in a simulated world is this machine.
gateway::Machine simulated_machine() { return {.names = {}, .memory = 1_GiB, .descriptors = 20'200}; }

}  // namespace

// ---- node
// ------------------------------------------------------------------------------------------------------------

NodeProcess::NodeProcess(net::SimWorld& world, net::SimLoop& loop, net::Endpoint at, sim::NodeSettings settings)
    : world_(world), loop_(loop), at_(at), settings_(std::move(settings)) {}

NodeProcess::~NodeProcess() = default;

void NodeProcess::start() {
  auto life = std::make_unique<Life>(world_, loop_);
  life->server = std::make_unique<sim::Server>(loop_, life->network.listen(at_).value(), settings_, 1);
  life->server->start();
  current_ = std::move(life);
}

void NodeProcess::crash() {
  if (current_ == nullptr) return;
  current_->network.crash();
  current_->ending.spawn(current_->server->stop());
  dead_.push_back(std::move(current_));
}

bool NodeProcess::clean_up() {
  std::erase_if(dead_, [](const auto& life) { return life->ending.size() == 0; });
  return dead_.empty();
}

// ---- gateway
// ---------------------------------------------------------------------------------------------------------

class GatewayProcess::EventLog final : public Log {
 public:
  EventLog(GatewayEvents& events, const Life& life) : events_(events), life_(life) {}
  void write(Level, std::string_view event, std::initializer_list<Field> fields) override {
    if (!life_.crashed) events_.logged_event(event, format_event(event, fields));
  }

 private:
  GatewayEvents& events_;
  const Life& life_;
};

GatewayProcess::GatewayProcess(net::SimWorld& world, net::Resolver& names, std::size_t workers, net::Endpoint listen,
                               net::Endpoint admin, std::uint64_t seed, GatewayEvents& events)
    : world_(world), names_(names), listen_(listen), admin_(admin), seed_(seed), events_(events) {
  for (std::size_t i = 0; i < workers + 1; ++i) loops_.push_back(std::make_unique<net::SimLoop>(world));
}

GatewayProcess::~GatewayProcess() = default;

void GatewayProcess::start(const std::string& yaml) {
  auto life = std::make_unique<Life>();
  life->number = ++lives_;
  std::vector<net::Network*> workers;
  std::vector<const net::Network*> networks;
  for (auto& loop : loops_) {
    life->networks.push_back(std::make_unique<net::SimNetwork>(world_, *loop));
    networks.push_back(life->networks.back().get());
    if (life->networks.size() > 1) workers.push_back(life->networks.back().get());
  }
  events_.started(life->number, networks);
  life->log = std::make_unique<EventLog>(events_, *life);
  const auto settings = config::parse_settings(yaml, "drover.yaml");
  CHECK(settings.has_value());
  gateway::GatewayParts parts{.control = *life->networks[0],
                              .workers = std::move(workers),
                              .resolver = names_,
                              .log = *life->log,
                              .access_line =
                                  [this, at = life.get()](std::string_view line) {
                                    if (!at->crashed) events_.line(at->number, line);
                                  },
                              .log_dropped = {},
                              .local_slots = {},
                              .seed = seed_ + lives_,
                              .version = "world",
                              .commit = "world"};
  life->gateway =
      std::make_unique<gateway::Gateway>(std::move(parts), gateway::make_setup(*settings, simulated_machine()).value());
  life->gateway->start(life->first_round);
  CHECK(life->gateway->listen(listen_).has_value());
  CHECK(life->gateway->listen_admin(admin_).has_value());
  current_ = std::move(life);
  events_.configured(*settings);
}

bool GatewayProcess::reload(const std::string& yaml) {
  const auto settings = config::parse_settings(yaml, "drover.yaml");
  auto setup = settings ? gateway::make_setup(*settings, simulated_machine())
                        : Result<gateway::GatewaySetup>(Error{ErrorCode::config, Side::gateway, "wrong"});
  current_->gateway->note_reload(setup.has_value());
  if (!setup) return false;
  current_->gateway->apply(std::move(*setup));
  events_.configured(*settings);
  return true;
}

void GatewayProcess::terminate() {
  if (current_ == nullptr || std::exchange(current_->stopping, true)) return;
  end(*current_);
}

void GatewayProcess::end(Life& life) {
  life.gateway->end([this, &life] {
    life.ended = world_.clock().mono();
    if (!life.crashed) events_.ended(life.number, *life.gateway);
  });
}

void GatewayProcess::crash() {
  if (current_ == nullptr) return;
  current_->crashed = true;
  for (auto& network : current_->networks) network->crash();
  // Nobody sees it, but its frames must unwind: as after SIGTERM, whose grace ends at once since nobody is left.
  if (!std::exchange(current_->stopping, true)) end(*current_);
  dead_.push_back(std::move(current_));
}

// Work that was posted to its loops may still be on its way when its last flow has ended.
bool GatewayProcess::is_gone(const Life& life) const {
  constexpr Duration kLongestPost = std::chrono::seconds(10);
  return life.ended && *life.ended + kLongestPost < world_.clock().mono();
}

void GatewayProcess::lack_descriptors(Mono until) {
  if (current_ == nullptr) return;
  for (const auto& network : current_->networks) network->lack_descriptors(until);
}

std::size_t GatewayProcess::streams() const {
  std::size_t count = 0;
  if (current_ != nullptr) {
    for (const auto& network : current_->networks) count += network->streams();
  }
  return count;
}

std::size_t GatewayProcess::most_unsent() const {
  std::size_t most = 0;
  if (current_ != nullptr) {
    for (const auto& network : current_->networks) most = std::max(most, network->most_unsent());
  }
  return most;
}

bool GatewayProcess::clean_up() {
  if (current_ != nullptr && current_->ended) dead_.push_back(std::move(current_));
  std::erase_if(dead_, [this](const auto& life) { return is_gone(*life); });
  return dead_.empty();
}

}  // namespace drover::world
