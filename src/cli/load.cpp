// `drover load`: puts load on a server, and says how it bore it.

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <memory>

#include "cli/commands.h"
#include "cli/load_view.h"
#include "cli/machine.h"
#include "cli/screen.h"
#include "load/outcome_line.h"
#include "net/linux_network.h"
#include "net/resolver.h"
#include "net/signals.h"
#include "net/timers.h"
#include "sim/settings.h"
#include "wire/call.h"

namespace drover::cli {
namespace {

constexpr int kInterrupted = 130;
constexpr Duration kRefresh = std::chrono::seconds(1);
constexpr Duration kPlainEvery = std::chrono::seconds(10);
constexpr Duration kPatience = std::chrono::seconds(10);  // for a name, and for the list of models
constexpr std::size_t kOwnDescriptors = 64;               // that are no connections

void complain(std::string_view text) { fmt::print(stderr, "drover: {}\n", text); }

// The first model of OpenAI's listing, which Ollama has too, that is not for embeddings.
std::optional<std::string> first_model(std::string_view listing) {
  const auto document = parse_json(listing);
  const Json* models = document ? member(*document, "data") : nullptr;
  if (models == nullptr || !models->is_array()) return std::nullopt;
  for (const Json& model : *models) {
    const std::string_view id = text_at(model, "id");
    if (!id.empty() && !id.contains("embed")) return std::string(id);
  }
  return std::nullopt;
}

// Each request at once has a connection. False: there cannot be as many users, and that has been said.
bool fit_descriptors(load::Settings& settings, std::size_t descriptors) {
  const std::size_t most = descriptors - std::min(descriptors - 1, kOwnDescriptors);
  if (const auto* closed = std::get_if<load::ClosedLoop>(&settings.arrivals)) {
    if (closed->users <= most) return true;
    complain(fmt::format("--concurrency is {}; the descriptor limit (ulimit -n is {}) allows {}", closed->users,
                         descriptors, most));
    return false;
  }
  if (settings.max_outstanding > most) {
    complain(fmt::format("at most {} requests at once: the descriptor limit (ulimit -n) is {}", most, descriptors));
    settings.max_outstanding = most;
  }
  return true;
}

// One line a request in a file.
class OutcomeFile {
 public:
  // False: it cannot be written, and that has been said.
  bool open(const std::string& path) {
    path_ = path;
    file_.reset(std::fopen(path.c_str(), "w"));
    return write(load::kOutcomeTitles);
  }
  void add(const load::Outcome& outcome) {
    if (file_ != nullptr) write(load::outcome_line(outcome));
  }
  bool close() {
    if (path_.empty()) return true;
    return file_ != nullptr && std::fclose(file_.release()) == 0 ? true : fail();
  }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  bool write(std::string_view text) {
    return file_ != nullptr && std::fwrite(text.data(), 1, text.size(), file_.get()) == text.size() ? true : fail();
  }
  bool fail() {
    file_.reset();
    complain(fmt::format("{} cannot be written", path_));
    return false;
  }

  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
};

class LoadCommand {
 public:
  LoadCommand(const LoadArguments& arguments, LoadPlan plan)
      : arguments_(arguments),
        plan_(std::move(plan)),
        live_(!arguments.plain && !arguments.json && can_draw(STDOUT_FILENO)),
        loop_(clock_),
        plain_network_(loop_),
        signals_(loop_, {SIGINT, SIGTERM}),
        running_(loop_),
        watching_(loop_) {}

  int run() {
    if (!secure()) return 2;
    if (!arguments_.csv.empty() && !file_.open(arguments_.csv)) return 1;
    running_.spawn(work());
    loop_.run();
    screen_.reset();
    const bool written = file_.close();
    if (run_ == nullptr) return 1;
    const bool passed = conclude();
    if (interrupted_) return kInterrupted;
    return passed && written && !failed_ ? 0 : 1;
  }

 private:
  net::Task<> work() {
    watching_.spawn(obey_signals());
    const bool prepared = co_await prepare();
    if (prepared) {
      watching_.spawn(show());
      const auto result = co_await run_->run();
      if (!result) fail(result.error().detail);
    }
    watching_.cancel_all();
    co_await watching_.ended();
    loop_.stop();
  }

  // Prepares for an https:// address, if it is one. False: that cannot be, and has been said.
  bool secure() {
    const http::BaseUrl& target = plan_.settings.target;
    if (target.scheme != http::Scheme::https) return true;
    auto client = net::TlsClient::make(arguments_.tls);
    if (!client) return fail(client.error().detail);
    secured_ = std::make_unique<net::TlsNetwork>(plain_network_, std::move(*client), target.host);
    return true;
  }

  net::Network& network() { return secured_ == nullptr ? static_cast<net::Network&>(plain_network_) : *secured_; }

