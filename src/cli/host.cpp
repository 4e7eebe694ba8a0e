#include "cli/host.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "cli/local_slots.h"
#include "cli/machine.h"
#include "cli/version.h"
#include "net/signals.h"

namespace drover::cli {
namespace {

constexpr int kBadSetup = 2;
constexpr int kInterrupted = 130;
constexpr std::initializer_list<int> kSignals = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};

void complain(const Error& error) { fmt::print(stderr, "drover: {}\n", error.detail); }

// A worker's loop and the thread that runs it.
struct WorkerThread {
  explicit WorkerThread(const Clock& clock) : loop(clock), network(loop) {}
  net::LinuxLoop loop;
  net::LinuxNetwork network;
  std::thread thread;
};

class Host {
 public:
  Host(HostOptions& options, Log& log, observe::LineWriter* access_log)
      : options_(options),
        log_(log),
        access_log_(access_log),
        loop_(clock_),
        network_(loop_),
        signals_(loop_, kSignals),
        flows_(loop_),
        closing_(loop_) {}

  int run() {
    auto setup = gateway::make_setup(options_.settings, this_machine());
    if (!setup) return complain(setup.error()), kBadSetup;
    const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
    const unsigned workers = options_.settings.workers == 0 ? cores : options_.settings.workers;
    for (unsigned i = 0; i < workers; ++i) workers_.push_back(std::make_unique<WorkerThread>(clock_));

    gateway::GatewayParts parts{.control = network_,
                                .workers = {},
                                .resolver = resolver_,
                                .log = log_,
                                .access_line = {},
                                .log_dropped = {},
                                .local_slots = local_slots,
                                .seed = 0,
                                .version = kVersion,
                                .commit = std::string(commit())};
    for (auto& worker : workers_) parts.workers.push_back(&worker->network);
    if (access_log_ != nullptr) {
      parts.access_line = [writer = access_log_](std::string_view line) { writer->write(line); };
      parts.log_dropped = [writer = access_log_] { return writer->dropped(); };
    }
    if (options_.settings.access_log.prefix_hashes) {
      api::LogKey::Secret secret;  // not drawn from the seed, of which request ids tell something
      fill_unpredictable(secret);
      parts.log_key.emplace(secret);
    }
    fill_unpredictable(std::span(reinterpret_cast<unsigned char*>(&parts.seed), sizeof parts.seed));
    gateway_ = std::make_unique<gateway::Gateway>(std::move(parts), std::move(*setup));

    if (!hold_lock()) return 1;
    if (const auto at = gateway_->listen(options_.settings.listen); !at) return complain(at.error()), 1;
    if (const auto at = gateway_->listen_admin(options_.settings.admin); !at) return complain(at.error()), 1;
    for (auto& worker : workers_) {
      worker->thread = std::thread([&loop = worker->loop] { loop.run(); });
    }
    flows_.spawn(begin());
    flows_.spawn(obey_signals());
    loop_.run();

    for (auto& worker : workers_) worker->loop.stop();
    for (auto& worker : workers_) worker->thread.join();
    return 0;
  }

