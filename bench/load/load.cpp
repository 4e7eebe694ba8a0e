#include "load/load.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace drover::bench {
namespace {

constexpr std::size_t kReadBuffer = 256 * 1024;
constexpr std::size_t kOpening = 64;                // connections that are being opened at once
constexpr std::int64_t kSlowStall = 1'000'000'000;  // a slow reader takes nothing for so long,
constexpr std::int64_t kSlowEvery = 2'000'000;      // then every so often
constexpr std::size_t kSlowBytes = 16 * 1024;       // so many bytes
constexpr int kSlowReceiveBuffer = 8 * 1024;
constexpr std::uint64_t kFirstIds = 0x10000;  // ids differ between runs that follow one another

}  // namespace

Load::Load(LoadSettings settings)
    : settings_(std::move(settings)),
      next_id_(static_cast<std::uint32_t>(static_cast<std::uint64_t>(getpid()) * kFirstIds & 0xffffffff)) {
  plan_.target = settings_.target;
  plan_.lines = &script(settings_.dialect);
  plan_.leniency = settings_.leniency;
  plan_.request = chat_request({.dialect = settings_.dialect,
                                .body_bytes = settings_.body_bytes,
                                .stream = has_streams(),
                                .host = fmt::format("{}:{}", settings_.target.ip, settings_.target.port)});
  plan_.buffer.resize(kReadBuffer);
  plan_.paused = settings_.mode == Mode::slow;
  if (plan_.paused) plan_.receive_buffer = kSlowReceiveBuffer;
  for (unsigned i = 0; i < settings_.connections; ++i)
    connections_.emplace_back(plan_, static_cast<ConnectionOwner&>(*this));
  settings_.watched.push_back({"load", getpid()});
}

Load::~Load() = default;

Report Load::run() {
  now_ = now_ns();
  deadline_ = now_ + settings_.limit_ns;
  if (settings_.seconds_ns == 0) begin_window();
  open_more();
  while (!report_.fault && !finished()) turn();
  if (window_.running()) end_window();
  return std::move(report_);
}

void Load::turn() {
  for (const epoll_event& event : poller_.wait(next_wake())) {
    if (event.data.ptr == &input_) {
      released_ = true;
      continue;
    }
    static_cast<Connection*>(event.data.ptr)->on_event(event.events);
    if (report_.fault) return;
  }
  now_ = now_ns();
  mark_window();
  if (settings_.mode == Mode::open) send_due();
  if (settings_.mode == Mode::slow && next_read_ >= 0 && next_read_ <= now_) read_slowly();
  if (now_ > deadline_) {
    fail(fmt::format("not done in time: {} of {} connections are open and answered, {} wait for an answer", settled_,
                     connections_.size(), busy_));
  }
}

std::int64_t Load::next_wake() const {
  std::int64_t next = deadline_ + 1;
  if (window_.begin >= 0 && !window_.began) next = std::min(next, window_.begin);
  if (window_.end >= 0 && !window_.ended) next = std::min(next, window_.end);
  if (next_send_ >= 0 && !idle_.empty() && may_ask()) next = std::min(next, next_send_);
  if (next_read_ >= 0) next = std::min(next, next_read_);
  return next;
}

// May another request be sent?
bool Load::may_ask() const {
  if (settings_.requests > 0) return asked_ < settings_.requests;
  return !window_.ended;
}

bool Load::finished() const {
  if (settled_ < connections_.size() || (settings_.hold && !released_)) return false;
  if (settings_.seconds_ns > 0 && !window_.ended) return false;
  if (has_streams() || settings_.mode == Mode::idle) return busy_ == 0;
  return busy_ == 0 && !may_ask();
}

// ---- opening

void Load::open_more() {
  while (!report_.fault && opening_ < kOpening && settled_ + opening_ < connections_.size()) {
    Connection& next = connections_[settled_ + opening_];
    ++opening_;
    open_connection(next);
  }
}

void Load::open_connection(Connection& connection) {
  if (const auto opened = connection.open(poller_); !opened) fail(opened.error().detail);
}

void Load::opened(Connection& connection) {
  if (connection.times_opened() == 1 && settings_.mode != Mode::idle) settled();
  ready(connection);
  open_more();
}

// One more connection is as it is meant to be.
void Load::settled() {
  --opening_;
  if (++settled_ < connections_.size()) return;
  if (!has_streams()) all_running();
  if (settings_.mode == Mode::slow) next_read_ = now_ns() + kSlowStall;
}

