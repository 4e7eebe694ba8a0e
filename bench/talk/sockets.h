#pragma once
// Sockets without waiting, and epoll, for the stub and the load tool: one thread each, no coroutines, nothing of
// Drover's own runtime, so that what is measured does not also measure.

#include <sys/epoll.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace drover::bench {

// CLOCK_MONOTONIC, the same for all processes of a machine.
std::int64_t now_ns();

// Owns a descriptor; -1: none.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int number) : number_(number) {}
  Fd(Fd&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Fd() { close(); }

  int get() const { return number_; }
  explicit operator bool() const { return number_ >= 0; }
  void close();
  // Ends the connection by a reset, which leaves nothing behind in TIME_WAIT.
  void reset();

 private:
  int number_ = -1;
};

struct Address {
  std::string ip;
  std::uint16_t port = 0;
};
// `IP:PORT`. Error: invalid.
Result<Address> parse_address(std::string_view text);

// Errors (system) name the call that failed.
Result<Fd> listen_on(const Address& address);
Result<std::uint16_t> local_port(const Fd& socket);
// The connection is under way; epoll says when it stands. `receive_buffer`: of the socket, in bytes; 0: as it is.
Result<Fd> connect_to(const Address& address, int receive_buffer = 0);
// Whether connecting succeeded, once epoll reported the socket. 0 or errno.
int connect_error(const Fd& socket);
// Nobody: none waits, or the descriptor limit is reached.
Fd accept_from(const Fd& listener);

// As many descriptors as this process may have.
void raise_descriptor_limit();
// Ends this process when its parent has ended, so that an aborted benchmark leaves nothing running.
void end_with_parent();
// Lets timers fire within a microsecond or so of their time instead of 50.
void sharpen_timers();

// The peer has ended the connection, or it broke: nothing follows what can be read now.
inline bool ends_stream(std::uint32_t events) { return (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0; }

// Edge-triggered: a socket is added once and reported whenever something new happened to it.
class Poller {
 public:
  Poller();
  // `owner` comes back in the event's data.ptr. False: a file for which one cannot wait, such as /dev/null.
  bool add(const Fd& fd, void* owner);
  // Sleeps until an event or `until` (now_ns; negative: for ever). Returns the events, valid until the next call.
  std::span<const epoll_event> wait(std::int64_t until);

 private:
  static constexpr int kEvents = 512;
  Fd fd_;
  epoll_event events_[kEvents];
};

}  // namespace drover::bench
