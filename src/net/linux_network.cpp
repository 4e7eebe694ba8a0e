#include "net/linux_network.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "base/pooled.h"
#include "net/system_calls.h"

namespace drover::net {
namespace {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

SocketAddress to_socket_address(const Endpoint& endpoint) {
  SocketAddress address;
  if (endpoint.v6) {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(address.storage);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(endpoint.port);
    std::memcpy(&v6.sin6_addr, endpoint.ip.data(), 16);
    address.size = sizeof v6;
  } else {
    auto& v4 = reinterpret_cast<sockaddr_in&>(address.storage);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(endpoint.port);
    std::memcpy(&v4.sin_addr, endpoint.ip.data(), 4);
    address.size = sizeof v4;
  }
  return address;
}

Endpoint to_endpoint(const sockaddr_storage& storage) {
  Endpoint endpoint;
  if (storage.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
    endpoint.v6 = true;
    endpoint.port = ntohs(v6.sin6_port);
    std::memcpy(endpoint.ip.data(), &v6.sin6_addr, 16);
  } else {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
    endpoint.port = ntohs(v4.sin_port);
    std::memcpy(endpoint.ip.data(), &v4.sin_addr, 4);
  }
  return endpoint;
}

void set_option(int descriptor, int level, int option, int value) {
  // Options only tune: a kernel that refuses one still carries the stream.
  ::setsockopt(descriptor, level, option, &value, sizeof value);
}

class LinuxStream final : public Stream, private LinuxLoop::Watched {
 public:
  LinuxStream(LinuxLoop& loop, int descriptor, const Endpoint& peer) : loop_(loop), descriptor_(descriptor) {
    peer_ = peer;
    set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
  }
  ~LinuxStream() override {
    LinuxStream::send_put_off();
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  // It lives longer than what a request takes from malloc around it, and would keep that from going back to the kernel.
  static void* operator new(std::size_t size) { return allocate_pooled(size); }
  static void operator delete(void* memory, std::size_t size) { free_pooled(memory, size); }

  bool start() { return loop_.watch(descriptor_, *this); }

  // Ends when the connection stands or has failed.
  class Connected final : public Wait {
   public:
    Connected(LinuxStream& stream, Mono deadline) : Wait(deadline), stream_(stream) {}
    std::expected<void, ErrorCode> await_resume() const { return result_; }

   private:
    bool step(Flow&) override {
      if (!stream_.writable_) return false;
      int error = 0;
      socklen_t size = sizeof error;
      ::getsockopt(stream_.descriptor_, SOL_SOCKET, SO_ERROR, &error, &size);
      if (error == ECONNREFUSED) {
        result_ = std::unexpected(ErrorCode::connect_refused);
      } else if (error == ETIMEDOUT) {
        result_ = std::unexpected(ErrorCode::connect_timed_out);
      } else if (error == ENETUNREACH || error == EHOSTUNREACH) {
        result_ = std::unexpected(ErrorCode::unreachable);
      } else if (error != 0) {
        result_ = std::unexpected(ErrorCode::reset);
      }
      return true;
    }
    void fail(ErrorCode why) override {
      result_ = std::unexpected(why == ErrorCode::timed_out ? ErrorCode::connect_timed_out : why);
    }
    void attach(Flow& flow) override { stream_.connecting_ = &flow; }
    void detach() override { stream_.connecting_ = nullptr; }

    LinuxStream& stream_;
    std::expected<void, ErrorCode> result_;
  };

  void finish() override {
    send_put_off();
    if (descriptor_ >= 0) ::shutdown(descriptor_, SHUT_WR);
  }

  void abort() override {
    if (descriptor_ < 0) return;
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    ::close(descriptor_);
    descriptor_ = -1;
  }

  bool has_input() const override { return readable_ || descriptor_ < 0; }

 protected:
  Loop& loop() override { return loop_; }

  Attempt try_read(std::span<char> into) override {
    if (descriptor_ < 0) return {Outcome::failed};
    if (!readable_) return {Outcome::blocked};
    const auto got = system_calls::recv(descriptor_, into.data(), into.size());
    if (got > 0) {
      // A short read has emptied the socket, unless its end was announced: then one more read tells which end.
      if (static_cast<std::size_t>(got) < into.size() && !hung_up()) readable_ = false;
      return {Outcome::done, static_cast<std::size_t>(got)};
    }
    if (got == 0) return {Outcome::ended};
    if (errno == EAGAIN || errno == EINTR) {
      readable_ = errno == EINTR;
      return {Outcome::blocked};
    }
    return {Outcome::failed};
  }

  Attempt try_write(std::span<const std::string_view> pieces) override {
    if (descriptor_ < 0) return {Outcome::failed};
    if (!writable_) return {Outcome::blocked};
    CHECK(pieces.size() <= kMostPieces);
    const std::size_t total = size_of(pieces);
    if (total == 0) return {Outcome::done};
    const auto sent = pieces.size() == 1 ? system_calls::send(descriptor_, pieces.front()) : send_scattered(pieces);
    if (sent < 0) {
      if (errno != EAGAIN && errno != EINTR) return {Outcome::failed};
      writable_ = false;
      return {Outcome::blocked};
    }
    if (static_cast<std::size_t>(sent) < total) writable_ = false;
    return {Outcome::done, static_cast<std::size_t>(sent)};
  }

  bool put_off(std::span<const std::string_view> pieces) override {
    const std::size_t size = size_of(pieces);
    if (size > Outbox::kLargest || size == 0 || !writable_ || descriptor_ < 0) return false;
    put_off_ = true;
    loop_.outbox().add(*this, pieces, size);
    return true;
  }
  void send_put_off() override {
    if (put_off_) loop_.outbox().flush();
  }

 private:
  static constexpr std::size_t kMostPieces = 8;  // of a write

  static std::size_t size_of(std::span<const std::string_view> pieces) {
    std::size_t size = 0;
    for (const std::string_view piece : pieces) size += piece.size();
    return size;
  }
  ssize_t send_scattered(std::span<const std::string_view> pieces) const {
    std::array<iovec, kMostPieces> vectors;
    std::ranges::transform(pieces, vectors.begin(),
                           [](std::string_view piece) { return iovec{const_cast<char*>(piece.data()), piece.size()}; });
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = pieces.size();
    return system_calls::sendmsg(descriptor_, message);
  }

  void send_now(std::string_view bytes) override {
    put_off_ = false;
    [[maybe_unused]] const auto sent = send(std::span(&bytes, 1));  // who writes next hears that it failed
  }

  void on_events(std::uint32_t events) override {
    if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
      readable_ = true;
      peer_hung_up();
    } else if ((events & EPOLLIN) != 0) {
      readable_ = true;
      became_readable();
    }
    if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) {
      writable_ = true;
      if (connecting_ != nullptr) {
        connecting_->wake();
      } else {
        became_writable();
      }
    }
  }

