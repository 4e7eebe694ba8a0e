#pragma once
// What really happened, told from both ends: every request that clients sent, what the gateway made of it on which
// nodes, what it gave back. Read from the bytes on all connections and from the access log, never from the gateway's
// own state. Whoever wants to know (oracles, rare conditions) is a Witness.

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "balance/snapshot.h"
#include "base/json.h"
#include "base/units.h"
#include "net/sim_world.h"
#include "world/message_reader.h"
#include "world/plan.h"
#include "world/trace.h"

namespace drover::world {

// What a client is about to ask; known before the first byte leaves.
struct Asked {
  enum class Kind : std::uint8_t { prompt, embedding, command, listing, unknown_model };
  std::string id;  // its x-request-id, unique in the world
  Habit habit = Habit::patient;
  Kind kind = Kind::prompt;
  std::string path;
  std::string model;   // by its own name; empty: whichever of a split
  std::string called;  // what the client calls it
  bool openai = false;
  char session = 0;  // that it names; 0: none
  std::string tenant{};
  bool has_priority = false;        // named by itself
  std::size_t prompt_bytes = 0;     // of a prompt
  std::uint32_t answer_tokens = 0;  // of its answer, if that is whole
  std::uint64_t num_ctx = 0;        // the context that it names; 0: none
};

// One time that the gateway sent a request to a node.
struct Attempt {
  std::size_t node = 0;
  net::LinkId link = 0;
  bool reused = false;              // not the first request on that connection
  Mono began{};                     // the gateway wrote its first byte
  std::optional<Mono> sent{};       // and its last
  std::string model{};              // then: that the node is asked for
  std::uint64_t num_ctx = 0;        // and the context that its body names; 0: none
  int status = 0;                   // of the answer's head, as it arrived at the gateway
  std::string payload;              // of the answer, as it arrived
  bool complete = false;            // the answer's framing ended properly
  std::optional<Mono> last_byte{};  // of the answer
  bool node_left = false;           // FIN or RST of the node has arrived
  bool open = true;                 // neither complete, nor ended by either side
  std::optional<Mono> cut{};        // the gateway closed or reset the connection before the answer was complete
};

struct Request {
  Asked asked;
  unsigned life = 0;  // of the gateway: which incarnation it reached
  net::LinkId link = 0;
  Mono began{};                       // its head has arrived at the gateway
  std::optional<Mono> arrived{};      // all of it
  std::optional<Mono> client_gone{};  // FIN or RST of the client has arrived before the answer was complete
  bool link_broken = false;           // the network broke its connection
  std::vector<Attempt> attempts{};

  int status = 0;            // of the answer that the gateway gave
  std::string reason{};      // x-drover-reason of it
  std::string served{};      // x-drover-model
  std::string fell_back{};   // x-drover-fallback
  Duration queued{};         // x-drover-queue-ms
  bool relayed = false;      // the answer is a node's
  bool turned_away = false;  // its connection was, before anything of the request was read
  bool streams = false;      // lines or events, by its content type
  std::string body{};        // of the answer, if it is a node's, as the gateway sent it
  std::optional<Mono> first_byte{};
  std::optional<Mono> ended{};       // the answer: properly
  std::optional<Mono> broken_off{};  // the gateway closed or reset the connection, and it was not
  bool lost = false;                 // the gateway crashed meanwhile
  std::vector<Json> lines{};         // of the access log

  bool over() const { return ended || broken_off || client_gone || lost || link_broken; }
  // How much of the body is the node's; what follows is an error frame of ours, which begins on a line of its own.
  std::size_t node_part() const;
  // Which attempt was the last that a node got all of before this one; null: none.
  const Attempt* sent_before(const Attempt& attempt) const;
  // The outcome that the access log tells; empty: nothing yet.
  std::string outcome() const;
};

// The state of the gateway at a moment, looked at from time to time.
struct Look {
  Mono now;
  unsigned life;  // of the gateway
  const balance::Snapshot& snapshot;
  Bytes buffered;
  std::size_t most_unsent;                      // of one connection of the gateway
  bool pauses;                                  // some node is not read because its client is slow
  bool stopping;                                // SIGTERM was sent
  std::set<std::size_t> alive;                  // nodes whose last probe passed
  std::span<const std::uint64_t> name_lookups;  // by observe::NameLookup
};

class Witness {
 public:
  virtual ~Witness() = default;
  virtual void request_arrived(const Request&) {}
  virtual void attempt_began(const Request&, const Attempt&) {}
  virtual void attempt_sent(const Request&, const Attempt&) {}   // all of it, while it is open
  virtual void attempt_ended(const Request&, const Attempt&) {}  // in whichever way
  virtual void forwarded(const Request&, std::string_view) {}    // a piece of a node's answer
  virtual void answer_began(const Request&) {}
  virtual void answer_ended(const Request&) {}  // properly, or broken off
  virtual void client_gone(const Request&) {}
  virtual void logged(const Request&) {}                    // its line of the access log
  virtual void told(std::string_view, std::string_view) {}  // an event of the gateway's log, and its line
  virtual void struck(Fault) {}                             // chaos did something
  virtual void looked(const Look&) {}
  virtual void at_rest() {}  // all has ended
};

class Ledger final : public net::LinkTap {
 public:
  Ledger(const Clock& clock, Trace& trace) : clock_(clock), trace_(trace) {}

