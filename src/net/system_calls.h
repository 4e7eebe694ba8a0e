#pragma once
// The calls of every request, as the C library has them but for one thing: there they are points at which a thread can
// be cancelled, which costs two locked instructions a call. Nobody here cancels threads.

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <string_view>

namespace drover::net::system_calls {

inline ssize_t recv(int descriptor, void* into, std::size_t size) {
  return ::syscall(SYS_recvfrom, descriptor, into, size, 0, nullptr, nullptr);
}
inline ssize_t send(int descriptor, std::string_view bytes) {
  return ::syscall(SYS_sendto, descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL, nullptr, std::size_t{0});
}
inline ssize_t sendmsg(int descriptor, const msghdr& message) {
  return ::syscall(SYS_sendmsg, descriptor, &message, MSG_NOSIGNAL);
}
inline int epoll_wait(int epoll, epoll_event* events, int most, int timeout_ms) {
  return static_cast<int>(::syscall(SYS_epoll_pwait, epoll, events, most, timeout_ms, nullptr, std::size_t{0}));
}

}  // namespace drover::net::system_calls