  LinuxLoop& loop_;
  int descriptor_;
  bool readable_ = false;
  bool writable_ = false;
  bool put_off_ = false;  // something of it is in the outbox
  Flow* connecting_ = nullptr;
};

class LinuxListener final : public Listener, private LinuxLoop::Watched {
 public:
  LinuxListener(LinuxLoop& loop, int descriptor, const Endpoint& local)
      : loop_(loop), descriptor_(descriptor), reserve_(::open("/dev/null", O_RDONLY | O_CLOEXEC)), local_(local) {}
  ~LinuxListener() override {
    ::close(descriptor_);
    if (reserve_ >= 0) ::close(reserve_);
  }

  bool start() { return loop_.watch(descriptor_, *this); }
  Endpoint local() const override { return local_; }

  Task<IoResult<std::unique_ptr<Stream>>> accept() override {
    using namespace std::chrono_literals;
    while (true) {
      const auto waited = co_await Incoming{*this};
      if (!waited) co_return std::unexpected(waited.error());
      if (auto stream = accept_waiting()) co_return stream;
      if (errno == EAGAIN) pending_ = false;
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        // Edge-triggered: the kernel will not say again that a connection waits. Turn one away with the descriptor
        // kept for this, then try again a little later.
        turn_one_away();
        if (!co_await sleep_until(loop_.now() + 100ms)) co_return std::unexpected(ErrorCode::cancelled);
      }
    }
  }