// Everything is open and under way: from here the warm-up counts.
void Load::all_running() {
  now_ = now_ns();
  if (settings_.mode == Mode::open) next_send_ = now_;
  if (settings_.hold) return hold();
  if (settings_.seconds_ns == 0) return;
  window_.begin = now_ + settings_.warmup_ns;
  window_.end = window_.begin + settings_.seconds_ns;
}

void Load::hold() {
  holding_ = true;
  fmt::print("{{\"event\":\"holding\"}}\n");
  std::fflush(stdout);
  input_ = Fd(dup(STDIN_FILENO));
  released_ = !poller_.add(input_, &input_);
}

// ---- asking

// The connection is open and has nothing to do.
void Load::ready(Connection& connection) {
  switch (settings_.mode) {
    case Mode::closed:
      if (may_ask()) request(connection, now_ns());
      return;
    case Mode::open: idle_.push_back(&connection); return;
    case Mode::streams:
    case Mode::slow: return request(connection, now_ns());
    case Mode::idle:
      if (connection.pieces_received() == 0) request(connection, now_ns());
      return;
  }
}

void Load::request(Connection& connection, std::int64_t intended) {
  ++busy_;
  ++asked_;
  connection.request({.id = next_id_++, .chunks = settings_.chunks, .interval_us = settings_.interval_us}, intended);
}

void Load::send_due() {
  const auto interval = static_cast<std::int64_t>(1e9 / settings_.rate);
  while (next_send_ >= 0 && next_send_ <= now_ && !idle_.empty() && may_ask()) {
    Connection& connection = *idle_.front();
    idle_.pop_front();
    if (!connection.is_open()) continue;  // it is being opened again and will be back
    if (window_.running()) {
      report_.latest_send_us = std::max(report_.latest_send_us, static_cast<double>(now_ - next_send_) / 1000);
    }
    request(connection, next_send_);
    next_send_ += interval;
    now_ = now_ns();
  }
}

void Load::read_slowly() {
  next_read_ = now_ + kSlowEvery;
  for (Connection& connection : connections_) {
    if (connection.busy() && !report_.fault) connection.read(kSlowBytes);
  }
}

// ---- answers

void Load::chunk(Connection& connection, std::uint64_t stamp_us, std::int64_t now) {
  ++report_.all_chunks;
  if (window_.running()) {
    ++report_.chunks;
    const std::uint64_t age = (static_cast<std::uint64_t>(now / 1000) - stamp_us) & Piece::kStampMask;
    report_.chunk_latency.add(static_cast<std::int64_t>(age) * 1000);
  }
  // A stream's first: it is running.
  if (connection.pieces_received() == 1 && ++streams_running_ == connections_.size() && !plan_.paused) all_running();
}

void Load::answered(Connection& connection, std::int64_t now) {
  --busy_;
  ++report_.all_requests;
  if (window_.running()) {
    ++report_.requests;
    report_.latency.add(now - connection.intended());
  }
  if (settings_.mode == Mode::idle && settled_ < connections_.size()) {
    settled();
    open_more();
  }
  if (has_streams()) {
    const bool early = settings_.hold ? !released_ : settings_.seconds_ns > 0 && !window_.ended;
    if (early) fail("a stream ended before it was to: give it more chunks");
    return;
  }
  if (connection.is_open()) return ready(connection);
  left(connection);
}

void Load::left(Connection& connection) {
  if (settings_.mode == Mode::idle) return fail("the server closed a connection that was to be kept");
  if (has_streams()) return;
  ++report_.reconnects;
  std::erase(idle_, &connection);
  open_connection(connection);
}

void Load::failed(Connection&, std::string what) { fail(std::move(what)); }

void Load::fail(std::string what) {
  if (!report_.fault) report_.fault = std::move(what);
}

// ---- the window

void Load::mark_window() {
  if (window_.begin >= 0 && !window_.began && window_.begin <= now_) begin_window();
  if (window_.end >= 0 && !window_.ended && window_.end <= now_) end_window();
}

void Load::begin_window() {
  window_.cpu_at_begin = cpu_time(settings_.watched);
  window_.begin = now_ns();
  if (settings_.seconds_ns > 0) window_.end = window_.begin + settings_.seconds_ns;
  window_.began = true;
}

void Load::end_window() {
  window_.ended = true;
  report_.seconds = static_cast<double>(now_ns() - window_.begin) / 1e9;
  report_.cpu_ns = cpu_time(settings_.watched);
  for (auto& [name, time] : report_.cpu_ns) time -= window_.cpu_at_begin[name];
}

}  // namespace drover::bench
