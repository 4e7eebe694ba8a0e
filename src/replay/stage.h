#pragma once
// Nodes, requests and virtual time: what a router acts on. The nodes are sim::Node, which behaves as a real Ollama
// does; there are no sockets and no bytes.

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "balance/slots.h"
#include "base/clock.h"
#include "replay/fleet.h"
#include "replay/workload.h"
#include "sim/node.h"

namespace drover::replay {

class Router;

enum class End : std::uint8_t {
  open,
  ok,
  refused,
  left_out,  // no node's context fits it
};

// A request on its way, and what came of it.
struct Request {
  Question question;         // its prompt is given away when it starts
  std::uint64_t tokens = 0;  // of the prompt
  std::uint64_t bytes = 0;   // of its text
  Mono arrived;
  std::size_t node = 0;  // once it was started
  Mono started{};
  std::optional<Duration> told{};  // how long it would wait, when it came
  Duration load{};                 // until a runner was there for it
  std::optional<Mono> first_token{};
  Mono ended{};
  engine::JobUsage usage{};
  End end = End::open;
};

class Stage {
 public:
  // `fleet`: as it truly is; `bytes_per_token`: of each model of the workload. Both must outlive this.
  Stage(const Fleet& fleet, const std::vector<double>& bytes_per_token, Workload& workload);

  // Before anything else: each node has loaded what of the workload's models fits, in their order. Counts as no load.
  void warm_up();
  // Until every request has ended.
  void run(Router& router);
  std::uint64_t loads(std::size_t node) const { return nodes_[node].node.loads() - nodes_[node].warm; }

  // ---- for routers

  Mono now() const { return now_; }
  std::size_t nodes() const { return nodes_.size(); }
  const sim::NodeSettings& settings(std::size_t node) const { return fleet_[node]; }
  const sim::Node& node(std::size_t node) const { return nodes_[node].node; }
  // nullptr: it does not hold the model.
  const sim::ModelSettings* model_on(std::size_t node, std::size_t model) const { return nodes_[node].models[model]; }
  const Request& request(std::size_t request) const { return requests_[request]; }
  std::span<const Request> requests() const { return requests_; }
  // Of the prompt's text (prompt_blocks.h); valid until the next call. Only before the request starts.
  std::span<const std::uint64_t> prefix(std::size_t request);
  // The node holds the model, with a context for prompt and answer.
  bool can_serve(std::size_t node, const Request& request) const;

  // `cached`: tokens of the prompt that the node need not read, whatever its cache says.
  void start(std::size_t request, std::size_t node, std::optional<std::uint32_t> cached = {});
  // It waits, and was told for how long.
  void tell(std::size_t number, Duration wait) { requests_[number].told = wait; }
  void refuse(std::size_t request);
  // Has a model loaded, without a prompt; Router::loaded tells when.
  void load(std::size_t node, std::size_t model, std::uint64_t token);
  // At once if it is idle there, else when it is.
  void unload(std::size_t node, std::size_t model);

 private:
  struct Machine {
    sim::Node node;
    std::vector<const sim::ModelSettings*> models;  // by number of the workload's
    std::uint64_t warm = 0;                         // loads before the beginning
  };

  void arrive(Router& router);
  void advance(std::size_t node, Router& router);
  void take(const sim::NodeEvent& event, Router& router);
  void end(std::size_t request, End end);

  const Fleet& fleet_;
  const std::vector<double>& bytes_per_token_;
  Workload& workload_;
  std::deque<Machine> nodes_;
  std::vector<Mono> due_;  // of each node: its next event
  std::vector<Request> requests_;
  std::size_t open_ = 0;               // requests that have not ended
  std::vector<std::uint64_t> blocks_;  // what prefix() gives
  Mono now_{};
};

}  // namespace drover::replay
