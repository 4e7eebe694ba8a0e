// Any bytes as a stream of lines or events, in pieces of any size: the frames that a slow reader finds, nothing lost
// between them, and writes that end where a frame does.
#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "http/lines.h"

namespace {

using namespace drover::http;

constexpr drover::Bytes kLongest{256};

struct Frames {
  std::vector<std::string> whole;
  std::string rest;  // behind the last whole one
  bool operator==(const Frames&) const = default;
};

// The reference: a line ends at LF, and an event at a line that is blank but for a CR.
Frames split(StreamShape shape, std::string_view bytes) {
  Frames frames;
  for (std::size_t end = bytes.find('\n'), line = 0; end != std::string_view::npos; end = bytes.find('\n', line)) {
    const auto text = bytes.substr(line, end - line);
    frames.rest.append(text).append(1, '\n');
    line = end + 1;
    if (shape == StreamShape::events && !text.empty() && text != "\r") continue;
    frames.whole.push_back(std::exchange(frames.rest, {}));
  }
  frames.rest += bytes.substr(bytes.rfind('\n') + 1);
  return frames;
}

template <typename Visit>
void in_pieces(std::string_view bytes, std::size_t size, Visit visit) {
  for (; !bytes.empty(); bytes.remove_prefix(std::min(size, bytes.size()))) visit(bytes.substr(0, size));
}

Frames read(StreamShape shape, std::string_view bytes, std::size_t size) {
  FrameReader reader(shape, drover::Bytes{bytes.size()});
  Frames frames;
  in_pieces(bytes, size, [&](std::string_view piece) {
    reader.feed(piece);
    while (const auto frame = reader.next()) frames.whole.emplace_back(*frame);
  });
  CHECK(!reader.too_long());
  frames.rest = reader.rest();
  return frames;
}

// What an event says, as its reader tells it.
std::vector<std::string> events(std::string_view bytes, std::size_t size) {
  EventReader reader;
  std::vector<std::string> told;
  in_pieces(bytes, size, [&](std::string_view piece) {
    reader.feed(piece);
    while (const auto event = reader.next()) told.push_back(std::string(event->name) + ':' + std::string(event->data));
  });
  return told;
}

// A write ends where a frame does, unless the frame is longer than what may be held back.
void check_writes(StreamShape shape, std::string_view bytes, std::size_t size, const Frames& frames) {
  std::set<std::size_t> ends;
  std::size_t end = 0;
  for (const std::string& frame : frames.whole) ends.insert(end += frame.size());
  WriteBoundary boundary(shape, kLongest);
  std::size_t given = 0, released = 0;
  in_pieces(bytes, size, [&](std::string_view piece) {
    const std::size_t now = boundary.release(piece);
    CHECK(now <= piece.size());
    const std::size_t before = std::exchange(released, now > 0 ? given + now : released);
    given += piece.size();
    CHECK(released + boundary.held().value == given);
    CHECK(now == 0 || ends.contains(released) || given - before > kLongest.value);
    CHECK(boundary.held().value < kLongest.value + 4);  // a character that is cut
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size < 2) return 0;
  const StreamShape shape = data[0] % 2 == 0 ? StreamShape::lines : StreamShape::events;
  const std::size_t piece = 1 + data[1] % 32;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const Frames frames = split(shape, bytes);
  CHECK(read(shape, bytes, bytes.size() + 1) == frames);
  CHECK(read(shape, bytes, piece) == frames);
  CHECK(events(bytes, bytes.size() + 1) == events(bytes, piece));
  check_writes(shape, bytes, piece, frames);
  return 0;
}
