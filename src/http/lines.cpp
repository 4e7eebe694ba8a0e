#include "http/lines.h"

#include <algorithm>

namespace drover::http {
namespace {

// Buffers above this are given back when a frame is done: a stream rarely has two such frames.
constexpr std::size_t kKeptCapacity = std::size_t{64} << 10;

constexpr std::size_t kMostUtf8 = 4;  // bytes of a sequence

// How many bytes at the end of `bytes` are the start of a UTF-8 sequence whose rest is still to come.
std::size_t unfinished_utf8(std::string_view bytes) {
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, bytes.size()); ++back) {
    const auto byte = static_cast<unsigned char>(bytes[bytes.size() - back]);
    if (byte < 0x80) return 0;
    if (byte < 0xc0) continue;  // a continuation byte: its lead stands before it
    const std::size_t size = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    return back < size ? back : 0;
  }
  return 0;
}

std::string_view without_line_end(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace

std::size_t FrameEnds::next(std::string_view bytes) {
  if (shape_ == StreamShape::bytes) return bytes.size();
  for (std::size_t begin = 0; begin < bytes.size();) {
    const auto newline = bytes.find('\n', begin);
    const bool ended = newline != std::string_view::npos;
    if (shape_ == StreamShape::lines) return ended ? newline + 1 : 0;

    const auto text = bytes.substr(begin, newline - begin);
    if (!text.empty()) line_ = line_ == Line::empty && text == "\r" ? Line::cr : Line::text;
    if (!ended) return 0;
    const bool blank = line_ != Line::text;
    line_ = Line::empty;
    begin = newline + 1;
    if (blank) return begin;
  }
  return 0;
}

std::size_t FrameEnds::last(std::string_view bytes) {
  switch (shape_) {
    case StreamShape::bytes: return bytes.size();
    case StreamShape::lines: return bytes.rfind('\n') + 1;  // npos + 1 is 0
    case StreamShape::events: break;
  }
  if (bytes.ends_with("\n\n")) {  // as most pieces do; whatever came before, this is a blank line
    line_ = Line::empty;
    return bytes.size();
  }
  std::size_t end = 0;
  while (const auto more = next(bytes.substr(end))) end += more;
  return end;
}

std::size_t WriteBoundary::release(std::string_view bytes) {
  const auto end = ends_.last(bytes);
  held_ = end > 0 ? Bytes{bytes.size() - end} : held_ + Bytes{bytes.size()};
  if (held_ <= longest_) return end;
  auto cut = bytes.size() - unfinished_utf8(bytes);
  if (cut == 0 && held_.value >= longest_.value + kMostUtf8) cut = bytes.size();  // what came before was no character
  if (cut > 0) held_ = Bytes{bytes.size() - cut};
  return cut;
}

std::optional<std::string_view> FrameReader::next() {
  if (handed_out_) drop_carried();
  if (too_long_) return std::nullopt;

  const auto end = ends_.next(piece_);
  const auto part = piece_.substr(0, end > 0 ? end : piece_.size());
  piece_.remove_prefix(part.size());
  if (carried_.size() + part.size() > longest_.value) {
    too_long_ = true;
    drop_carried();
    return std::nullopt;
  }
  if (end > 0 && carried_.empty()) return part;
  carried_ += part;
  if (end == 0) return std::nullopt;
  handed_out_ = true;
  return carried_;
}

void FrameReader::drop_carried() {
  handed_out_ = false;
  if (carried_.capacity() > kKeptCapacity) {
    carried_ = std::string();
  } else {
    carried_.clear();
  }
}

std::optional<std::string_view> LineReader::next() {
  const auto frame = frames_.next();
  if (!frame) return std::nullopt;
  return without_line_end(*frame);
}

std::optional<Event> parse_event(std::string_view frame, std::string& joined) {
  Event event;
  std::size_t data_lines = 0;
  while (!frame.empty()) {
    const auto size = std::min(frame.find('\n'), frame.size() - 1) + 1;
    const auto line = without_line_end(frame.substr(0, size));
    frame.remove_prefix(size);

    const auto field = line.substr(0, line.find(':'));  // empty in a comment
    auto value = line.substr(std::min(field.size() + 1, line.size()));
    if (value.starts_with(' ')) value.remove_prefix(1);
    if (field == "event") event.name = value;
    if (field != "data") continue;
    if (data_lines == 1) joined = event.data;
    if (data_lines > 0) joined.append(1, '\n').append(value);
    event.data = data_lines > 0 ? std::string_view(joined) : value;
    ++data_lines;
  }
  if (data_lines == 0) return std::nullopt;
  return event;
}

std::optional<Event> EventReader::next() {
  while (const auto frame = frames_.next()) {
    if (const auto event = parse_event(*frame, joined_)) return event;
  }
  return std::nullopt;
}

}  // namespace drover::http
