#include "world/campaign.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <deque>

#include "base/check.h"
#include "base/json.h"

namespace drover::world {
namespace {

// ---- a verdict on its way from one process to another

Json to_json(const Verdict& verdict) {
  Json json{{"last_events", verdict.last_events},
            {"trace_hash", verdict.trace_hash},
            {"events", verdict.events},
            {"simulated_seconds", verdict.simulated_seconds},
            {"requests", verdict.requests},
            {"chunks", verdict.chunks},
            {"live_streams", verdict.live_streams},
            {"met", verdict.met},
            {"outcomes", verdict.outcomes}};
  if (verdict.complaint) {
    json["complaint"] = {{"oracle", verdict.complaint->oracle},
                         {"text", verdict.complaint->text},
                         {"at", verdict.complaint->at.time_since_epoch().count()},
                         {"event", verdict.complaint->event}};
  }
  return json;
}

Verdict read_verdict(const Json& json) {
  Verdict verdict;
  verdict.last_events = json["last_events"].get<std::vector<std::string>>();
  verdict.trace_hash = json["trace_hash"];
  verdict.events = json["events"];
  verdict.simulated_seconds = json["simulated_seconds"];
  verdict.requests = json["requests"];
  verdict.chunks = json["chunks"];
  verdict.live_streams = json["live_streams"];
  verdict.met = json["met"].get<std::map<std::string, std::uint64_t>>();
  verdict.outcomes = json["outcomes"].get<std::map<std::string, std::uint64_t>>();
  if (json.contains("complaint")) {
    const Json& complaint = json["complaint"];
    verdict.complaint = Complaint{complaint["oracle"], complaint["text"],
                                  Mono{Duration{complaint["at"].get<std::int64_t>()}}, complaint["event"]};
  }
  return verdict;
}

// A world in a process of its own.
class Child {
 public:
  Child(std::uint64_t seed, const Overrides& overrides) : seed_(seed) {
    std::array<int, 2> ends{};
    CHECK(::pipe(ends.data()) == 0);
    std::fflush(nullptr);
    process_ = ::fork();
    CHECK(process_ >= 0);
    if (process_ == 0) {
      ::close(ends[0]);
      const Verdict verdict = run_world(draw_plan(seed, overrides));
      std::FILE* out = ::fdopen(ends[1], "w");
      const std::string text = to_text(to_json(verdict));
      std::fwrite(text.data(), 1, text.size(), out);
      std::fclose(out);
      ::_exit(0);
    }
    ::close(ends[1]);
    from_ = ends[0];
  }

  std::uint64_t seed() const { return seed_; }

  Verdict wait() {
    std::string text;
    std::array<char, 65536> buffer;
    for (ssize_t got; (got = ::read(from_, buffer.data(), buffer.size())) > 0;) {
      text.append(buffer.data(), static_cast<std::size_t>(got));
    }
    ::close(from_);
    int status = 0;
    ::waitpid(process_, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return read_verdict(*parse_json(text));
    Verdict verdict;
    verdict.complaint = Complaint{"crash",
                                  WIFSIGNALED(status) ? fmt::format("ended by signal {}", WTERMSIG(status))
                                                      : fmt::format("ended with status {}", WEXITSTATUS(status)),
                                  Mono{}, 0};
    return verdict;
  }

 private:
  std::uint64_t seed_;
  pid_t process_ = -1;
  int from_ = -1;
};

double children_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_CHILDREN, &usage);
  const auto of = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

void add(Report& report, std::uint64_t seed, const Verdict& verdict) {
  ++report.worlds;
  report.failed += verdict.complaint.has_value();
  report.events += verdict.events;
  report.requests += verdict.requests;
  report.chunks += verdict.chunks;
  report.simulated_seconds += verdict.simulated_seconds;
  report.live_streams += (verdict.live_streams - report.live_streams) / static_cast<double>(report.worlds);
  report.trace_hash = report.trace_hash * 31 + verdict.trace_hash;
  for (const auto& [name, count] : verdict.met) {
    report.met[name] += count;
    report.first_seed.try_emplace(name, seed);
  }
  for (const auto& [name, count] : verdict.outcomes) report.outcomes[name] += count;
}

}  // namespace

Verdict run_apart(std::uint64_t seed, const Overrides& overrides) { return Child(seed, overrides).wait(); }

Report run_campaign(const CampaignOptions& options, const std::function<bool(const Failure&)>& failed) {
  Report report;
  const double before = children_seconds();
  std::deque<Child> running;
  bool going = true;
  for (std::uint64_t seed = options.first_seed; seed <= options.last_seed || !running.empty();) {
    while (going && running.size() < options.jobs && seed <= options.last_seed) {
      running.emplace_back(seed++, options.overrides);
    }
    if (running.empty()) break;
    const std::uint64_t its_seed = running.front().seed();
    const Verdict verdict = running.front().wait();
    running.pop_front();
    add(report, its_seed, verdict);
    if (verdict.complaint && !failed({its_seed, options.overrides, verdict})) going = false;
  }
  report.cpu_seconds = children_seconds() - before;
  return report;
}

Failure shrink(Failure failure, const std::function<void(const Failure&)>& tried) {
  const std::string oracle = failure.verdict.complaint->oracle;
  const auto still_fails = [&](const Overrides& smaller) {
    Verdict verdict = run_apart(failure.seed, smaller);
    if (!verdict.complaint || verdict.complaint->oracle != oracle) return false;
    failure.overrides = smaller;
    failure.verdict = std::move(verdict);
    tried(failure);
    return true;
  };
  // Time first: every later world is then short.
  for (double minutes : {failure.overrides.minutes / 2, failure.overrides.minutes / 4, failure.overrides.minutes / 8}) {
    Overrides smaller = failure.overrides;
    smaller.minutes = minutes;
    if (!still_fails(smaller)) break;
  }
  for (bool smaller_yet = true; smaller_yet;) {
    smaller_yet = false;
    const Plan plan = draw_plan(failure.seed, failure.overrides);
    const auto leave_out = [&](std::string_view what) {
      Overrides smaller = failure.overrides;
      smaller.without.emplace_back(what);
      smaller_yet |= still_fails(smaller);
    };
    for (std::size_t i = 0; i < kFaultCount; ++i) {
      if (plan.faults.test(i)) leave_out(name(static_cast<Fault>(i)));
    }
    for (std::size_t i = 1; i < kHabitCount; ++i) {
      if (plan.habits.test(i)) leave_out(name(static_cast<Habit>(i)));
    }
    Overrides fewer = failure.overrides;
    fewer.nodes = plan.nodes - 1;
    if (plan.nodes > 1) smaller_yet |= still_fails(fewer);
    Overrides calmer = failure.overrides;
    calmer.rate = plan.rate / 2;
    if (plan.rate > 1) smaller_yet |= still_fails(calmer);
  }
  return failure;
}

}  // namespace drover::world