  // Finds the server and a model. False: there is none, and that has been said.
  net::Task<bool> prepare() {
    load::Settings& settings = plan_.settings;
    const auto endpoints =
        co_await resolver_.resolve(loop_, settings.target.host, settings.target.port, loop_.now() + kPatience);
    if (!endpoints) co_return fail(endpoints.error().detail);
    const net::Endpoint target = endpoints->front();
    if (secured_ != nullptr) {
      const auto stream = co_await secured_->dial(target, loop_.now() + kPatience);
      if (!stream && !secured_->fault().empty()) {
        co_return fail(fmt::format("{} (--ca names whom to trust)", secured_->fault()));
      }
    }
    if (settings.model.empty()) {
      const bool found = co_await find_model(target);
      if (!found) co_return false;
    }
    auto schedule = load::make_schedule(settings);
    if (!schedule) co_return fail(schedule.error().detail);
    run_ = std::make_unique<load::Run>(network(), target, settings, std::move(*schedule), plan_.goal,
                                       [this](const load::Outcome& outcome) { file_.add(outcome); });
    co_return true;
  }

  net::Task<bool> find_model(net::Endpoint target) {
    load::Settings& settings = plan_.settings;
    wire::CallRequest request{.target = settings.target.path + "/v1/models", .host = http::authority(settings.target)};
    const auto listing = co_await wire::call(network(), target, std::move(request), loop_.now() + kPatience);
    if (!listing) co_return fail(fmt::format("{}; name a model with --model", listing.error().detail));
    const auto model = first_model(listing->body);
    if (!model) {
      co_return fail(fmt::format("{} lists no model (it answered {}); name one with --model",
                                 http::to_text(settings.target), listing->status));
    }
    settings.model = *model;
    if (settings.sim_seed && sim::known_model(*model) == nullptr) {
      co_return fail(
          fmt::format("--sim-seed says that the nodes are simulated, and none of those has a model {:?}", *model));
    }
    co_return true;
  }

  net::Task<> show() {
    if (live_) {
      screen_.emplace(STDOUT_FILENO);
    } else {
      fmt::print(stderr, "{}\n", load_title(plan_.settings));
    }
    load::Progress before;
    while (co_await net::sleep_until(loop_.now() + (live_ ? kRefresh : kPlainEvery))) {
      const load::Progress now = run_->progress();
      if (screen_) {
        screen_->draw(
            load_screen(plan_.settings, run_->report(), now, before, screen_->size(), style_of(STDOUT_FILENO)));
      } else {
        fmt::print(stderr, "{}\n", load_line(run_->report(), now, before));
      }
      before = now;
    }
  }

  net::Task<> obey_signals() {
    while (true) {
      const auto signal = co_await signals_.next();
      if (!signal) co_return;
      if (run_ == nullptr || interrupted_) {
        // There is nothing to report yet, or somebody does not want to wait for it.
        LiveScreen::give_back();
        ::_exit(kInterrupted);
      }
      interrupted_ = true;
      run_->stop();
    }
  }

  // Prints the report. True: all assertions hold, and something was answered.
  bool conclude() {
    const load::Report& report = run_->report();
    std::vector<Checked> checked;
    bool passed = report.count(load::End::ok) > 0;
    for (const load::Assertion& assertion : plan_.assertions) {
      checked.push_back({assertion.text(), assertion.check(report)});
      passed = passed && checked.back().verdict.holds;
    }
    if (arguments_.json) {
      Json json = report.json();
      json["assertions"] = Json::array();
      for (const auto& [text, verdict] : checked) {
        json["assertions"].push_back({{"text", text}, {"holds", verdict.holds}, {"seen", verdict.seen}});
      }
      fmt::print("{}\n", to_pretty_text(json));
    } else {
      const Style style = style_of(STDOUT_FILENO);
      fmt::print("{}{}", load_report(report, arguments_.goal, style), load_verdicts(checked, style));
    }
    return std::fflush(stdout) == 0 && passed;
  }

  bool fail(std::string_view what) {
    screen_.reset();
    complain(what);
    failed_ = true;
    return false;
  }

  const LoadArguments& arguments_;
  LoadPlan plan_;
  bool live_;
  SystemClock clock_;
  net::LinuxLoop loop_;
  net::LinuxNetwork plain_network_;
  std::unique_ptr<net::TlsNetwork> secured_;  // null: not asked for
  net::SignalSource signals_;
  net::SystemResolver resolver_;
  OutcomeFile file_;
  std::unique_ptr<load::Run> run_;  // null until the server is known
  std::optional<LiveScreen> screen_;
  net::TaskGroup running_, watching_;
  bool interrupted_ = false;
  bool failed_ = false;
};

}  // namespace

int run_load(const LoadArguments& arguments) {
  net::block_signals({SIGINT, SIGTERM});
  ::signal(SIGPIPE, SIG_IGN);
  auto plan = read_load_plan(arguments);
  if (!plan) return complain(plan.error().detail), 2;
  if (!fit_descriptors(plan->settings, this_machine().descriptors)) return 2;
  return LoadCommand(arguments, std::move(*plan)).run();
}

}  // namespace drover::cli