  // Null: errno says why.
  std::unique_ptr<Stream> accept_waiting() override {
    while (true) {
      sockaddr_storage storage;
      socklen_t size = sizeof storage;
      const int accepted =
          ::accept4(descriptor_, reinterpret_cast<sockaddr*>(&storage), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (accepted < 0) return nullptr;
      auto stream = std::make_unique<LinuxStream>(loop_, accepted, to_endpoint(storage));
      if (stream->start()) return stream;
    }
  }

 private:
  class Incoming final : public Wait {
   public:
    explicit Incoming(LinuxListener& listener) : Wait(kNever), listener_(listener) {}
    std::expected<void, ErrorCode> await_resume() const { return result_; }

   private:
    bool step(Flow&) override { return listener_.pending_; }
    void fail(ErrorCode why) override { result_ = std::unexpected(why); }
    void attach(Flow& flow) override { listener_.acceptor_ = &flow; }
    void detach() override { listener_.acceptor_ = nullptr; }

    LinuxListener& listener_;
    std::expected<void, ErrorCode> result_;
  };

  void on_events(std::uint32_t) override {
    pending_ = true;
    if (acceptor_ != nullptr) acceptor_->wake();
  }

  void turn_one_away() {
    if (reserve_ < 0) return;
    ::close(reserve_);
    const int refused = ::accept4(descriptor_, nullptr, nullptr, SOCK_CLOEXEC);
    if (refused >= 0) ::close(refused);
    reserve_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  }

  LinuxLoop& loop_;
  int descriptor_;
  int reserve_;
  Endpoint local_;
  bool pending_ = false;
  Flow* acceptor_ = nullptr;
};

Error listen_error(const Endpoint& at, int error) {
  const std::string_view advice = error == EADDRINUSE
                                      ? "; another program listens there: stop it, or choose another address"
                                  : error == EACCES        ? "; ports below 1024 need root: choose a higher one"
                                  : error == EADDRNOTAVAIL ? "; this machine has no such address"
                                                           : "";
  return Error{ErrorCode::system, Side::gateway,
               fmt::format("cannot listen on {}: {}{}", to_text(at), std::strerror(error), advice)};
}

}  // namespace

Result<std::unique_ptr<Listener>> LinuxNetwork::listen(const Endpoint& at, ListenOptions options) {
  const int descriptor = ::socket(at.v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return listen_error(at, errno);
  set_option(descriptor, SOL_SOCKET, SO_REUSEADDR, 1);
  if (options.shared_port) set_option(descriptor, SOL_SOCKET, SO_REUSEPORT, 1);
  const SocketAddress address = to_socket_address(at);
  sockaddr_storage bound;
  socklen_t size = sizeof bound;
  if (::bind(descriptor, address.get(), address.size) != 0 || ::listen(descriptor, 4096) != 0 ||
      ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&bound), &size) != 0) {
    const int error = errno;
    ::close(descriptor);
    return listen_error(at, error);
  }
  auto listener = std::make_unique<LinuxListener>(loop_, descriptor, to_endpoint(bound));
  if (!listener->start()) return listen_error(at, errno);
  return listener;
}

Task<IoResult<std::unique_ptr<Stream>>> LinuxNetwork::dial(Endpoint to, Mono deadline) {
  const int descriptor = ::socket(to.v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) co_return std::unexpected(ErrorCode::system);
  // A peer whose machine is gone is noticed after 20 s, idle or not, instead of after hours.
  set_option(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, 20'000);
  set_option(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, 10);
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, 5);
  auto stream = std::make_unique<LinuxStream>(loop_, descriptor, to);
  const SocketAddress address = to_socket_address(to);
  if (::connect(descriptor, address.get(), address.size) != 0 && errno != EINPROGRESS) {
    const bool unreachable = errno == ENETUNREACH || errno == EHOSTUNREACH;
    co_return std::unexpected(errno == ECONNREFUSED ? ErrorCode::connect_refused
                              : unreachable         ? ErrorCode::unreachable
                                                    : ErrorCode::reset);
  }
  if (!stream->start()) co_return std::unexpected(ErrorCode::system);
  const auto connected = co_await LinuxStream::Connected(*stream, deadline);
  if (!connected) co_return std::unexpected(connected.error());
  co_return stream;
}

}  // namespace drover::net
