#pragma once
// What goes into the scheduler and what comes out: events and decisions, plain values.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "balance/health.h"
#include "balance/priority.h"
#include "balance/slots.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/result.h"

namespace drover::balance {

using RunnerKey = Id<struct RunnerTag>;  // equal for names of the same weights: they share slots and residency
using LoadToken = Id<struct LoadTag>;    // one load
using UnloadToken = Id<struct UnloadTag>;

// ---- the fleet

// How fast a node should be by what the maker of its GPU says, as multiples of a GPU that all are compared with.
struct CardSpeed {
  double reading = 1;  // of prompts: arithmetic
  double writing = 1;  // of answers: the bandwidth of its memory
  friend bool operator==(CardSpeed, CardSpeed) = default;
};

struct NodeSpec {
  NodeId id;
  std::string name{};          // unique; routes speak of it
  std::uint64_t identity = 0;  // Candidate::identity
  double weight = 1;           // above 0
  SlotSetting slots{};
  std::optional<unsigned> max_loaded{};  // models that it holds at once, where that is known
  std::optional<CardSpeed> card{};       // where its GPU is known
};

// One name that a node can serve.
struct ModelOnNode {
  std::string model;  // canonical, lower case
  RunnerKey runner;
  bool resident = false;                 // in memory now
  std::uint64_t context = 0;             // effective tokens per slot; 0: unknown
  std::optional<unsigned> slots_hint{};  // where the node says it
};

// What of a node's GPUs is in use, from 0 to 1.
struct GpuLoad {
  double busy = 0;    // of the time
  double memory = 0;  // of the bytes
};

struct ProbeResult {
  std::optional<ErrorCode> failed{};  // none: passed
};

// ---- requests

// The options that would make a node load the model anew. Of none the request wants the node's own defaults, which is a
// need like any other: Ollama reloads for it too.
struct LoadNeed {
  std::uint64_t fingerprint = 0;  // of all but num_ctx (num_gpu, num_batch, ...), hashed; 0: none of them
  std::uint64_t context = 0;      // num_ctx, in tokens; 0: it names none
  friend constexpr auto operator<=>(LoadNeed, LoadNeed) = default;
};

// Which runners will do for a request that names its context (context.h).
enum class ContextRule : std::uint8_t {
  fit,      // those that have enough
  as_sent,  // those that were loaded for just that number
};
inline constexpr std::array<std::string_view, 2> kContextRuleNames = {"fit", "as_sent"};

// What becomes of the context that a request names.
struct ContextFit {
  std::uint64_t tokens = 0;  // it gets so many; 0: unknown, or it named none
  // What it must say instead, so that the node keeps the runner; 0: nothing. Unset: it goes as it came.
  std::optional<std::uint64_t> num_ctx{};
};

enum class RetryKind : std::uint8_t {
  first,      // the first attempt: counts against the queue bound
  lost_node,  // its node was lost or busy loading: back to its old place, outside retry budget and queue bound
  budgeted,   // any other retry: a part of the retry budget until it ends
};

// What is known of a request's work before it runs, for estimates.
struct Prompt {
  std::uint64_t bytes = 0;                  // of text; 0: unknown
  std::span<const std::uint64_t> prefix{};  // chained hashes of its beginning, one a kPrefixBlock; read during the call
  std::optional<std::uint32_t> max_answer{};  // tokens, where the client bounds them
};
inline constexpr std::uint64_t kPrefixBlock = 256;  // bytes

struct Submission {
  RequestId request;
  std::string_view model;  // canonical, lower case; read during the call only
  Mono now;
  Mono arrival;            // when the client's request came; before `now` for retries. Orders the queue
  Mono deadline = kNever;  // of the whole request
  LoadNeed need{};
  std::span<const NodeId> excluded{};  // tried in vain; read during the call only
  RetryKind retry = RetryKind::first;
  std::optional<NodeId> pinned{};      // this node or none
  std::uint64_t affinity = 0;          // PickContext::affinity
  std::string_view tenant{};           // who asks; empty: one of those without a name. Read during the call only
  std::optional<Priority> priority{};  // else that of the tenant
  Prompt prompt{};
  std::string_view name{};  // by which people know the request. Read during the call only
};

// Why this node: `pinned`, `only_one`, or the name of the policy that chose it.
using Reason = std::string_view;
inline constexpr Reason kPinned = "pinned";
inline constexpr Reason kOnlyOne = "only_one";

// Why no node.
enum class Why : std::uint8_t {
  no_such_model,  // no node ever said that it has it
  no_backend,     // nodes have it, but none that is healthy and not excluded
  queue_full,
  tenant_queue_full,  // so many of this tenant wait already
  budget_exhausted,   // too many retries already
  deadline,           // of the request, or the longest wait in the queue
  load_failed,        // every node that could serve it has just failed to load it
};
std::string_view name(Why why);

// The request has a slot of this node until finished() or cancelled().
struct Start {
  NodeId node;
  Reason reason;
  ContextFit context{};
  Duration expected{};  // until it has ended there, as the policy estimates; 0: it does not
};
// A Grant or Refuse follows, unless cancelled() comes first.
struct Queued {
  std::size_t position;            // so many go before it, and itself, as things are
  std::optional<Duration> wait{};  // until it starts, by how fast its line moves; none: nothing is known of that
};
// The scheduler knows nothing of the request any more.
struct Refused {
  Why why;
  Duration retry_after{};  // an estimate for the client; 0: do not come back
};
using Decision = std::variant<Start, Queued, Refused>;

// How an attempt ended.
struct Outcome {
  enum class Kind : std::uint8_t {
    ok,
    client_cancelled,  // no judgement of the node
    node_failed,       // before the first byte, by `code`
    truncated,         // after it
  };
  Kind kind = Kind::ok;
  ErrorCode code = ErrorCode::closed;  // unless ok or client_cancelled
  int status = 0;                      // the node's, if it answered: a refusal below 500 is the request's fault
  bool reused_connection = false;      // a pooled connection had gone stale: no failure of the node
  // Tokens of the prompt, and of the answer so far, where they are known: durations, if there are any, tell them, too.
  std::optional<std::uint64_t> prompt_tokens{};
  std::optional<std::uint64_t> answer_tokens{};
};

// How a load ended.
struct LoadOutcome {
  std::optional<ErrorCode> failed{};  // none: the model is in memory
  std::uint64_t context = 0;          // then: as in ModelOnNode, as of the poll behind the load
};

// ---- decisions beside the answer

// A queued request got a slot, until finished() or cancelled().
struct Grant {
  RequestId request;
  NodeId node;
  Reason reason;
  ContextFit context{};
  Duration expected{};  // Start::expected
};
// A queued request is sent away: the scheduler knows nothing of it any more.
struct Refuse {
  RequestId request;
  Why why;
  Duration retry_after{};
};
// Load `model` on `node` through the gateway's own patient connection, with the context of `need` and the other reload
// options of `request` (keep them now: the request may leave, the load goes on), then poll the node, report the poll,
// and then loaded(token). One at a time per node. It takes no slot. Nothing of ours runs on the model that is to go,
// and nothing starts there meanwhile.
struct Load {
  LoadToken token;
  NodeId node;
  std::string model;
  LoadNeed need{};
  RequestId request;
  std::string evict{};  // unload this model first, to make room; empty: none
};
struct HealthChange {
  NodeId node;
  Health from;
  Health to;
  HealthReason why;
};
// The scheduler's own first request to a node that comes back, or that somebody asked to try: a tiny generation by
// `model`, which is in memory there, whose answer is to be checked. It holds a slot as any request: finished() follows.
struct Trial {
  RequestId request;  // at least kFirstOwnRequest
  NodeId node;
  std::string model;
};
inline constexpr RequestId kFirstOwnRequest{1ULL << 63};  // callers' ids are below
// A slot of `model` has leaked on `node` (leak.h), and none of our requests runs there: unload it, if nobody else's
// does, and report that with unloaded(token). Nothing starts there meanwhile.
struct Unload {
  UnloadToken token;
  NodeId node;
  std::string model;
};
using Action = std::variant<Grant, Refuse, Load, HealthChange, Trial, Unload>;
using Actions = std::vector<Action>;  // in the order in which they were decided

}  // namespace drover::balance
