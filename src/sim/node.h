#pragma once
// What happens inside an Ollama node between a request and its tokens: one load at a time, a bounded queue for loads
// and none for warm models, reloads, keep-alive, evictions, and the ways in which all that goes wrong. Pure: a state
// machine over virtual time, with engine/ behind it. No bytes; those are serve.h.
//
// Sections named in comments are those of Ollama's behaviour that the tests name too: 4.1 to 4.8 scheduling.

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "engine/memory.h"
#include "engine/runner.h"
#include "sim/request.h"
#include "sim/settings.h"

namespace drover::sim {

using AskId = Id<struct AskTag>;

// One prompt and its answer. An ask has several when a request embeds several texts: they run one after another.
struct Part {
  engine::Sequence prompt;  // not empty
  std::uint32_t answer = 0;
  engine::AnswerTokens token;
  std::optional<std::uint32_t> cached{};  // engine::Job::cached
};

// What a request wants of the node.
struct Ask {
  AskId id;
  const ModelSettings* model = nullptr;  // of the node's store
  RunnerOptions options;
  std::optional<Duration> keep_alive;
  std::vector<Part> parts;  // none: only that the model is loaded
};

struct NodeEvent {
  enum class Kind : std::uint8_t {
    ready,     // a runner is there; from here it waits for a slot
    token,     //
    finished,  // `usage` sums all parts
    failed,    // and nothing more comes
  };
  Kind kind;
  AskId ask;
  Mono at;
  std::uint32_t index = 0;  // of a token
  engine::JobUsage usage{};
  Failure failure{};
};

// A loaded model as /api/ps shows it.
struct Running {
  const ModelSettings* model;  // under the name of who loaded it
  Bytes size;
  Bytes size_vram;
  Mono expires;  // kNever: for ever; in the past: busy beyond its timer
  std::uint32_t context = 0;
  std::size_t running = 0;
  std::size_t waiting = 0;
};

// What became of a request whose client left.
enum class Left : std::uint8_t {
  clean,   // nothing of it stays
  leaked,  // its connection stays open for ever, unanswered: it left before the node was ready to notice (4.6)
};

class Node {
 public:
  // The settings must outlive the node, and be valid (sim/settings.h).
  explicit Node(const NodeSettings& settings);

  void submit(Ask ask, Mono now);
  Left leave(AskId id, Mono now);
  // The client of a chunked upload left before its last chunk: the slot is lost until the model is loaded anew (6.3).
  void leak_slot(AskId id, Mono now);
  // The unload command: at once when idle, else when idle.
  void unload(const ModelSettings& model, Mono now);

  // All that happened up to `now`, in order.
  std::vector<NodeEvent> advance(Mono now);
  Mono next_event() const;

  // Of its one card: how much is in use, from 0 to 1 (slots that work, of those of the fullest model), and its memory.
  double busy() const;
  Bytes vram() const { return card_.vram; }
  Bytes vram_used() const;

  // Longest remaining time first. A model that still loads is not among them.
  std::vector<Running> running() const;
  // /api/ps answers no sooner: a runner is being torn down. kNever is never returned.
  Mono listing_ready() const;

  // The context that each slot has for such a request.
  std::uint32_t context_of(const ModelSettings& model, const RunnerOptions& options) const;

  // What nobody outside knows.
  const engine::Card& card() const { return card_; }  // as this very machine is
  bool is_loaded(const ModelSettings& model) const;
  std::size_t known(const ModelSettings& model, std::span<const engine::Piece> prompt) const;  // tokens in its cache

  // Faults.
  void delay_next_load(Duration extra) { extra_load_ += extra; }
  void kill_runner(const ModelSettings& model, Mono now);

  // Since the beginning.
  std::uint64_t loads() const { return loads_; }          // that ended well
  std::uint64_t evictions() const { return evictions_; }  // models that went because another needed their place

  std::size_t queued_loads() const { return queue_.size(); }
  std::size_t leaked() const { return leaked_; }  // connections

 private:
  enum class Phase : std::uint8_t { pinging, queued, loading, running };
  static constexpr std::size_t kDone = static_cast<std::size_t>(-1);
  struct Active {
    Ask ask;
    Phase phase = Phase::queued;
    std::size_t part = 0;  // the next one; kDone: finished, to be forgotten
    bool token_seen = false;
    engine::JobUsage usage;
  };
  struct Loaded {
    const ModelSettings* model;
    RunnerOptions options;
    std::uint32_t context;
    Bytes size;
    Bytes size_vram;
    engine::Runner runner;
    std::size_t users = 0;
    Duration lifetime{};
    Mono expires{};
    Mono timer = kNever;     // armed while idle
    Mono unloaded = kNever;  // being torn down, until then
    bool dead = false;       // its process is gone, and nobody has noticed
  };
  struct Ping {
    Mono ends;
    AskId ask;
  };
  struct Pending {
    AskId id;
    bool left = false;
  };
  // The load at the head of the queue.
  struct Head {
    Pending pending;
    const std::string* victim = nullptr;  // weights that must go first
    Mono done = kNever;                   // the load in work ends
  };

  Duration scaled(Duration time) const;
  Loaded* loaded(std::string_view weights);
  const Loaded* usable(const ModelSettings& model) const;
  bool fits_request(const Loaded& runner, const Ask& ask) const;
  std::size_t slots_of(const ModelSettings& model) const;
  void settle(Mono now);
  void step(Mono now);
  void end_ping(AskId id, Mono now);
  void set_paces(Mono now);
  void enqueue(Active& active, Mono now);
  void pump(Mono now);
  void work_on_head(Mono now);
  void begin_load(const Ask& ask, Mono now);
  void finish_load(Mono now);
  void evict(Loaded& victim, Mono now);
  void attach(Active& active, Loaded& runner, Mono now);
  void next_part(Active& active, Loaded& runner, Mono now);
  void detach(Loaded& runner, Mono now);
  void begin_unload(Loaded& runner, Mono now);
  void take(const engine::RunnerEvent& event, Loaded& runner);
  void fail(AskId id, Failure failure, Mono now);

  const NodeSettings& settings_;
  engine::Card card_;  // this very machine
  std::map<AskId, Active> active_;
  std::map<std::string_view, std::unique_ptr<Loaded>> loaded_;  // by weights; views into the settings
  std::deque<Ping> pings_;                                      // all take equally long: the first ends first
  std::deque<Pending> queue_;
  std::optional<Head> head_;
  std::vector<NodeEvent> events_;
  std::vector<engine::RunnerEvent> runner_events_;  // scratch of step()
  Duration extra_load_{};
  std::size_t leaked_ = 0;
  std::uint64_t loads_ = 0;
  std::uint64_t evictions_ = 0;
};

}  // namespace drover::sim