 private:
  // Workers share one port, and the kernel would let a second gateway share it too. The lock closes the moment between
  // the look whether the port is free and the binding. Held until the process ends, however it ends.
  bool hold_lock() {
    if (options_.settings.listen.port == 0) return true;
    const char* folder = std::getenv("XDG_RUNTIME_DIR");
    const std::string path =
        fmt::format("{}/drover-{}.lock", folder != nullptr ? folder : "/tmp", options_.settings.listen.port);
    const int file = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0 || ::flock(file, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return true;  // no lock is no reason
    fmt::print(stderr, "drover: another drover serves port {} (it holds {}); stop it, or listen elsewhere\n",
               options_.settings.listen.port, path);
    return false;
  }

  net::Task<> begin() {
    net::Signal first_round;
    gateway_->start(first_round);
    options_.ready(*gateway_);
    [[maybe_unused]] const auto asked = co_await first_round.notified(loop_.now() + std::chrono::seconds(10));
    if (options_.refresh == Duration{0}) co_return;
    do {
      options_.refreshed(*gateway_);
    } while (co_await net::sleep_until(loop_.now() + options_.refresh));
  }

  net::Task<> obey_signals() {
    bool ending = false;
    while (true) {
      const auto signal = co_await signals_.next();
      if (!signal) co_return;
      if (*signal == SIGHUP && !lost_terminal()) {
        reload();
      } else if (*signal == SIGUSR1) {
        if (access_log_ != nullptr) access_log_->reopen();
      } else if (ending) {
        // Asked twice: the operator does not want to wait.
        if (options_.leaving) options_.leaving();
        ::_exit(kInterrupted);
      } else {
        ending = true;
        log_.info("stopping", {{"clients_get", "what they asked for, then close"}});
        gateway_->end([this] { closing_.spawn(close()); });
        if (options_.refresh != Duration{0}) options_.refreshed(*gateway_);  // Ctrl-C is answered at once
      }
    }
  }

  // What is bound or opened once. A reload that asks for it is refused whole, rather than followed by half.
  bool needs_restart(const config::DroverSettings& settings) const {
    const config::DroverSettings& old = options_.settings;
    std::string changed;
    const auto compare = [&](std::string_view name, bool same) {
      if (!same) changed += fmt::format("{}{}", changed.empty() ? "" : ", ", name);
    };
    compare("listen", settings.listen == old.listen);
    compare("admin", settings.admin == old.admin);
    compare("workers", settings.workers == old.workers);
    const bool same_hashes = settings.access_log.prefix_hashes == old.access_log.prefix_hashes;
    compare("access_log", settings.access_log == old.access_log || (old.access_log.defaulted && same_hashes));
    compare("limits.connections", settings.limits.connections == old.limits.connections);
    if (changed.empty()) return false;
    fmt::print(stderr, "drover: {} cannot change while the gateway runs; the old settings stay until a new start\n",
               changed);
    return true;
  }

  // The terminal that we were started from is gone, and with it whoever could see or stop us.
  bool lost_terminal() const { return had_terminal_ && ::isatty(STDIN_FILENO) == 0 && ::isatty(STDOUT_FILENO) == 0; }

  net::Task<> close() {
    flows_.cancel_all();
    co_await flows_.ended();
    loop_.stop();
  }

  void reload() {
    auto settings = options_.reload ? options_.reload() : std::nullopt;
    if (settings && needs_restart(*settings)) settings.reset();
    auto setup = settings ? gateway::make_setup(*settings, this_machine())
                          : Result<gateway::GatewaySetup>(Error{ErrorCode::config, Side::gateway, ""});
    gateway_->note_reload(setup.has_value());
    if (!setup) {
      if (!setup.error().detail.empty()) complain(setup.error());
      log_.error("reload_rejected", {{"settings", "the old ones stay"}});
      return;
    }
    gateway_->apply(std::move(*setup));
    log_.info("reloaded", {{"nodes", settings->nodes.size()}});
  }

  HostOptions& options_;
  const bool had_terminal_ = ::isatty(STDIN_FILENO) != 0 && ::isatty(STDOUT_FILENO) != 0;
  Log& log_;
  observe::LineWriter* access_log_;
  SystemClock clock_;
  net::LinuxLoop loop_;
  net::LinuxNetwork network_;
  net::SignalSource signals_;
  net::SystemResolver resolver_;
  std::vector<std::unique_ptr<WorkerThread>> workers_;
  net::TaskGroup flows_;
  net::TaskGroup closing_;
  std::unique_ptr<gateway::Gateway> gateway_;
};

}  // namespace

Result<std::unique_ptr<observe::LineWriter>> open_access_log(const config::AccessLogSettings& settings) {
  switch (settings.target) {
    case config::LogTarget::off: return std::unique_ptr<observe::LineWriter>{};
    case config::LogTarget::standard_output: return observe::LineWriter::to_stdout({});
    case config::LogTarget::file: return observe::LineWriter::to_file(settings.path, {});
  }
  return std::unique_ptr<observe::LineWriter>{};
}

void prepare_process() {
  net::block_signals(kSignals);
  ::signal(SIGPIPE, SIG_IGN);  // a closed pipe is an error of one write, not the end of the program
}

int run_gateway(HostOptions options, Log& log, observe::LineWriter* access_log) {
  Host host(options, log, access_log);
  return host.run();
}

}  // namespace drover::cli
