#pragma once
// What is asked, when, and how large it is. A workload is decided by its settings and a seed before anything runs; only
// the pace of programs that wait for their answers is not.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "engine/sequence.h"
#include "traces/reader.h"

namespace drover::replay {

struct Question {
  std::size_t model = 0;  // of Workload::models()
  engine::Sequence prompt;
  std::uint32_t answer = 1;  // tokens
  // Names the answer's tokens (answer_token), where a later prompt may contain them.
  std::optional<engine::TokenHash> answer_name{};
  std::optional<std::size_t> program{};  // whose turn it is, or the session that a trace names
  std::size_t tenant = 0;                // of Workload::tenants()
};

engine::TokenHash answer_token(engine::TokenHash name, std::uint32_t index);

// Thread: one.
class Workload {
 public:
  virtual ~Workload() = default;
  // By name, as replay::model_named() knows them.
  virtual const std::vector<std::string>& models() const = 0;
  // By name; empty: nobody says who asks.
  virtual const std::vector<std::string>& tenants() const {
    static const std::vector<std::string> none;
    return none;
  }
  // Does it say what prompts have in common?
  virtual bool tells_reuse() const { return false; }
  // When the next question comes, as far as is known; kNever: there are no more, unless an answer brings one.
  virtual Mono next() const = 0;
  // That question. Its number is how many were taken before.
  virtual Question take() = 0;
  // Question `number` was answered, or, if not `ok`, refused.
  virtual void ended(std::size_t /*number*/, bool /*ok*/, Mono /*at*/) {}
  // Questions that will never come, since one before them was refused.
  virtual std::uint64_t lost() const { return 0; }
  // Programs: when each began and had its last answer (kNever: it was refused something). Empty: there are none.
  struct Program {
    Mono began;
    Mono ended = kNever;
  };
  virtual std::vector<Program> programs() const { return {}; }
};

enum class Synthetic : std::uint8_t {
  swap,     // six models that do not all fit, of unlike popularity
  agents,   // programs of many turns whose context grows, with pauses for tools
  tenants,  // two tenants, one of which asks ten times as much
};
std::optional<Synthetic> synthetic_named(std::string_view name);

struct SyntheticSettings {
  Synthetic kind = Synthetic::swap;
  double rate = 1;               // requests a second (agents: programs)
  std::uint64_t limit = 10'000;  // requests; agents: programs until they have as many turns
  std::uint64_t seed = 1;
};

// A trace as it is replayed: its first requests at the times at which they come.
struct Trace {
  std::vector<traces::Request> requests;  // at least one; each model by its name in `models`
  std::vector<std::string> models;
  std::vector<std::string> tenants;  // in order of their first requests; empty: the trace names none
  bool has_blocks = false;           // it says which prompts begin alike
  traces::LeftOut left_out;          // lines that are no requests
};
struct TraceSettings {
  std::string path;
  std::uint64_t limit = 10'000;     // requests at most
  double speed = 1;                 // so many times as fast as it was
  std::optional<double> rate{};     // requests a second at the mean, instead of `speed`
  std::vector<std::string> like{};  // `NAME=KNOWN`: which of replay's models stands for one of the trace
};
// Error (invalid): the file, with its line; models that replay does not know.
Result<Trace> read_trace(const TraceSettings& settings);

// The trace must outlive it.
std::unique_ptr<Workload> trace_workload(const Trace& trace);
std::unique_ptr<Workload> synthetic_workload(const SyntheticSettings& settings);

}  // namespace drover::replay
