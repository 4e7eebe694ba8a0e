#include "load/connection.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.h"

namespace drover::bench {

Connection::Connection(ConnectionPlan& plan, ConnectionOwner& owner)
    : plan_(plan), owner_(owner), check_(*plan.lines, plan.leniency) {}

Result<void> Connection::open(Poller& poller) {
  auto fd = connect_to(plan_.target, plan_.receive_buffer);
  if (!fd) return fd.error();
  fd_ = std::move(*fd);
  reader_.restart();
  state_ = State::connecting;
  poller.add(fd_, this);
  return {};
}

void Connection::request(const Tag& tag, std::int64_t intended) {
  CHECK(state_ == State::idle);
  state_ = State::busy;
  intended_ = intended;
  check_.begin(tag, plan_.request.body);
  write_tag(tag, plan_.request.bytes.data() + plan_.request.tag_at);
  sent_ = 0;
  send_rest();
}

void Connection::send_rest() {
  const std::string& bytes = plan_.request.bytes;
  const ssize_t count = ::send(fd_.get(), bytes.data() + sent_, bytes.size() - sent_, MSG_NOSIGNAL);
  if (count < 0 && errno == EAGAIN) return;
  if (count < 0) return fail(fmt::format("sending: {}", std::strerror(errno)));
  sent_ += static_cast<std::size_t>(count);
  // The next request writes its own tag into the bytes that all share, so this one's must have gone.
  CHECK(sent_ >= plan_.request.tag_at + kTagSize);
}

void Connection::on_event(std::uint32_t events) {
  if (state_ == State::closed) return;
  if (state_ == State::connecting) {
    if (const int error = connect_error(fd_)) return fail(fmt::format("connecting: {}", std::strerror(error)));
    if ((events & EPOLLOUT) == 0) return;
    state_ = State::idle;
    ++times_opened_;
    return owner_.opened(*this);
  }
  if ((events & EPOLLOUT) != 0 && state_ == State::busy && sent_ < plan_.request.bytes.size()) send_rest();
  if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0 && is_open() && !plan_.paused) {
    read(SIZE_MAX, events);
  }
}

void Connection::read(std::size_t most, std::uint32_t events) {
  while (is_open() && most > 0) {
    const std::size_t room = std::min(most, plan_.buffer.size());
    const ssize_t count = recv(fd_.get(), plan_.buffer.data(), room, 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count < 0) return fail(fmt::format("receiving: {}", std::strerror(errno)));
    if (count == 0) return peer_closed();
    const auto size = static_cast<std::size_t>(count);
    if (!take(std::string_view(plan_.buffer.data(), size), now_ns())) return;
    most -= size;
    // A short read means an empty socket, unless its end is there too.
    if (size < room && !ends_stream(events)) return;
  }
}

// False: the connection ended.
bool Connection::take(std::string_view bytes, std::int64_t now) {
  const auto unasked = [&] {
    fail(fmt::format("{} bytes that nobody asked for: {:?}", bytes.size(), bytes.substr(0, 200)));
    return false;
  };
  if (state_ == State::idle) return unasked();
  while (true) {
    switch (reader_.next(bytes)) {
      case HttpReader::Event::more: return true;
      case HttpReader::Event::head:
        if (!head_is_right(bytes)) return false;
        break;
      case HttpReader::Event::body:
        if (!check_.feed(reader_.payload(), [&](std::uint64_t stamp) { owner_.chunk(*this, stamp, now); })) {
          fail(check_.fault());
          return false;
        }
        break;
      case HttpReader::Event::end:
        if (!bytes.empty()) return unasked();
        finish(now);
        return is_open();
      case HttpReader::Event::broken: fail("the answer is no HTTP/1.1"); return false;
    }
  }
}

bool Connection::head_is_right(std::string_view rest) {
  const std::string_view line = reader_.start_line();
  if (line.starts_with("HTTP/1.1 200") || line.starts_with("HTTP/1.0 200")) return true;
  fail(fmt::format("answered {:?}: {:?}", line.substr(0, 100), rest.substr(0, 300)));
  return false;
}

void Connection::finish(std::int64_t now) {
  if (!check_.complete()) {
    return fail(fmt::format("the answer ended well, but after {} pieces of it", check_.received()));
  }
  state_ = State::idle;
  if (reader_.close()) {
    fd_.close();
    state_ = State::closed;
  }
  owner_.answered(*this, now);
}

void Connection::peer_closed() {
  if (state_ == State::busy && reader_.until_close()) return finish(now_ns());
  if (state_ == State::busy) return fail(fmt::format("closed in the middle, after {} pieces", check_.received()));
  fd_.close();
  state_ = State::closed;
  owner_.left(*this);
}

void Connection::fail(std::string what) {
  state_ = State::closed;
  fd_.close();
  owner_.failed(*this, std::move(what));
}

}  // namespace drover::bench
