#pragma once
// Lines on their way to a slow place: one thread writes them, behind a bounded buffer. A disk that hangs stops nobody;
// what finds no room is dropped and counted.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "base/clock.h"
#include "base/result.h"
#include "base/units.h"

namespace drover::observe {

struct LineWriterSettings {
  Bytes buffer = 8_MiB;                            // waiting lines; as much again is on its way to the sink
  Duration batch = std::chrono::milliseconds(50);  // a line waits so long for company at most
  Duration stop_grace = std::chrono::seconds(2);   // to write what waits when the writer ends
};

class LineWriter {
 public:
  // To the process's standard output.
  static std::unique_ptr<LineWriter> to_stdout(const LineWriterSettings& settings);
  // Appends to the file, made with mode 0640 where it does not exist. Errors (system): it cannot be opened.
  static Result<std::unique_ptr<LineWriter>> to_file(std::string path, const LineWriterSettings& settings);
  // To an open descriptor, which it closes at its end.
  static std::unique_ptr<LineWriter> to_descriptor(int fd, const LineWriterSettings& settings);

  // Writes what waits, within the grace; the rest is dropped.
  ~LineWriter();
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  // `line` with its newline. Any thread; never waits for the sink. Takes a lock that is held for one copy, and wakes
  // the thread only when it slept. False: no room, the line is dropped and counted.
  bool write(std::string_view line);
  // Opens the file anew, once what was written so far is out: after a rotation. Where that fails the old one is kept.
  // No effect on other sinks. Any thread.
  void reopen();
  // Returns once everything written before is out or dropped, or when `grace` has passed. Any thread.
  void flush(Duration grace);

  // Lines that never arrived: no room, or the sink failed. Any thread.
  std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  LineWriter(int fd, bool owned, std::string path, const LineWriterSettings& settings);
  void run();
  void put(std::string_view lines);
  bool await_room() const;
  void give_up(std::string_view unwritten);
  void open_anew();

  const LineWriterSettings settings_;
  const std::string path_;  // empty: not a file that can be opened anew

  // The thread's own.
  int fd_;
  bool owned_;  // the descriptor is ours to close
  std::string writing_;
  bool torn_ = false;  // the last line that reached the sink is incomplete

  std::mutex mutex_;
  std::condition_variable work_;     // for the thread
  std::condition_variable written_;  // for flush()
  std::string waiting_;              // at most settings_.buffer
  bool asleep_ = false;              // the next line must wake the thread
  bool hurry_ = false;               // do not wait for company
  bool reopen_ = false;
  bool stopping_ = false;
  std::uint64_t taken_ = 0;  // batches that the thread took, and of those the ones that are out or dropped
  std::uint64_t done_ = 0;

  std::atomic<Mono> stop_by_{kNever};  // after this the sink is not waited for
  std::atomic<std::uint64_t> dropped_{0};
  std::thread thread_;
};

}  // namespace drover::observe
