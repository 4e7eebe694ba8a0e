#include "stub/stub.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <cerrno>
#include <csignal>

#include "base/check.h"
#include "stub/probes.h"

namespace drover::bench {
namespace {

constexpr std::size_t kReadBuffer = 256 * 1024;
constexpr std::size_t kTagWithin = 4096;        // bytes from the start of a body
constexpr std::size_t kFloodBytes = 64 * 1024;  // written at once where a stream has no rate
constexpr unsigned kFloodTurns = 4;             // in a row, before others have their turn
constexpr std::uint32_t kLieAt = 2;             // the chunk that a lie is about
constexpr std::size_t kFlipped = 30;            // the byte that a lie changes, in what all pieces have in common
constexpr std::string_view kLastChunk = "0\r\n\r\n";
constexpr std::string_view kDate = "Date: Sat, 21 Nov 2026 10:00:00 GMT\r\n";  // of a node whose clock stands still

std::size_t index(Dialect dialect) { return dialect == Dialect::ollama ? 0 : 1; }

// `POST /api/chat HTTP/1.1` without the version.
std::string_view target_of(std::string_view start_line) { return start_line.substr(0, start_line.rfind(' ')); }

std::optional<Dialect> dialect_of(std::string_view target) {
  if (target == "POST /api/chat") return Dialect::ollama;
  if (target == "POST /v1/chat/completions") return Dialect::openai;
  return std::nullopt;
}

}  // namespace

struct Stub::Connection : Due {
  explicit Connection(Fd socket) : fd(std::move(socket)) {}

  Fd fd;
  std::list<std::unique_ptr<Connection>>::iterator self;
  HttpReader reader{HttpReader::Role::requests};
  bool closed = false;

  // The request under way.
  std::string target;  // of a probe
  std::optional<Dialect> dialect;
  std::string start;  // of the body, until the tag is found
  bool tag_sought = false;
  Tag tag;
  std::uint32_t size = 0;
  BodyDigest digest;

  // The stream under way.
  bool streaming = false;
  bool head_sent = false;
  std::uint32_t sequence = 0;
  std::int64_t due_ns = 0;
  std::string unsent;  // what the socket did not take; nothing more is produced before it does

