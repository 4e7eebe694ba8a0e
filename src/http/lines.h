#pragma once
// Streams as clients read them: NDJSON lines and SSE events. Where a write may end, so that no client ever gets half a
// line, and readers that hand out whole lines and events from pieces cut anywhere.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/units.h"

namespace drover::http {

enum class StreamShape : std::uint8_t {
  bytes,   // no structure that we know: any boundary serves
  lines,   // NDJSON: ends at LF
  events,  // SSE: ends at a blank line, \n\n or \r\n\r\n (a CR alone ends no line here, since no server writes that)
};

// Finds where frames (lines or events) end in bytes that arrive in pieces. O(bytes), no allocation.
class FrameEnds {
 public:
  explicit FrameEnds(StreamShape shape) : shape_(shape) {}

  // Takes bytes from the start of `bytes` through the end of the first frame that ends in them, and returns how many;
  // 0: none ends there, and all were taken. With shape `bytes` the frame ends with `bytes`.
  std::size_t next(std::string_view bytes);
  // Takes all of `bytes`; returns the offset just behind the last frame that ends in them, 0 if none does.
  std::size_t last(std::string_view bytes);

 private:
  // What the present line of an event stream holds so far; a CR alone is the start of its end.
  enum class Line : std::uint8_t { empty, cr, text };

  StreamShape shape_;
  Line line_ = Line::empty;
};

// Decides how much of a stream may be written now. What it holds back, the caller keeps and writes first next time.
// A frame longer than `longest` is released in parts, though not within a UTF-8 sequence that `bytes` ends in; at most
// three bytes more than `longest` are ever held back.
class WriteBoundary {
 public:
  explicit WriteBoundary(StreamShape shape, Bytes longest = 64_KiB) : ends_(shape), longest_(longest) {}

  // `bytes` follow those given before. Returns how many of them may be written now, after all that was held back; if 0
  // nothing may be, and all of `bytes` are held back as well.
  std::size_t release(std::string_view bytes);
  Bytes held() const { return held_; }  // behind the last boundary, over all calls

 private:
  FrameEnds ends_;
  Bytes longest_;
  Bytes held_;
};

// Cuts a stream into whole frames. A frame that lies within one piece is a view of that piece; others are put together
// in a buffer that is given back when large. Frames above `longest` are not read: too_long() says so, for good.
class FrameReader {
 public:
  FrameReader(StreamShape shape, Bytes longest) : ends_(shape), longest_(longest) {}

  // The next piece. Only when next() has returned nullopt for the one before. It must stay until next() does so again.
  void feed(std::string_view piece) { piece_ = piece; }
  // The next whole frame with what ends it; valid until the next call of a member. nullopt: feed() more.
  std::optional<std::string_view> next();
  bool too_long() const { return too_long_; }
  // What came behind the last whole frame; at the end of a stream: an unfinished one. After next() gave nullopt.
  std::string_view rest() const { return carried_; }

 private:
  void drop_carried();

  FrameEnds ends_;
  Bytes longest_;
  std::string_view piece_;
  std::string carried_;      // the start of a frame from earlier pieces
  bool handed_out_ = false;  // carried_ was a whole frame and is to be dropped
  bool too_long_ = false;
};

// Whole lines of an NDJSON stream, without their LF or CRLF. Members as in FrameReader.
class LineReader {
 public:
  explicit LineReader(Bytes longest = 8_MiB) : frames_(StreamShape::lines, longest) {}
  void feed(std::string_view piece) { frames_.feed(piece); }
  std::optional<std::string_view> next();
  bool too_long() const { return frames_.too_long(); }
  std::string_view rest() const { return frames_.rest(); }

 private:
  FrameReader frames_;
};

// An event of an SSE stream (WHATWG HTML, section 9.2).
struct Event {
  std::string_view name;  // of the `event` field; empty when absent
  std::string_view data;  // `data` lines joined by LF
};

// The event in `frame`, one frame of a stream of events. `joined` is scratch: `data` points into it when there is more
// than one data line, else into `frame`. nullopt: no data line, as in a comment that keeps the connection alive.
std::optional<Event> parse_event(std::string_view frame, std::string& joined);

// Whole events of an SSE stream that carry data. Members as in FrameReader.
class EventReader {
 public:
  explicit EventReader(Bytes longest = 8_MiB) : frames_(StreamShape::events, longest) {}
  void feed(std::string_view piece) { frames_.feed(piece); }
  std::optional<Event> next();
  bool too_long() const { return frames_.too_long(); }
  std::string_view rest() const { return frames_.rest(); }

 private:
  FrameReader frames_;
  std::string joined_;
};

}  // namespace drover::http
