#pragma once
// Streams, listeners and dialling over TCP on Linux.

#include "net/linux_loop.h"
#include "net/network.h"

namespace drover::net {

class LinuxNetwork final : public Network {
 public:
  explicit LinuxNetwork(LinuxLoop& loop) : loop_(loop) {}

  Loop& loop() override { return loop_; }
  Result<std::unique_ptr<Listener>> listen(const Endpoint& at, ListenOptions options) override;
  Task<IoResult<std::unique_ptr<Stream>>> dial(Endpoint to, Mono deadline) override;

 private:
  LinuxLoop& loop_;
};

}  // namespace drover::net
