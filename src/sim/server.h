#pragma once
// A simulated Ollama node on a listener: real bytes in front of sim/node.h. The same flows run on Linux and in the
// simulated world.
//
// Besides Ollama's routes it has a few of its own: POST /sim/faults arms a fault (sim/faults.h), DELETE /sim/faults
// clears all, GET /sim/state tells what it does, and GET /v1/node is that of an agent beside it.

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "net/network.h"
#include "net/signal.h"
#include "net/task.h"
#include "sim/alarm.h"
#include "sim/faults.h"
#include "sim/node.h"
#include "sim/store.h"
#include "wire/server_connection.h"

namespace drover::sim {

// What the node has to say to one request, in order.
struct Mailbox {
  std::deque<NodeEvent> events;
  net::Signal signal;
};

// What a server has seen since its start.
struct Counts {
  std::map<std::string, std::uint64_t> requests;  // by path
  std::size_t in_flight = 0;                      // requests for inference
  std::uint64_t completed = 0;                    // of those, answered to the end, errors included
  std::uint64_t aborted = 0;                      // whose client left before
  std::deque<Duration> aborted_ages;              // how old those were, the last of them
  std::uint64_t tokens = 0;                       // sent or gathered
};

// Thread: the loop's. The loop must outlive it; stop() must have ended before it dies.
class Server {
 public:
  Server(net::Loop& loop, std::unique_ptr<net::Listener> listener, NodeSettings settings, std::uint64_t seed);

  void start();
  // As a node that is told to end: connections close at once, streams without their last chunk.
  net::Task<> stop();

  net::Endpoint endpoint() const { return listener_->local(); }
  const NodeSettings& settings() const { return settings_; }
  void arm(Fault fault) { faults_.arm(std::move(fault), loop_.now()); }
  void clear_faults() { faults_.clear(); }
  const Counts& counts() const { return counts_; }
  Json state() const;

 private:
  friend class Connection;
  friend class Exchange;

  net::Task<> accept();
  net::Task<> drive();
  net::Task<> serve(std::unique_ptr<net::Stream> stream);

  net::Loop& loop_;
  std::unique_ptr<net::Listener> listener_;
  NodeSettings settings_;
  std::uint64_t seed_;
  Store store_;
  Node node_;
  Faults faults_;
  Counts counts_;
  Alarm alarm_;  // wakes drive(): the node's next event may be sooner now
  std::map<AskId, Mailbox*> mailboxes_;
  std::uint64_t last_ask_ = 0;
  std::vector<std::unique_ptr<net::Stream>> leaked_;  // never answered, never closed
  bool stopping_ = false;
  wire::ServerLimits limits_;
  net::TaskGroup flows_;
};

}  // namespace drover::sim
