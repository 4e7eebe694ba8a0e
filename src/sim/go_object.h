#pragma once
// Writes a JSON object member by member, byte for byte as Go would: in the order of its struct, escaped for HTML.

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "api/go_json.h"

namespace drover::sim {

class GoObject {
 public:
  GoObject() : text_("{") {}

  GoObject& text(std::string_view key, std::string_view value) {
    begin(key);
    api::append_go_string(text_, value);
    return *this;
  }
  GoObject& flag(std::string_view key, bool value) { return raw(key, value ? "true" : "false"); }
  GoObject& number(std::string_view key, std::int64_t value) { return raw(key, fmt::format("{}", value)); }
  // `value` is JSON already.
  GoObject& raw(std::string_view key, std::string_view value) {
    begin(key);
    text_ += value;
    return *this;
  }
  // The same with Go's `omitempty`: nothing for what is empty or zero.
  GoObject& text_if(std::string_view key, std::string_view value) { return value.empty() ? *this : text(key, value); }
  GoObject& number_if(std::string_view key, std::int64_t value) { return value == 0 ? *this : number(key, value); }
  GoObject& raw_if(std::string_view key, std::string_view value) { return value.empty() ? *this : raw(key, value); }

  std::string str() const { return text_ + '}'; }

 private:
  void begin(std::string_view key) {
    if (text_.size() > 1) text_ += ',';
    api::append_go_string(text_, key);
    text_ += ':';
  }
  std::string text_;
};

}  // namespace drover::sim
