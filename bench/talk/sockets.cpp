#include "talk/sockets.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>

#include "base/ascii.h"
#include "base/check.h"

namespace drover::bench {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr int kBacklog = 8192;  // the system's own limit is lower on most machines

Error system_error(std::string_view call, const Address& address) {
  return {ErrorCode::system, Side::gateway,
          fmt::format("{} {}:{}: {}", call, address.ip, address.port, std::strerror(errno))};
}

sockaddr_in to_sockaddr(const Address& address) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_port = htons(address.port);
  CHECK(inet_pton(AF_INET, address.ip.c_str(), &result.sin_addr) == 1);
  return result;
}

void set_option(int fd, int level, int name, int value) { setsockopt(fd, level, name, &value, sizeof value); }

}  // namespace

std::int64_t now_ns() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * kSecond + time.tv_nsec;
}

void Fd::close() {
  if (number_ >= 0) ::close(std::exchange(number_, -1));
}

void Fd::reset() {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  setsockopt(number_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close();
}

Result<Address> parse_address(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon != std::string_view::npos) {
    Address address{.ip = std::string(text.substr(0, colon))};
    const auto port = ascii::to_number(text.substr(colon + 1));
    in_addr ignored;
    if (port && *port > 0 && *port <= 65535 && inet_pton(AF_INET, address.ip.c_str(), &ignored) == 1) {
      address.port = static_cast<std::uint16_t>(*port);
      return address;
    }
  }
  return Error{ErrorCode::invalid, Side::client, fmt::format("{} is no IPv4 address and port", text)};
}

Result<Fd> listen_on(const Address& address) {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return system_error("socket for", address);
  set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  const sockaddr_in at = to_sockaddr(address);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) return system_error("bind to", address);
  if (listen(fd.get(), kBacklog) != 0) return system_error("listen on", address);
  return fd;
}

Result<std::uint16_t> local_port(const Fd& socket) {
  sockaddr_in at{};
  socklen_t size = sizeof at;
  if (getsockname(socket.get(), reinterpret_cast<sockaddr*>(&at), &size) != 0) {
    return system_error("getsockname of", {});
  }
  return ntohs(at.sin_port);
}

Result<Fd> connect_to(const Address& address, int receive_buffer) {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return system_error("socket for", address);
  set_option(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  if (receive_buffer > 0) set_option(fd.get(), SOL_SOCKET, SO_RCVBUF, receive_buffer);
  const sockaddr_in to = to_sockaddr(address);
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 && errno != EINPROGRESS) {
    return system_error("connect to", address);
  }
  return fd;
}

int connect_error(const Fd& socket) {
  int error = 0;
  socklen_t size = sizeof error;
  return getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

Fd accept_from(const Fd& listener) {
  Fd fd(accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (fd) set_option(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  return fd;
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

void end_with_parent() { prctl(PR_SET_PDEATHSIG, SIGTERM); }

void sharpen_timers() { prctl(PR_SET_TIMERSLACK, 1UL); }

Poller::Poller() : fd_(epoll_create1(EPOLL_CLOEXEC)) { CHECK(fd_); }

bool Poller::add(const Fd& fd, void* owner) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = owner;
  if (epoll_ctl(fd_.get(), EPOLL_CTL_ADD, fd.get(), &event) == 0) return true;
  CHECK(errno == EPERM);
  return false;
}

std::span<const epoll_event> Poller::wait(std::int64_t until) {
  const std::int64_t left = std::max<std::int64_t>(until - now_ns(), 0);
  const timespec timeout{.tv_sec = left / kSecond, .tv_nsec = left % kSecond};
  const int count = epoll_pwait2(fd_.get(), events_, kEvents, until < 0 ? nullptr : &timeout, nullptr);
  CHECK(count >= 0 || errno == EINTR);
  return {events_, static_cast<std::size_t>(std::max(count, 0))};
}

}  // namespace drover::bench
