#pragma once
// A byte stream: a socket, or one end of a simulated pipe. Owned by one flow at a time; closing is destruction.
//
// Reads give a view into the loop's own buffer, valid until the next suspension. Writes never wait: what the peer does
// not take at once is kept here and sent as it drains, and the writer asks how much is kept (backpressure is its
// choice).

#include <expected>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "net/endpoint.h"
#include "net/flow.h"

namespace drover::net {

// Results of this layer are small; who failed and what it means is for the layers above to say.
template <typename T>
using IoResult = std::expected<T, ErrorCode>;

class Stream {
 public:
  Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  virtual ~Stream();

  // At least one byte, or an empty view when the peer has ended its side. Errors: timed_out, cancelled, reset.
  class ReadSome;
  ReadSome read_some(Mono deadline);
  // The same into memory of the caller's.
  ReadSome read_some(std::span<char> into, Mono deadline);

  // Ends when a read would not block, without reading: for idle connections. Errors: timed_out, cancelled.
  class Readable;
  Readable readable(Mono deadline);

  // Takes all bytes of all pieces: sends what the peer takes, keeps the rest. Little may be put off until the loop's
  // turn ends. Error: reset (nothing is kept then).
  std::expected<void, ErrorCode> write(std::span<const std::string_view> pieces);
  std::expected<void, ErrorCode> write(std::string_view bytes) { return write(std::span(&bytes, 1)); }

  // The same without a copy, for what is large: as many bytes as the peer takes now, at least one; the caller goes on
  // from there. The pieces must live until it ends. Lets those flows run first that are to run in the same turn, so
  // that large writes leave together as little ones do. Errors: timed_out, cancelled, reset.
  class WriteSome;
  WriteSome write_some(std::span<const std::string_view> pieces, Mono deadline);

  // Bytes kept because the peer did not take them, and when it last took any.
  std::size_t unsent() const { return unsent_.size() - unsent_offset_; }
  Mono last_progress() const { return last_progress_; }

  // Ends when at most `limit` bytes are unsent. Errors: timed_out, cancelled, reset.
  class Drained;
  Drained drained(std::size_t limit, Mono deadline);

  // Ends our side after what was sent (FIN); unsent bytes are dropped. Reading goes on.
  virtual void finish() = 0;
  // Both sides at once, so that the peer sees a reset. The stream gives `reset` from now on.
  virtual void abort() = 0;

  // The peer ended or reset its side, whether or not its last bytes have been read.
  bool hung_up() const { return hung_up_; }
  // A read would give something: bytes, the end, or an error. For pooled connections, which must be silent.
  virtual bool has_input() const = 0;

  // A write failed. That can be known before the peer is seen to have hung up.
  bool broken() const { return broken_; }

  const Endpoint& peer() const { return peer_; }

 protected:
  enum class Outcome : std::uint8_t { done, blocked, ended, failed };
  struct Attempt {
    Outcome outcome;
    std::size_t bytes = 0;
  };
  // One attempt without waiting. `done` has at least one byte (of a read: at most `into.size()`).
  virtual Attempt try_read(std::span<char> into) = 0;
  virtual Attempt try_write(std::span<const std::string_view> pieces) = 0;
  // Takes a write that may leave at the end of the loop's turn, in the order of all writes. False: it may not.
  virtual bool put_off(std::span<const std::string_view>) { return false; }
  // What was put off leaves at once.
  virtual void send_put_off() {}
  // What write() does when nothing is put off.
  std::expected<void, ErrorCode> send(std::span<const std::string_view> pieces);
  virtual Loop& loop() = 0;

  // For a stream around another one, such as TLS: it tries what the inner one can do, and hears what that hears.
  static Attempt try_read_of(Stream& inner, std::span<char> into) { return inner.try_read(into); }
  void listen_to(Stream& inner) { inner.outer_ = this; }

  // For the worlds: something changed.
  void became_readable();
  void became_writable();  // sends what is kept
  void peer_hung_up();

  Endpoint peer_;

 private:
  friend class HangupGuard;
  class ReadWait;
  class WriteWait;

