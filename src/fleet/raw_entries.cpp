#include "fleet/raw_entries.h"

namespace drover::fleet {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool ends_scalar(char c) { return is_blank(c) || c == ',' || c == ':' || c == '}' || c == ']'; }

}  // namespace

void RawCursor::skip_blanks() {
  while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
}

bool RawCursor::take(char structural) {
  skip_blanks();
  if (at_ == text_.size() || text_[at_] != structural) return false;
  ++at_;
  return true;
}

bool RawCursor::at_end() {
  skip_blanks();
  return at_ == text_.size();
}

// From the opening quote to behind the closing one.
bool RawCursor::skip_string() {
  for (++at_; at_ < text_.size(); ++at_) {
    if (text_[at_] == '"') return ++at_, true;
    if (text_[at_] == '\\') ++at_;
  }
  at_ = text_.size();
  return false;
}

std::string_view RawCursor::take_value() {
  skip_blanks();
  const std::size_t begin = at_;
  std::size_t depth = 0;
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == '"') {
      if (!skip_string()) return {};
    } else if (c == '{' || c == '[') {
      ++depth;
      ++at_;
      continue;
    } else if (depth > 0) {
      if (c == '}' || c == ']') --depth;
      ++at_;
    } else {
      while (at_ < text_.size() && !ends_scalar(text_[at_])) ++at_;
    }
    if (depth == 0) return text_.substr(begin, at_ - begin);
  }
  return {};
}

}  // namespace drover::fleet
