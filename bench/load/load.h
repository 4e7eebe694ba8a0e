#pragma once
// Puts load on a server in one of a few ways, checks every byte of every answer, and counts what happened in a window
// of time, together with the processor time that watched processes took in just that window. One thread.

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "load/connection.h"
#include "load/cpu_time.h"
#include "load/histogram.h"

namespace drover::bench {

enum class Mode : std::uint8_t {
  closed,   // every connection sends its next request when its answer has come
  open,     // requests are sent at a steady rate; latency counts from when each should have been sent
  streams,  // every connection has one stream
  slow,     // as `streams`, as fast as the reader takes them; it takes nothing at first, then little
  idle,     // every connection asks once and is then kept open
};

struct LoadSettings {
  Mode mode = Mode::closed;
  Address target;
  Dialect dialect = Dialect::ollama;
  std::size_t body_bytes = 200;
  Leniency leniency;

  unsigned connections = 64;
  double rate = 5000;             // open: requests a second
  std::uint64_t requests = 0;     // closed: stop after so many; 0: the window ends it
  std::uint32_t chunks = 0;       // of each stream
  std::uint32_t interval_us = 0;  // between two chunks of a stream

  std::int64_t warmup_ns = 0;   // after everything is open and running
  std::int64_t seconds_ns = 0;  // of the window; 0: from the first request to the last answer
  std::int64_t limit_ns = 0;    // for all: beyond it the run has failed
  bool hold = false;            // says "holding" when everything is open, then waits for a line on standard input
  std::vector<Watched> watched;
};

struct Report {
  std::optional<std::string> fault;  // the first thing that was wrong: then all figures are void
  double seconds = 0;                // of the window
  std::uint64_t requests = 0;        // answered in the window
  std::uint64_t all_requests = 0;    // answered, the warm-up's too
  std::uint64_t chunks = 0;          // received in the window
  std::uint64_t all_chunks = 0;
  std::uint64_t reconnects = 0;                // after the server closed a connection in good order
  double latest_send_us = 0;                   // open: how late the latest request left
  Histogram latency;                           // of requests, in the window
  Histogram chunk_latency;                     // from the stub's stamp to here, in the window
  std::map<std::string, std::int64_t> cpu_ns;  // in the window, by name; `load` is this process
};

class Load final : private ConnectionOwner {
 public:
  explicit Load(LoadSettings settings);
  ~Load() override;
  Report run();

 private:
  struct Window {
    std::int64_t begin = -1, end = -1;  // now_ns(); -1: not known yet
    bool began = false, ended = false;
    std::map<std::string, std::int64_t> cpu_at_begin;
    bool running() const { return began && !ended; }
  };

  // ConnectionOwner
  void opened(Connection& connection) override;
  void chunk(Connection& connection, std::uint64_t stamp_us, std::int64_t now) override;
  void answered(Connection& connection, std::int64_t now) override;
  void left(Connection& connection) override;
  void failed(Connection& connection, std::string what) override;

  void open_more();
  void open_connection(Connection& connection);
  void settled();
  void all_running();
  void ready(Connection& connection);
  void request(Connection& connection, std::int64_t intended);
  void turn();
  void send_due();
  void read_slowly();
  void mark_window();
  void begin_window();
  void end_window();
  std::int64_t next_wake() const;
  bool may_ask() const;
  bool finished() const;
  void fail(std::string what);
  void hold();
  bool has_streams() const { return settings_.mode == Mode::streams || settings_.mode == Mode::slow; }

  LoadSettings settings_;
  ConnectionPlan plan_;
  Poller poller_;
  Fd input_;  // standard input, while held
  std::deque<Connection> connections_;
  std::deque<Connection*> idle_;  // open: the one that waited longest first, as if each were another client's
  std::size_t opening_ = 0, settled_ = 0, streams_running_ = 0;
  std::size_t busy_ = 0;
  std::uint32_t next_id_;
  std::uint64_t asked_ = 0;
  std::int64_t now_ = 0;
  std::int64_t next_send_ = -1;  // open: when the next request is due
  std::int64_t next_read_ = -1;  // slow
  std::int64_t deadline_ = 0;
  bool holding_ = false;
  bool released_ = false;
  Window window_;
  Report report_;
};

}  // namespace drover::bench
