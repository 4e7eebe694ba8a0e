#pragma once
// Pretends to be many nodes that hold one model and answer at once, or stream at a steady rate: what a proxy is
// measured against. One thread; O(1) a request and a chunk beside the bytes.

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "stub/timer_wheel.h"
#include "talk/body_digest.h"
#include "talk/http_reader.h"
#include "talk/script.h"
#include "talk/sockets.h"

namespace drover::bench {

// What the stub does wrong on purpose, so that the load tool can be seen to notice.
enum class Lie : std::uint8_t {
  none,
  flip,   // one byte of an answer or of a stream's third chunk is another
  cut,    // the last piece is missing, though the framing ends well; a whole answer lacks its last byte
  mix,    // an answer, or a stream's third chunk, is somebody else's
  skip,   // a stream's third chunk is left out
  twice,  // a stream's third chunk comes twice, or a whole answer
  body,   // says that it saw another request body
  close,  // the connection ends in the middle of the answer
};

struct StubSettings {
  std::uint16_t first_port = 0;  // 0: any free ones
  unsigned nodes = 8;
  std::int64_t tick_ns = 1'000'000;
  Lie lie = Lie::none;
};

class Stub {
 public:
  explicit Stub(StubSettings settings);
  ~Stub();
  // Errors: system.
  Result<std::vector<std::uint16_t>> listen();
  // Serves for ever.
  [[noreturn]] void run();

 private:
  struct Connection;
  struct Listener {
    Fd fd;
  };

  void accept_all(const Fd& listener);
  void readable(Connection& connection, std::uint32_t events);
  void head(Connection& connection);
  void body(Connection& connection);
  void answer(Connection& connection);
  void answer_whole(Connection& connection);
  void start_stream(Connection& connection);
  void chunk_due(Connection& connection);
  void flood(Connection& connection);
  void schedule(Connection& connection);
  void append_chunk(Connection& connection, std::string& out);
  void append_last(const Connection& connection, std::string& out);
  void append_piece(const Piece& piece, const Echo& echo, std::string& out);
  void stream_sent(Connection& connection);
  bool send(Connection& connection, std::string_view bytes);
  bool flush(Connection& connection);
  void drop(Connection& connection);
  bool lies(const Connection& connection, Lie lie) const;

  StubSettings settings_;
  Poller poller_;
  TimerWheel wheel_;  // before the connections, which unlink themselves from it
  std::vector<Listener> listeners_;
  std::list<std::unique_ptr<Connection>> connections_;
  std::list<std::unique_ptr<Connection>> dropped_;  // until no event can name them
  std::size_t streams_ = 0;
  std::vector<char> buffer_;
  std::string out_;                               // what is being written, reused
  std::string whole_heads_[2], stream_heads_[2];  // by dialect
};

}  // namespace drover::bench
