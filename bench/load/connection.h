#pragma once
// One client's connection: sends requests one after another, and checks every byte of every answer.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "load/answer_check.h"
#include "load/chat_body.h"
#include "talk/http_reader.h"
#include "talk/sockets.h"

namespace drover::bench {

class Connection;

// Who is told what happens on connections, during Connection::on_event() and read(). The connection may be used at
// once.
class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;
  virtual void opened(Connection& connection) = 0;
  virtual void chunk(Connection& connection, std::uint64_t stamp_us, std::int64_t now) = 0;
  // The whole answer came and was right. If connection.is_open() is false the server closed it as it had said.
  virtual void answered(Connection& connection, std::int64_t now) = 0;
  // The server closed the connection while nothing was asked.
  virtual void left(Connection& connection) = 0;
  // Connecting failed, the answer was not the expected one, or it broke off. The connection is closed.
  virtual void failed(Connection& connection, std::string what) = 0;
};

// What all connections of a run share.
struct ConnectionPlan {
  Address target;
  ChatRequest request;
  const Script* lines;
  Leniency leniency;
  bool paused = false;       // reads only when read() is called, not when bytes come
  int receive_buffer = 0;    // bytes; 0: the system's
  std::vector<char> buffer;  // for reading
};

class Connection {
 public:
  // Both outlive the connection.
  Connection(ConnectionPlan& plan, ConnectionOwner& owner);

  // Errors: system. opened() or failed() follows.
  Result<void> open(Poller& poller);
  // On an open connection that is not busy. `intended`: when it should have been sent, for the latency.
  void request(const Tag& tag, std::int64_t intended);
  void on_event(std::uint32_t events);
  // Takes at most `most` bytes of what came; `events` as they were reported with it.
  void read(std::size_t most, std::uint32_t events = 0);

  bool is_open() const { return state_ == State::idle || state_ == State::busy; }
  bool busy() const { return state_ == State::busy; }
  unsigned times_opened() const { return times_opened_; }
  std::int64_t intended() const { return intended_; }
  std::uint32_t pieces_received() const { return check_.received(); }

 private:
  enum class State : std::uint8_t { closed, connecting, idle, busy };

  void send_rest();
  bool take(std::string_view bytes, std::int64_t now);
  bool head_is_right(std::string_view rest);
  void finish(std::int64_t now);
  void peer_closed();
  void fail(std::string what);

  ConnectionPlan& plan_;
  ConnectionOwner& owner_;
  Fd fd_;
  State state_ = State::closed;
  unsigned times_opened_ = 0;
  std::size_t sent_ = 0;  // of the request
  std::int64_t intended_ = 0;
  HttpReader reader_{HttpReader::Role::responses};
  AnswerCheck check_;
};

}  // namespace drover::bench
