#pragma once
// The requests that the scheduler knows: waiting in a line or running on a node.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "balance/events.h"
#include "balance/prefix_index.h"
#include "base/clock.h"
#include "base/ids.h"

namespace drover::balance {

struct Flow;
struct Lane;
struct Node;
struct Runner;

struct Request {
  RequestId id;
  Lane* lane = nullptr;

  // As it was submitted.
  Mono arrival;
  Mono deadline;  // of the request itself; while it waits, of its place in line if that is sooner
  LoadNeed need;
  std::vector<NodeId> excluded;
  std::optional<NodeId> pinned;
  RetryKind retry = RetryKind::first;
  Priority priority = Priority::normal;
  bool late = false;  // when it came it was not expected to start in time
  std::uint64_t affinity = 0;
  Prompt prompt;  // its prefix: the submission's own, or while it waits, `prefix`
  std::vector<std::uint64_t> prefix;

  // Of its line (line.h).
  Flow* flow = nullptr;
  double tokens = 0;
  std::uint64_t joined = 0;  // in this order
  std::uint64_t salt = 0;    // of its beginnings in the prefix index

  std::uint64_t decision = 0;  // its record's number (decision_log.h)

  // Neighbours in its flow, or among those that run on its runner.
  Request* before = nullptr;
  Request* behind = nullptr;

  // While it waits.
  Runner* claims = nullptr;  // the runner that is to be reloaded for it

  // While it runs.
  Node* node = nullptr;  // null: it waits
  Runner* runner = nullptr;
  Mono started;
  unsigned in_flight_at_start = 0;   // of the runner, itself included
  unsigned recoveries_at_start = 0;  // Node::recoveries at that time
  std::uint64_t ended_at_start = 0;  // Runner::ended at that time
  double writing = 0;                // writing_weight() of its answer
  double writing_at_start = 0;       // Node::writing, itself included
  PrefixIndex::Found found;          // what of its prompt was expected in the cache
  Mono silent_at{};                  // it had no byte yet then
  Mono expected_end;                 // by the estimate; its start if there was none

  bool may_use(NodeId id) const;  // neither excluded nor another than the pinned one
};

// Finds requests by id: open addressing with linear probing over a power of two, removal by shifting back (Knuth, The
// Art of Computer Programming 3, 6.4, algorithm R). Records are reused and keep their address and the capacity of their
// vectors, so nothing is allocated once the peak has been seen.
class RequestTable {
 public:
  RequestTable();

  Request* find(RequestId id);
  // `id` must not be there yet. Every field is as in a new Request, but for the capacity of `excluded`.
  Request& add(RequestId id);
  void remove(Request& request);
  std::size_t size() const { return size_; }

 private:
  std::size_t home(RequestId id) const;
  std::size_t next(std::size_t index) const { return (index + 1) & (index_.size() - 1); }
  void place(Request* request);
  void grow();

  static constexpr std::size_t kBlock = 64;  // records that are allocated at a time
  std::vector<std::unique_ptr<Request[]>> blocks_;
  std::vector<Request*> free_;
  std::vector<Request*> index_;  // null: empty; at most half full
  std::size_t size_ = 0;
};

}  // namespace drover::balance