  void add(Witness& witness) { witnesses_.push_back(&witness); }

  // The world's geography.
  void set_gateway(const net::Endpoint& at) { gateway_ = at; }
  void set_node(std::size_t index, const net::Endpoint& at) { nodes_[at] = index; }
  // A new incarnation of the gateway, and the networks of its threads.
  void gateway_started(unsigned life, const std::vector<const net::Network*>& networks);
  void gateway_crashed();
  // In this moment: whatever ends now ends by that.
  bool crashing() const { return crashed_ == now(); }

  void asks(Asked asked) { asked_[asked.id] = std::move(asked); }
  void line(unsigned life, std::string_view text);
  void told(std::string_view event, std::string_view text);
  void struck(Fault fault, std::string what);
  void looked(const Look& look);
  void at_rest();

  const std::deque<Request>& requests() const { return requests_; }
  // When the gateway last heard from a node that it lists nothing, true or not; never: the beginning of time.
  Mono listed_nothing(std::size_t node) const {
    const auto found = listed_nothing_.find(node);
    return found == listed_nothing_.end() ? Mono{} : found->second;
  }
  std::size_t open() const { return open_; }  // requests whose head came and whose line did not
  std::uint64_t lines(unsigned life) const;   // of the access log
  std::uint64_t lines_with(unsigned life, std::string_view outcome) const;

  void opened(net::LinkId link, const net::Network& dialler, const net::Endpoint& to) override;
  void wrote(net::LinkId link, net::End by, std::string_view bytes) override;
  void arrived(net::LinkId link, net::End from, std::string_view bytes) override;
  void finished(net::LinkId link, net::End by) override;
  void aborted(net::LinkId link, net::End by) override;
  void end_arrived(net::LinkId link, net::End from) override;
  void reset_arrived(net::LinkId link, net::End from) override;

 private:
  // A client's connection: requests come, answers go, in that order.
  struct ClientLink {
    MessageReader requests{MessageReader::Side::requests};
    MessageReader answers{MessageReader::Side::responses};
    std::deque<Request*> waiting{};  // the first one is being answered
    Request* coming = nullptr;
    unsigned life = 0;
    bool turned_away = false;  // nothing that comes is read as a request any more
  };
  // A connection of the gateway to a node: one request at a time.
  struct NodeLink {
    std::size_t node = 0;
    unsigned life = 0;
    MessageReader requests{MessageReader::Side::requests};
    MessageReader answers{MessageReader::Side::responses};
    std::string body{};          // of the request, so far
    Request* request = nullptr;  // under way; null: a probe, or nothing
    std::size_t attempt = 0;     // of its attempts
    std::size_t carried = 0;     // requests so far
  };

  Mono now() const { return clock_.mono(); }
  template <typename Call>
  void tell(Call call) {
    for (Witness* witness : witnesses_) call(*witness);
  }
  void request_bytes(ClientLink& link, net::LinkId id, std::string_view bytes);
  void answer_bytes(ClientLink& link, std::string_view bytes);
  void client_left(ClientLink& link, bool network);
  void closed(net::LinkId link, net::End by);
  void gateway_left(ClientLink& link);
  void attempt_bytes(NodeLink& link, net::LinkId id, std::string_view bytes);
  void node_bytes(NodeLink& link, std::string_view bytes);
  void node_left(NodeLink& link);
  void end_attempt(NodeLink& link);

  const Clock& clock_;
  Trace& trace_;
  std::vector<Witness*> witnesses_;
  net::Endpoint gateway_;
  std::map<net::Endpoint, std::size_t> nodes_;
  std::map<const net::Network*, unsigned> lives_;  // only looked up, never walked: addresses differ from run to run
  unsigned life_ = 0;
  std::optional<Mono> crashed_{};  // when the gateway did last
  std::map<std::string, Asked, std::less<>> asked_;
  std::deque<Request> requests_;
  std::map<std::string, Request*, std::less<>> by_id_;
  std::map<std::size_t, Mono> listed_nothing_;  // by node
  std::map<net::LinkId, ClientLink> clients_;
  std::map<net::LinkId, NodeLink> upstreams_;
  std::map<std::pair<unsigned, std::string>, std::uint64_t> lines_;  // by life and outcome
  std::size_t open_ = 0;
};

}  // namespace drover::world
