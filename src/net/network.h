#pragma once
// The seam between flows and a world: who makes streams. One per loop; Linux and simulated ones exist.

#include <memory>

#include "net/endpoint.h"
#include "net/stream.h"
#include "net/task.h"

namespace drover::net {

class Listener {
 public:
  virtual ~Listener() = default;
  // The next connection. Errors: cancelled. Lack of descriptors is waited out, never an error.
  virtual Task<IoResult<std::unique_ptr<Stream>>> accept() = 0;
  // One that has come already, without a wait; null: none has. The rest is reset when the listener closes.
  virtual std::unique_ptr<Stream> accept_waiting() = 0;
  virtual Endpoint local() const = 0;  // with the real port where 0 was asked for
};

struct ListenOptions {
  bool shared_port = false;  // several loops listen on one port and the kernel spreads connections (SO_REUSEPORT)
};

class Network {
 public:
  virtual ~Network() = default;
  virtual Loop& loop() = 0;
  // Errors: system, with what the operator can do about it.
  virtual Result<std::unique_ptr<Listener>> listen(const Endpoint& at, ListenOptions options = {}) = 0;
  // Errors: connect_refused, connect_timed_out (the deadline passed), unreachable, reset, cancelled; system: this
  // process has no descriptor left, which says nothing of the peer.
  virtual Task<IoResult<std::unique_ptr<Stream>>> dial(Endpoint to, Mono deadline) = 0;
};

}  // namespace drover::net
