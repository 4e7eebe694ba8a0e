#include "observe/line_writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace drover::observe {
namespace {

constexpr std::size_t kPipeWrite = 4096;         // a pipe that can be written takes so much at once (PIPE_BUF)
constexpr std::chrono::milliseconds kLook{100};  // how often a thread that waits for its sink looks whether to stop

int open_for_lines(const std::string& path) {
  return ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
}

bool is_regular(int fd) {
  struct stat status{};
  return ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

// Signals belong to the program's main thread; a pipe whose reader is gone then shows as EPIPE.
void block_signals() {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace

std::unique_ptr<LineWriter> LineWriter::to_stdout(const LineWriterSettings& settings) {
  return std::unique_ptr<LineWriter>(new LineWriter(STDOUT_FILENO, false, {}, settings));
}

Result<std::unique_ptr<LineWriter>> LineWriter::to_file(std::string path, const LineWriterSettings& settings) {
  const int fd = open_for_lines(path);
  if (fd < 0) {
    return Error{ErrorCode::system, Side::gateway, fmt::format("cannot write to {}: {}", path, std::strerror(errno))};
  }
  return std::unique_ptr<LineWriter>(new LineWriter(fd, true, std::move(path), settings));
}

std::unique_ptr<LineWriter> LineWriter::to_descriptor(int fd, const LineWriterSettings& settings) {
  return std::unique_ptr<LineWriter>(new LineWriter(fd, true, {}, settings));
}

LineWriter::LineWriter(int fd, bool owned, std::string path, const LineWriterSettings& settings)
    : settings_(settings), path_(std::move(path)), fd_(fd), owned_(owned), thread_([this] { run(); }) {}

LineWriter::~LineWriter() {
  stop_by_.store(after(SystemClock().mono(), settings_.stop_grace));
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_one();
  thread_.join();
  if (owned_) ::close(fd_);
}

bool LineWriter::write(std::string_view line) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() + line.size() > settings_.buffer.value) {
      dropped_.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
    waiting_ += line;
    const bool crowded = !hurry_ && waiting_.size() > settings_.buffer.value / 2;
    wake = asleep_ || crowded;
    asleep_ = false;
    hurry_ = hurry_ || crowded;
  }
  if (wake) work_.notify_one();
  return true;
}

void LineWriter::reopen() {
  {
    const std::lock_guard lock(mutex_);
    reopen_ = hurry_ = true;
  }
  work_.notify_one();
}

void LineWriter::flush(Duration grace) {
  std::unique_lock lock(mutex_);
  const std::uint64_t last = waiting_.empty() ? taken_ : taken_ + 1;
  if (done_ >= last) return;
  hurry_ = true;
  work_.notify_one();
  written_.wait_for(lock, grace, [&] { return done_ >= last; });
}

void LineWriter::run() {
  block_signals();
  std::unique_lock lock(mutex_);
  while (true) {
    asleep_ = waiting_.empty();
    work_.wait(lock, [&] { return !waiting_.empty() || reopen_ || stopping_; });
    asleep_ = false;
    work_.wait_for(lock, settings_.batch, [&] { return hurry_ || stopping_; });
    if (stopping_ && waiting_.empty()) return;

    std::swap(waiting_, writing_);
    const bool anew = std::exchange(reopen_, false);
    hurry_ = false;
    ++taken_;
    lock.unlock();
    put(writing_);
    writing_.clear();
    if (anew) open_anew();
    lock.lock();
    ++done_;
    written_.notify_all();
  }
}

void LineWriter::open_anew() {
  if (path_.empty()) return;
  const int fd = open_for_lines(path_);
  if (fd < 0) return;
  ::close(std::exchange(fd_, fd));
  torn_ = false;
}

// Until the sink takes bytes. False: the writer ends and its grace is over.
bool LineWriter::await_room() const {
  while (true) {
    pollfd sink{.fd = fd_, .events = POLLOUT, .revents = 0};
    const int ready = ::poll(&sink, 1, static_cast<int>(kLook.count()));
    if (ready > 0 || (ready < 0 && errno != EINTR)) return true;  // an error shows in the write
    if (SystemClock().mono() >= stop_by_.load()) return false;
  }
}

void LineWriter::put(std::string_view lines) {
  const std::size_t most = is_regular(fd_) ? lines.size() : kPipeWrite;
  if (torn_ && !lines.empty() && await_room() && ::write(fd_, "\n", 1) == 1) torn_ = false;
  while (!lines.empty()) {
    if (!await_room()) return give_up(lines);
    const std::string_view piece = lines.substr(0, most);
    const ssize_t written = ::write(fd_, piece.data(), piece.size());
    if (written < 0) {
      if (errno == EINTR || errno == EAGAIN) continue;
      return give_up(lines);
    }
    lines.remove_prefix(static_cast<std::size_t>(written));
    if (written > 0) torn_ = piece[static_cast<std::size_t>(written) - 1] != '\n';
  }
}

void LineWriter::give_up(std::string_view unwritten) {
  dropped_.fetch_add(static_cast<std::uint64_t>(std::count(unwritten.begin(), unwritten.end(), '\n')),
                     std::memory_order_relaxed);
}

}  // namespace drover::observe
