#pragma once
// One attempt of a request on one node: connect, send, wait for the first byte of the answer.

#include <expected>
#include <memory>
#include <optional>
#include <string>

#include "api/body_edit.h"
#include "balance/scheduler.h"
#include "gateway/exchange.h"
#include "wire/client_connection.h"

namespace drover::gateway {

// A node's slot, granted to a request. Given back exactly once: when it dies, with the outcome known by then.
class Slot {
 public:
  Slot(SharedScheduler& scheduler, net::Loop& loop, RequestId request, NodeId node)
      : scheduler_(&scheduler), loop_(&loop), request_(request), node_(node) {}
  Slot(Slot&& other) noexcept
      : outcome(other.outcome),
        durations(std::move(other.durations)),
        scheduler_(std::exchange(other.scheduler_, nullptr)),
        loop_(other.loop_),
        request_(other.request_),
        node_(other.node_) {}
  Slot& operator=(Slot&&) = delete;
  ~Slot();

  NodeId node() const { return node_; }

  balance::Outcome outcome{.kind = balance::Outcome::Kind::client_cancelled};
  Pooled<balance::NodeDurations> durations;  // null until the node has told them

 private:
  SharedScheduler* scheduler_;  // null: moved from
  net::Loop* loop_;
  RequestId request_;
  NodeId node_;
};

// A node's error answer, kept so that it can be passed on when no other node is left to ask.
struct NodeRefusal {
  int status;
  std::string content_type;
  std::string body;
  std::string retry_after;  // empty: the node said nothing
};

struct AttemptFailure {
  Error error;
  std::optional<NodeRefusal> answer;  // the node's own words, if it had any
  api::Reason reason;                 // for the client, if this was the last attempt
};

// What is sent to the node.
struct NodeRequest {
  std::string_view path;
  const api::EditedBody& body;
};

// Thread: its worker's.
class Attempt {
 public:
  // `node` is one of `published`.
  Attempt(Exchange& exchange, std::shared_ptr<const Published> published, const NodeAddress& node, Slot slot)
      : exchange_(exchange), published_(std::move(published)), node_(node), slot_(std::move(slot)) {}
  // Cuts the connection if the exchange on it has not come to its end: at once, or, if the node has not had the request
  // for long enough to let go of it properly, a little later. The slot is given back with it.
  ~Attempt();

  // Ends with the first piece of a successful answer's body at hand (nothing may suspend before it is relayed), or with
  // why not. `fresh`: not over a pooled connection.
  net::Task<std::expected<wire::BodyDecoder::Piece, AttemptFailure>> start(NodeRequest request, bool fresh);

  wire::ClientConnection& upstream() { return *upstream_; }
  Slot& slot() { return slot_; }
  // A pooled connection that may have been closed before the request reached the node: it has not answered on it.
  bool reused_connection() const { return reused_; }
  // The node still answers probes: silence is work, not death.
  bool node_is_alive() const;
  // The body broke the rules of its framing, in this way (BodyDecoder::reason).
  void count_fault(std::string_view reason);
  // The answer was relayed to its end: keeps the connection for the next request if the node does.
  void complete();

 private:
  std::string head_for_node(NodeRequest request);
  net::Task<std::expected<void, wire::Failure>> await_first_byte(bool began);
  net::Task<AttemptFailure> read_refusal();
  observe::MetricShard& metrics() { return exchange_.worker.metrics(); }
  AttemptFailure failed(ErrorCode code, api::Reason reason, std::string_view what);
  AttemptFailure failed(const wire::Failure& failure, std::string_view what);

  Exchange& exchange_;
  const std::shared_ptr<const Published> published_;  // keeps the address while others replace it
  const NodeAddress& node_;
  Slot slot_;
  std::optional<wire::ClientConnection> upstream_;
  bool reused_ = false;
  bool complete_ = false;
  bool node_left_ = false;  // its side of the connection is over
  Mono sent_at_ = kNever;   // when the node had the whole request
};

}  // namespace drover::gateway