  Flow* reader_ = nullptr;
  Flow* writer_ = nullptr;
  Flow* watcher_ = nullptr;  // cancelled when the peer hangs up
  Stream* outer_ = nullptr;  // the stream around this one, which owns it
  std::string unsent_;
  std::size_t unsent_offset_ = 0;
  Mono last_progress_{};
  bool hung_up_ = false;
  bool broken_ = false;  // a write failed
};

// Waits for the reading side, and for the writing side; one flow each at a time.
class Stream::ReadWait : public Wait {
 protected:
  ReadWait(Stream& stream, Mono deadline) : Wait(deadline), stream_(stream) {}
  ~ReadWait() = default;

  Stream& stream_;

 private:
  void attach(Flow& flow) final;
  void detach() final { stream_.reader_ = nullptr; }
};

class Stream::WriteWait : public Wait {
 protected:
  WriteWait(Stream& stream, Mono deadline) : Wait(deadline), stream_(stream) {}
  ~WriteWait() = default;
  void attach(Flow& flow) override;

  Stream& stream_;

 private:
  void detach() final { stream_.writer_ = nullptr; }
};

class Stream::ReadSome final : public ReadWait {
 public:
  ReadSome(Stream& stream, std::span<char> into, Mono deadline) : ReadWait(stream, deadline), into_(into) {}
  IoResult<std::string_view> await_resume() const { return result_; }

 private:
  bool step(Flow& flow) override;
  void fail(ErrorCode why) override { result_ = std::unexpected(why); }

  std::span<char> into_;
  IoResult<std::string_view> result_;
};

class Stream::Readable final : public ReadWait {
 public:
  Readable(Stream& stream, Mono deadline) : ReadWait(stream, deadline) {}
  std::expected<void, ErrorCode> await_resume() const { return result_; }

 private:
  bool step(Flow&) override { return stream_.has_input(); }
  void fail(ErrorCode why) override { result_ = std::unexpected(why); }

  std::expected<void, ErrorCode> result_;
};

class Stream::Drained final : public WriteWait {
 public:
  Drained(Stream& stream, std::size_t limit, Mono deadline) : WriteWait(stream, deadline), limit_(limit) {}
  std::expected<void, ErrorCode> await_resume() const { return result_; }

 private:
  bool step(Flow& flow) override;
  void fail(ErrorCode why) override { result_ = std::unexpected(why); }

  std::size_t limit_;
  std::expected<void, ErrorCode> result_;
};

class Stream::WriteSome final : public WriteWait {
 public:
  WriteSome(Stream& stream, std::span<const std::string_view> pieces, Mono deadline)
      : WriteWait(stream, deadline), pieces_(pieces) {
    for (const std::string_view piece : pieces) size_ += piece.size();
  }
  IoResult<std::size_t> await_resume() const { return result_; }

 private:
  // Of more, too much would have left the processor's cache meanwhile.
  static constexpr std::size_t kMostGivesWay = 128 * 1024;

  bool step(Flow& flow) override;
  void attach(Flow& flow) override;
  void fail(ErrorCode why) override { result_ = std::unexpected(why); }

  std::span<const std::string_view> pieces_;
  std::size_t size_ = 0;
  bool tried_ = false;  // or it has given way
  IoResult<std::size_t> result_;
};

inline Stream::ReadSome Stream::read_some(std::span<char> into, Mono deadline) { return {*this, into, deadline}; }
inline Stream::ReadSome Stream::read_some(Mono deadline) { return {*this, {}, deadline}; }
inline Stream::Readable Stream::readable(Mono deadline) { return {*this, deadline}; }
inline Stream::WriteSome Stream::write_some(std::span<const std::string_view> pieces, Mono deadline) {
  return {*this, pieces, deadline};
}
inline Stream::Drained Stream::drained(std::size_t limit, Mono deadline) { return {*this, limit, deadline}; }

// While it lives, the flow is cancelled as soon as the stream's peer hangs up; at once if it already has. This is how a
// client that leaves frees its node in every phase. The stream must outlive the guard.
class HangupGuard {
 public:
  HangupGuard(Stream& stream, Flow& flow);
  HangupGuard(const HangupGuard&) = delete;
  HangupGuard& operator=(const HangupGuard&) = delete;
  ~HangupGuard() { stream_.watcher_ = nullptr; }

 private:
  Stream& stream_;
};

}  // namespace drover::net
