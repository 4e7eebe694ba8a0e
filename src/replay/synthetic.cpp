#include <algorithm>
#include <limits>
#include <queue>
#include <tuple>

#include "replay/draw.h"
#include "replay/workload.h"

namespace drover::replay {
namespace {

// Lengths as those of the Azure conversation trace of 2023 (Patel and others, Splitwise, ISCA 2024): prompts of 1,155
// and answers of 211 tokens at the mean, with a long tail.
Question conversation(Random& random, std::uint64_t number) {
  const std::uint32_t prompt = lognormal_tokens(random, 700, 1.0, 16, 6'000);
  Question question{.prompt = {}, .answer = lognormal_tokens(random, 130, 1.0, 1, 1'000)};
  question.prompt.emplace_back(number, prompt);
  return question;
}

// Questions at random moments, independent of one another.
class Poisson : public Workload {
 public:
  explicit Poisson(const SyntheticSettings& settings) : random_(settings.seed), settings_(settings) { step(); }

  Mono next() const override { return taken_ == settings_.limit ? kNever : next_; }

  Question take() override {
    Question question = conversation(random_, taken_);
    attribute(question, random_);
    ++taken_;
    step();
    return question;
  }

 private:
  virtual void attribute(Question& question, Random& random) = 0;
  void step() { next_ += gap(random_, settings_.rate); }

  Random random_;
  SyntheticSettings settings_;
  std::uint64_t taken_ = 0;
  Mono next_{};
};

// Popularity by Zipf's law: the n-th model is asked for 1/n as often as the first.
class Swap final : public Poisson {
 public:
  using Poisson::Poisson;
  const std::vector<std::string>& models() const override {
    static const std::vector<std::string> names{"llama3.2:3b", "qwen3:8b",    "mistral:7b",
                                                "phi4:14b",    "llama3.1:8b", "gemma3:4b"};
    return names;
  }

 private:
  void attribute(Question& question, Random& random) override {
    double all = 0;
    for (std::size_t i = 0; i < models().size(); ++i) all += 1.0 / static_cast<double>(i + 1);
    double draw = random.uniform() * all;
    while (question.model + 1 < models().size()) {
      draw -= 1.0 / static_cast<double>(question.model + 1);
      if (draw < 0) break;
      ++question.model;
    }
  }
};

const std::vector<std::string>& one_model() {
  static const std::vector<std::string> names{"llama3.2:3b"};
  return names;
}

class Tenants final : public Poisson {
 public:
  using Poisson::Poisson;
  const std::vector<std::string>& models() const override { return one_model(); }
  const std::vector<std::string>& tenants() const override {
    static const std::vector<std::string> names{"greedy", "modest"};
    return names;
  }

 private:
  void attribute(Question& question, Random& random) override { question.tenant = random.below(11) == 0 ? 1 : 0; }
};

// ---- programs

constexpr std::uint32_t kSystemPrompt = 600;  // tokens, the same in all programs
constexpr std::uint32_t kLongest = 24'000;    // tokens of context, where a program ends
constexpr std::uint64_t kFewestTurns = 5;
constexpr std::uint64_t kMostTurns = 40;

struct Turn {
  std::uint32_t added;   // tokens before it: the task, or what the tool said
  std::uint32_t answer;  // tokens
  Duration pause;        // the tool's, after the answer
};

struct Script {
  Mono begins;
  std::vector<Turn> turns;
};

// A program's context grows from 1 k tokens to 24 k, so short programs read more at a time than long ones.
Script draw_script(Mono begins, Random random) {
  Script script{.begins = begins, .turns = {}};
  const std::uint64_t turns = kFewestTurns + random.below(kMostTurns - kFewestTurns + 1);
  const double growth = 23'000.0 / static_cast<double>(turns);  // tokens a turn
  std::uint32_t context = kSystemPrompt;
  for (std::uint64_t i = 0; i < turns; ++i) {
    const Turn turn{.added = i == 0 ? 400 : lognormal_tokens(random, 0.6 * growth, 0.7, 16, 8'000),
                    .answer = lognormal_tokens(random, std::min(0.25 * growth, 200.0), 0.7, 8, 1'000),
                    .pause = Duration(std::llround(std::min(lognormal(random, 2, 1), 300.0) * 1e9))};
    context += turn.added + turn.answer;
    if (context > kLongest) break;
    script.turns.push_back(turn);
  }
  return script;
}

class Agents final : public Workload {
 public:
  explicit Agents(const SyntheticSettings& settings) {
    Random random(settings.seed);
    Mono begins{};
    for (std::uint64_t turns = 0; turns < settings.limit;) {
      begins += gap(random, settings.rate);
      scripts_.push_back(draw_script(begins, random.split(scripts_.size())));
      turns += scripts_.back().turns.size();
      states_.push_back({.context = {}, .program = {.began = begins}});
      due_.push({begins, scripts_.size() - 1});
    }
  }

  const std::vector<std::string>& models() const override { return one_model(); }
  bool tells_reuse() const override { return true; }
  Mono next() const override { return due_.empty() ? kNever : due_.top().at; }

  Question take() override {
    const std::size_t index = due_.top().program;
    due_.pop();
    const Turn& turn = scripts_[index].turns[states_[index].turn];
    State& state = states_[index];
    if (state.turn == 0) state.context.emplace_back(kSystemHash, kSystemPrompt);
    const engine::TokenHash name = (index << 8) + state.turn + 1;
    state.context.emplace_back(answer_token(name, kAdded), turn.added);
    owners_.push_back(index);
    return {.prompt = state.context, .answer = turn.answer, .answer_name = name, .program = index};
  }

  void ended(std::size_t number, bool ok, Mono at) override {
    const std::size_t index = owners_[number];
    State& state = states_[index];
    const Script& script = scripts_[index];
    if (!ok) {
      lost_ += script.turns.size() - state.turn - 1;
      state.context = {};
      return;
    }
    const Turn& turn = script.turns[state.turn];
    const engine::TokenHash name = (index << 8) + state.turn + 1;
    if (++state.turn == script.turns.size()) {
      state.program.ended = at;
      state.context = {};
      return;
    }
    for (std::uint32_t i = 0; i < turn.answer; ++i) state.context.emplace_back(answer_token(name, i));
    due_.push({at + turn.pause, index});
  }

  std::uint64_t lost() const override { return lost_; }
  std::vector<Program> programs() const override {
    std::vector<Program> all;
    for (const State& state : states_) all.push_back(state.program);
    return all;
  }

 private:
  static constexpr engine::TokenHash kSystemHash = 1;
  // Names what came before an answer by the same name: no answer is as long.
  static constexpr std::uint32_t kAdded = std::numeric_limits<std::uint32_t>::max();
  struct State {
    std::size_t turn = 0;      // the next one, or the one that is asked
    engine::Sequence context;  // all that was said
    Program program;
  };
  struct Due {
    Mono at;
    std::size_t program;
    bool operator>(const Due& other) const { return std::tie(at, program) > std::tie(other.at, other.program); }
  };

  std::vector<Script> scripts_;
  std::vector<State> states_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  std::vector<std::size_t> owners_;  // of each question: its program
  std::uint64_t lost_ = 0;
};

}  // namespace

// The finaliser of SplitMix64, so that neighbours have nothing in common.
engine::TokenHash answer_token(engine::TokenHash name, std::uint32_t index) {
  return Random(name * 0x9e3779b97f4a7c15 + index).next();
}

std::optional<Synthetic> synthetic_named(std::string_view name) {
  if (name == "swap") return Synthetic::swap;
  if (name == "agents") return Synthetic::agents;
  if (name == "tenants") return Synthetic::tenants;
  return std::nullopt;
}

std::unique_ptr<Workload> synthetic_workload(const SyntheticSettings& settings) {
  switch (settings.kind) {
    case Synthetic::swap: return std::make_unique<Swap>(settings);
    case Synthetic::agents: return std::make_unique<Agents>(settings);
    case Synthetic::tenants: return std::make_unique<Tenants>(settings);
  }
}

}  // namespace drover::replay
