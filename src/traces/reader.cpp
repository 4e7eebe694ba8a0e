#include "traces/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <istream>

#include "base/ascii.h"

namespace drover::traces {

Result<Reader> Reader::open(const std::string& path) {
  auto file = std::make_unique<std::ifstream>(path, std::ios::binary);
  if (!*file) return Error{ErrorCode::invalid, Side::gateway, fmt::format("{}: cannot be read", path)};
  return read(std::move(file), path);
}

Result<Reader> Reader::read(std::unique_ptr<std::istream> lines, std::string name) {
  Reader reader(std::move(lines), std::move(name));
  if (const Line first = reader.read_line(); first == Line::failed) {
    return reader.fail("the line is too long for a trace");
  } else if (first == Line::end) {
    return reader.fail("the trace is empty");
  }
  reader.format_ = azure_format(reader.line_);
  if (reader.format_ != nullptr) return reader;
  if (!reader.line_.starts_with('{')) {
    return reader.fail(
        "this is no trace; expected the CSV header TIMESTAMP,ContextTokens,GeneratedTokens, or a JSON object with "
        "timestamp, input_length and output_length, or a line of an access log of Drover");
  }
  reader.is_unread_ = true;
  reader.format_ = access_log_format(reader.line_);
  if (reader.format_ == nullptr) {
    reader.format_ = mooncake_format();
  } else if (const auto all = reader.read_all(); !all) {
    return all.error();
  }
  return reader;
}

Reader::Reader(std::unique_ptr<std::istream> lines, std::string name)
    : lines_(std::move(lines)), name_(std::move(name)) {}

// The next line that is not empty, without its end.
Reader::Line Reader::read_line() {
  while (true) {
    line_.clear();
    ++number_;
    for (char c = 0; lines_->get(c) && c != '\n';) {
      if (line_.size() == kMaxLine) return Line::failed;
      line_ += c;
    }
    line_ = ascii::trim(line_, " \t\r");
    if (!line_.empty()) return Line::read;
    if (!*lines_) return Line::end;
  }
}

Error Reader::fail(std::string_view what) const {
  return Error{ErrorCode::invalid, Side::gateway, fmt::format("{}:{}: {}", name_, number_, what)};
}

// The request of the next line that has one, at the trace's own time.
Result<std::optional<Request>> Reader::parse_next() {
  while (true) {
    const Line line = std::exchange(is_unread_, false) ? Line::read : read_line();
    if (line == Line::end) return std::nullopt;
    if (line == Line::failed) return fail(fmt::format("the line is longer than {} bytes", kMaxLine));
    auto request = format_->parse(line_, left_out_);
    if (!request) return fail(request.error().detail);
    if (*request) return request;
  }
}

Result<void> Reader::read_all() {
  sorted_.emplace();
  while (true) {
    auto request = parse_next();
    if (!request) return request.error();
    if (!*request) break;
    if (sorted_->size() == kMaxLogged) return fail(fmt::format("there are more than {} requests", kMaxLogged));
    sorted_->push_back(std::move(**request));
  }
  std::ranges::sort(*sorted_, {}, &Request::at);
  return {};
}

Result<std::optional<Request>> Reader::next() {
  std::optional<Request> request;
  if (!sorted_) {
    auto parsed = parse_next();
    if (!parsed) return parsed;
    request = std::move(*parsed);
  } else if (!sorted_->empty()) {
    request = std::move(sorted_->front());
    sorted_->pop_front();
  }
  if (!request) return std::nullopt;
  if (last_ && request->at < *last_) return fail("the request came before the one above it; sort the trace by time");
  last_ = request->at;
  if (!first_) first_ = request->at;
  request->at -= *first_;
  return request;
}

}  // namespace drover::traces