  BodySeen seen() const { return {size, digest.value()}; }
};

Stub::Stub(StubSettings settings) : settings_(settings), buffer_(kReadBuffer) {
  for (const Dialect dialect : {Dialect::ollama, Dialect::openai}) {
    const Script& lines = script(dialect);
    const std::size_t size = lines.whole.size() - (settings_.lie == Lie::cut ? 1 : 0);
    whole_heads_[index(dialect)] = fmt::format("HTTP/1.1 200 OK\r\nContent-Type: {}\r\n{}Content-Length: {}\r\n\r\n",
                                               lines.whole_type, kDate, size);
    stream_heads_[index(dialect)] = fmt::format(
        "HTTP/1.1 200 OK\r\nContent-Type: {}\r\n{}Transfer-Encoding: chunked\r\n\r\n", lines.stream_type, kDate);
  }
}

Stub::~Stub() = default;

Result<std::vector<std::uint16_t>> Stub::listen() {
  std::vector<std::uint16_t> ports;
  listeners_.reserve(settings_.nodes);  // events point at them
  for (unsigned i = 0; i < settings_.nodes; ++i) {
    const auto port = settings_.first_port == 0 ? 0 : settings_.first_port + i;
    auto fd = listen_on({.ip = "127.0.0.1", .port = static_cast<std::uint16_t>(port)});
    if (!fd) return fd.error();
    const auto bound = local_port(*fd);
    if (!bound) return bound.error();
    ports.push_back(*bound);
    listeners_.push_back({std::move(*fd)});
    poller_.add(listeners_.back().fd, &listeners_.back());
  }
  return ports;
}

void Stub::run() {
  const auto is_listener = [&](const void* owner) {
    return owner >= static_cast<const void*>(listeners_.data()) &&
           owner < static_cast<const void*>(listeners_.data() + listeners_.size());
  };
  while (true) {
    const std::int64_t next = (now_ns() / settings_.tick_ns + 1) * settings_.tick_ns;
    for (const epoll_event& event : poller_.wait(streams_ > 0 ? next : -1)) {
      if (is_listener(event.data.ptr)) {
        accept_all(static_cast<Listener*>(event.data.ptr)->fd);
        continue;
      }
      Connection& connection = *static_cast<Connection*>(event.data.ptr);
      if (!connection.closed && (event.events & EPOLLOUT) != 0) flush(connection);
      if (!connection.closed && (event.events & ~static_cast<unsigned>(EPOLLOUT)) != 0) {
        readable(connection, event.events);
      }
    }
    wheel_.advance(now_ns() / settings_.tick_ns, [&](Due& due) { chunk_due(static_cast<Connection&>(due)); });
    dropped_.clear();
  }
}

void Stub::accept_all(const Fd& listener) {
  while (Fd fd = accept_from(listener)) {
    auto connection = std::make_unique<Connection>(std::move(fd));
    poller_.add(connection->fd, connection.get());
    connections_.push_front(std::move(connection));
    connections_.front()->self = connections_.begin();
  }
}

// ---- requests

void Stub::readable(Connection& connection, std::uint32_t events) {
  while (!connection.closed) {
    const ssize_t count = recv(connection.fd.get(), buffer_.data(), buffer_.size(), 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) return drop(connection);
    std::string_view bytes(buffer_.data(), static_cast<std::size_t>(count));
    for (bool more = true; more && !connection.closed;) {
      switch (connection.reader.next(bytes)) {
        case HttpReader::Event::more: more = false; break;
        case HttpReader::Event::head: head(connection); break;
        case HttpReader::Event::body: body(connection); break;
        case HttpReader::Event::end: answer(connection); break;
        case HttpReader::Event::broken: return drop(connection);
      }
    }
    // A short read means an empty socket, unless its end is there too.
    if (static_cast<std::size_t>(count) < buffer_.size() && !ends_stream(events)) return;
  }
}

void Stub::head(Connection& connection) {
  const std::string_view target = target_of(connection.reader.start_line());
  connection.dialect = dialect_of(target);
  if (!connection.dialect) connection.target = target;
  connection.start.clear();
  connection.tag_sought = false;
  connection.tag = {};
  connection.size = 0;
  connection.digest.reset();
  if (connection.streaming) drop(connection);  // nobody pipelines behind a stream
}

void Stub::body(Connection& connection) {
  std::string_view piece = connection.reader.payload();
  connection.size += static_cast<std::uint32_t>(piece.size());
  if (connection.tag_sought) return connection.digest.feed(piece);
  if (!connection.start.empty()) {
    connection.start += piece;
    piece = connection.start;
  }
  const auto found = find_tag(piece);
  if (found) {
    connection.tag = found->tag;
    connection.digest.feed(piece.substr(found->end));
  } else if (piece.size() < kTagWithin) {
    if (connection.start.empty()) connection.start = piece;
    return;
  }
  connection.tag_sought = true;
}

void Stub::answer(Connection& connection) {
  if (connection.dialect && connection.tag.chunks > 0) return start_stream(connection);
  if (connection.dialect) return answer_whole(connection);
  const auto body = probe_answer(connection.target);
  const std::string_view type =
      body == "Ollama is running" ? "text/plain; charset=utf-8" : "application/json; charset=utf-8";
  const std::string_view text = body.value_or(R"({"error":"not found"})");
  send(connection, fmt::format("HTTP/1.1 {}\r\nContent-Type: {}\r\n{}Content-Length: {}\r\n\r\n{}",
                               body ? "200 OK" : "404 Not Found", type, kDate, text.size(), text));
}

void Stub::answer_whole(Connection& connection) {
  const Piece& whole = script(*connection.dialect).whole;
  Echo echo{.id = connection.tag.id, .body = connection.seen()};
  if (settings_.lie == Lie::mix) ++echo.id;
  if (settings_.lie == Lie::body) ++echo.body.digest;
  out_ = whole_heads_[index(*connection.dialect)];
  const std::size_t head = out_.size();
  out_.resize(head + whole.size());
  whole.write(echo, out_.data() + head);
  if (settings_.lie == Lie::flip) out_[head + kFlipped] ^= 1;
  if (settings_.lie == Lie::cut) out_.pop_back();
  if (settings_.lie == Lie::twice) out_ += std::string(out_);
  if (settings_.lie == Lie::close) out_.resize(head + 100);
  if (send(connection, out_) && settings_.lie == Lie::close) drop(connection);
}

// ---- streams

void Stub::start_stream(Connection& connection) {
  connection.streaming = true;
  connection.head_sent = false;
  connection.sequence = 0;
  ++streams_;
  // Spread evenly over the first interval, so that streams that began together are not due together.
  const std::uint64_t interval = connection.tag.interval_us * 1000ULL;
  constexpr std::uint64_t kGolden = 0x9e3779b9;  // 2^32 / golden ratio: neighbours are far apart
  const std::uint64_t part = (connection.tag.id * kGolden) & 0xffffffff;
  connection.due_ns = now_ns() + static_cast<std::int64_t>((interval * part) >> 32);
  schedule(connection);
}

void Stub::schedule(Connection& connection) { wheel_.schedule(connection, connection.due_ns / settings_.tick_ns); }

void Stub::chunk_due(Connection& connection) {
  if (!connection.unsent.empty()) return;  // flush() goes on when the peer has taken it
  if (connection.tag.interval_us == 0) return flood(connection);
  out_.clear();
  if (!connection.head_sent) out_ = stream_heads_[index(*connection.dialect)];
  connection.head_sent = true;
  const std::int64_t now = now_ns();
  do {
    append_chunk(connection, out_);
    connection.due_ns += connection.tag.interval_us * 1000LL;
  } while (connection.due_ns <= now && connection.sequence < connection.tag.chunks);
  // The last piece comes with the last chunk, as a node's does.
  if (connection.sequence == connection.tag.chunks) append_last(connection, out_);
  if (send(connection, out_)) stream_sent(connection);
}

void Stub::flood(Connection& connection) {
  for (unsigned turn = 0; turn < kFloodTurns; ++turn) {
    out_.clear();
    if (!connection.head_sent) out_ = stream_heads_[index(*connection.dialect)];
    connection.head_sent = true;
    while (out_.size() < kFloodBytes && connection.sequence < connection.tag.chunks) append_chunk(connection, out_);
    if (connection.sequence == connection.tag.chunks) append_last(connection, out_);
    if (!send(connection, out_)) return;
    if (connection.sequence == connection.tag.chunks || !connection.unsent.empty()) break;
  }
  stream_sent(connection);
}

// Everything produced so far has gone, or waits in `unsent`.
void Stub::stream_sent(Connection& connection) {
  if (!connection.unsent.empty()) return;
  if (connection.sequence < connection.tag.chunks) return schedule(connection);
  connection.streaming = false;
  --streams_;
}

void Stub::append_chunk(Connection& connection, std::string& out) {
  const Script& lines = script(*connection.dialect);
  Echo echo{.id = connection.tag.id,
            .sequence = connection.sequence++,
            .stamp_us = static_cast<std::uint64_t>(now_ns() / 1000),
            .body = {}};
  const bool here = echo.sequence == kLieAt;
  if (here && settings_.lie == Lie::skip) return;
  if (settings_.lie == Lie::close && echo.sequence > kLieAt) return;
  const std::size_t at = out.size();
  if (here && settings_.lie == Lie::mix) ++echo.id;
  append_piece(lines.chunk, echo, out);
  if (here && settings_.lie == Lie::twice) append_piece(lines.chunk, echo, out);
  if (here && settings_.lie == Lie::close) out.resize(at + lines.chunk.size() / 2);
  if (here && settings_.lie == Lie::flip) out[at + kFlipped] ^= 1;
}

void Stub::append_last(const Connection& connection, std::string& out) {
  if (settings_.lie == Lie::close) return;
  Echo echo{.id = connection.tag.id, .sequence = connection.tag.chunks, .body = connection.seen()};
  if (settings_.lie == Lie::body) ++echo.body.size;
  if (settings_.lie != Lie::cut) append_piece(script(*connection.dialect).last, echo, out);
  out += kLastChunk;
}

// As a chunk of HTTP's.
void Stub::append_piece(const Piece& piece, const Echo& echo, std::string& out) {
  fmt::format_to(std::back_inserter(out), "{:x}\r\n", piece.size());
  const std::size_t at = out.size();
  out.resize(at + piece.size());
  piece.write(echo, out.data() + at);
  out += "\r\n";
}

// ---- bytes

// False: the connection is gone. What the socket does not take is kept, at most what one call was given.
bool Stub::send(Connection& connection, std::string_view bytes) {
  if (!connection.unsent.empty()) {
    connection.unsent += bytes;
    return true;
  }
  const ssize_t count = ::send(connection.fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (count < 0 && errno != EAGAIN) {
    drop(connection);
    return false;
  }
  connection.unsent = bytes.substr(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  if (settings_.lie == Lie::close && connection.streaming && connection.sequence > kLieAt) {
    drop(connection);
    return false;
  }
  return true;
}

bool Stub::flush(Connection& connection) {
  if (connection.unsent.empty()) return true;
  const std::string waiting = std::move(connection.unsent);
  connection.unsent.clear();
  if (!send(connection, waiting)) return false;
  if (connection.streaming) stream_sent(connection);
  return true;
}

void Stub::drop(Connection& connection) {
  if (connection.closed) return;
  connection.closed = true;
  if (connection.streaming) --streams_;
  connection.unlink();
  connection.fd.close();
  dropped_.splice(dropped_.begin(), connections_, connection.self);
}

}  // namespace drover::bench
