#pragma once
// Asks a server, and judges what it answers. As a real client it keeps connections and uses them again.

#include <deque>
#include <memory>

#include "load/outcome.h"
#include "load/question.h"
#include "load/settings.h"
#include "net/network.h"
#include "wire/client_connection.h"

namespace drover::load {

// Thread: the loop's. `network` and `settings` must outlive it.
class Client {
 public:
  Client(net::Network& network, const net::Endpoint& target, const Settings& settings, Mono start)
      : network_(network), target_(target), settings_(settings), start_(start) {}

  // Sends the request and reads its answer to the end. Whatever happens is in the outcome, which must live until then.
  net::Task<> ask(Question question, Outcome& outcome);

  // Messages of all answers, those that have not ended included: about one token each.
  std::uint64_t messages() const { return messages_; }
  // Real time, not that of the loop's turn: many answers come in one turn.
  Duration since_start() const { return network_.loop().clock().mono() - start_; }

 private:
  struct Idle {
    std::unique_ptr<net::Stream> stream;
    Mono since;
  };
  class TokenCheck;

  net::Task<net::IoResult<std::unique_ptr<net::Stream>>> connect();
  net::Task<Ending> exchange(const Question& question, Outcome& outcome, Mono deadline);
  net::Task<Ending> read_answer(wire::ClientConnection& connection, TokenCheck& check, Outcome& outcome, Mono deadline);
  void keep(wire::ClientConnection& connection);

  net::Network& network_;
  net::Endpoint target_;
  const Settings& settings_;
  Mono start_;
  std::deque<Idle> idle_;  // the oldest first; never more than requests were outstanding
  std::uint64_t messages_ = 0;
};

}  // namespace drover::load
