// Programs, not requests: one that is active keeps its node, and its context counts against that node's memory while
// its tools work, for a time to live; after that it is paused, and comes back when there is room for it, first on the
// node it had. Program-level Progress-TTL scheduling of the vLLM router (github.com/vllm-project/router, issue 285 and
// pull request 286), by the rules that its authors published with their implementation inside the engine (AgentInfer,
// docs on Progress-TTL scheduling, of August 2026). Their numbers, where they give any.
//
// Left out are the reserve for growth, the batch gain that may use it, and privileges, for which the engine has to tell
// more than a node does; admission goes by the memory that active programs take. A request without a program goes where
// the fewest are in flight.
#include <algorithm>
#include <cmath>
#include <deque>
#include <map>
#include <set>

#include "balance/speed.h"
#include "replay/rivals/rival.h"

namespace drover::replay {
namespace {

constexpr double kDecodeBuffer = 100;        // tokens beside the context
constexpr std::size_t kSamples = 100;        // pauses for tools from which the time to live is taken
constexpr int kCandidates = 32;              // times to live that are weighed
constexpr double kShortest = 0.05;           // seconds
constexpr double kLongest = 32;              // seconds
constexpr double kDecodeWhileReading = 0.5;  // of its speed: deployments measure theirs
constexpr double kForced = 60;               // seconds after which a request is admitted, room or not
constexpr Duration kCycle = std::chrono::seconds(1);

double normal_share(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

// How long tools take, as a lognormal distribution fitted to the last pauses.
class Pauses {
 public:
  void add(double seconds) {
    if (seconds <= 0) return;
    logs_.push_back(std::log(seconds));
    if (logs_.size() > kSamples) logs_.pop_front();
  }

  // The time for which a context is best kept, if it costs so many seconds to read it anew. Kept for `d`, it is worth
  // the cost less the wait where the pause is over by then, else it has cost `d` for nothing. 0: not at all.
  double time_to_live(double miss) const {
    if (logs_.size() < kSamples) return 0;
    double mean = 0, variance = 0;
    for (const double log : logs_) mean += log / kSamples;
    for (const double log : logs_) variance += (log - mean) * (log - mean) / kSamples;
    const double sigma = std::max(1e-3, std::sqrt(variance));
    double best = 0, most = 0;
    for (int i = 0; i < kCandidates; ++i) {
      const double d = kShortest * std::pow(kLongest / kShortest, i / (kCandidates - 1.0));
      const double over = normal_share((std::log(d) - mean) / sigma);
      const double waited = std::exp(mean + variance / 2) * normal_share((std::log(d) - mean - variance) / sigma);
      const double utility = miss * over - waited - d * (1 - over);
      if (utility <= most) continue;
      most = utility;
      best = d;
    }
    return best;
  }

 private:
  std::deque<double> logs_;
};

class ProgressTtl final : public Rival {
 public:
  std::optional<std::size_t> pick(const Call& call, std::span<const Backend> backends, Mono now, Random&) override {
    while (!expiries_.empty() && expiries_.begin()->first <= now) pause(programs_[expiries_.begin()->second]);
    if (!call.program) return fewest(backends);
    Program& program = programs_[*call.program];
    program.id = *call.program;
    if (program.request != call.request) note_arrival(program, call);
    const auto picked = admit(program, call, backends, now);
    if (!picked) {
      waiting_.insert(call.request);
      return std::nullopt;
    }
    waiting_.erase(call.request);
    const Backend& backend = backends[*picked];
    memories_[backend.node] = static_cast<double>(backend.memory);
    if (!program.active) program.since = now;
    occupy(program, backend.node, kNever);
    asking_[call.request] = *call.program;
    return picked;
  }

  void ended(const Answered& answer) override {
    const auto found = asking_.find(answer.request);
    if (found == asking_.end()) return;
    Program& program = programs_[found->second];
    asking_.erase(found);
    const balance::NodeDurations& durations = answer.durations;
    const auto read = static_cast<double>(durations.prompt_tokens - durations.cached_tokens.value_or(0));
    if (read > 0) read_time_.add(seconds(durations.prompt_eval) / read);
    program.finished = answer.now;
    program.context = static_cast<double>(durations.prompt_tokens + durations.eval_tokens);
    const double miss = program.context * read_time_.value() * (2 - kDecodeWhileReading);
    const double kept = pauses_.time_to_live(miss);
    if (kept > 0) {
      occupy(program, answer.node, answer.now + Duration(std::llround(kept * 1e9)));
      repair(answer.node);
    } else {
      pause(program);
    }
  }

  void refused(std::size_t request) override { waiting_.erase(request); }

  Buffer buffer() const override { return {.most = 1000, .longest = std::chrono::seconds(300), .again = kCycle}; }

 private:
  struct Program {
    std::size_t id = 0;
    bool active = false;
    std::size_t node = kNowhere;  // that it has, or had last
    double context = 0;           // tokens
    double occupied = 0;          // tokens of the node's memory, while it is active
    Mono since{};                 // when it became active
    Mono finished{};              // its last answer
    Mono expires = kNever;        // while its tools work
    std::size_t request = kNowhere;
  };
  static constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);

  static std::size_t fewest(std::span<const Backend> backends) {
    return static_cast<std::size_t>(std::ranges::min_element(backends, {}, &Backend::in_flight) - backends.begin());
  }

  void note_arrival(Program& program, const Call& call) {
    if (program.context > 0) pauses_.add(seconds(call.arrived - program.finished));
    program.request = call.request;
    program.context = std::max(program.context, static_cast<double>(call.bytes) / kBytesPerToken);
  }

  // An index of `backends`. Those that wait already come before one that has just come.
  std::optional<std::size_t> admit(const Program& program, const Call& call, std::span<const Backend> backends,
                                   Mono now) {
    const auto own = std::ranges::find(backends, program.node, &Backend::node);
    const auto its = static_cast<std::size_t>(own - backends.begin());
    if (program.active) return own == backends.end() ? std::nullopt : std::optional(its);
    if (!waiting_.empty() && !waiting_.contains(call.request)) return std::nullopt;
    const auto room = [&](const Backend& each) { return static_cast<double>(each.memory) - used_[each.node]; };
    const double needs = program.context + kDecodeBuffer;
    if (own != backends.end() && room(*own) >= needs) return its;
    const auto widest = std::ranges::max_element(backends, {}, room);
    const bool forced = seconds(now - call.arrived) >= kForced;
    if (!forced && room(*widest) < needs) return std::nullopt;
    return static_cast<std::size_t>(widest - backends.begin());
  }

  void occupy(Program& program, std::size_t node, Mono expires) {
    pause(program);
    program.active = true;
    program.node = node;
    program.occupied = program.context + kDecodeBuffer;
    program.expires = expires;
    used_[node] += program.occupied;
    if (expires != kNever) expiries_.emplace(expires, program.id);
  }
  void pause(Program& program) {
    if (!program.active) return;
    program.active = false;
    used_[program.node] -= program.occupied;
    expiries_.erase({program.expires, program.id});
  }

  // Contexts grow. Where they take more than there is, those whose tools work go, the ones first that were served for
  // the longest time.
  void repair(std::size_t node) {
    while (used_[node] > memories_[node]) {
      Program* longest = nullptr;
      for (const auto& [expires, id] : expiries_) {
        Program& each = programs_[id];
        if (each.node == node && (longest == nullptr || each.since < longest->since)) longest = &each;
      }
      if (longest == nullptr) return;
      pause(*longest);
    }
  }

  std::map<std::size_t, Program> programs_;
  std::set<std::pair<Mono, std::size_t>> expiries_;  // of programs whose tools work
  std::map<std::size_t, double> used_, memories_;    // tokens, by node
  std::map<std::size_t, std::size_t> asking_;        // programs by request
  std::set<std::size_t> waiting_;                    // requests
  Pauses pauses_;
  balance::FadingMean read_time_{0.001};  // seconds a token
};

}  // namespace

std::unique_ptr<Rival> make_progress_ttl() { return std::make_unique<ProgressTtl>(); }

}  // namespace drover::replay
