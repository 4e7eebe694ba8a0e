#pragma once
// The fields of a head as views into the bytes they arrived in: no copy, no map, no allocation.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/ascii.h"

namespace drover::http {

struct Field {
  std::string_view name;
  std::string_view value;
};

// How the body that follows a head is delimited (RFC 9112, section 6).
enum class BodyKind : std::uint8_t {
  none,
  length,       // Content-Length
  chunked,      // Transfer-Encoding: chunked
  until_close,  // responses only: the end of the connection is the end of the body
};

// The fields that a rule of ours knows. In order of length, which is how known_field() finds them.
enum class Known : std::uint8_t {
  te,
  host,
  date,
  vary,
  accept,
  expect,
  origin,
  server,
  trailer,
  upgrade,
  connection,
  keep_alive,
  set_cookie,
  user_agent,
  traceparent,
  content_type,
  x_powered_by,
  x_request_id,
  x_session_id,
  authorization,
  content_length,
  http2_settings,
  content_encoding,
  proxy_connection,
  transfer_encoding,
  proxy_authenticate,
  proxy_authorization,
  x_claude_code_session_id,
  none,
};
inline constexpr std::size_t kKnownCount = static_cast<std::size_t>(Known::none);

// Which known field `name`, a token, is, in any case; `none` for all others. About 40 instructions.
Known known_field(std::string_view name);
std::string_view name(Known field);  // lower case

// Where each known field stands among the fields of a head.
class KnownFields {
 public:
  void note(Known field, std::size_t index) {
    if (field == Known::none) return;
    auto& first = first_[static_cast<std::size_t>(field)];
    if (first != 0) {
      repeated_ |= 1U << static_cast<unsigned>(field);
    } else {
      first = static_cast<std::uint8_t>(index + 1);
    }
  }
  // Index of the first such field.
  std::optional<std::size_t> first(Known field) const {
    const auto first = first_[static_cast<std::size_t>(field)];
    if (first == 0) return std::nullopt;
    return first - std::size_t{1};
  }
  bool repeated(Known field) const { return (repeated_ >> static_cast<unsigned>(field) & 1U) != 0; }

 private:
  std::array<std::uint8_t, kKnownCount> first_{};  // index + 1; 0: absent
  std::uint32_t repeated_ = 0;                     // a bit for each that came more than once
};

// A field by offsets from the start of the head, so that a head can be moved with its bytes and stays small.
struct FieldSlot {
  std::uint16_t name_at;
  std::uint16_t name_size;
  std::uint16_t value_at;
  std::uint16_t value_size;
};

// The fields of one head, in order. A view: valid as long as the head and the bytes it was parsed from.
class Fields {
 public:
  // `end`: offset just behind the CRLF of the last field line.
  Fields(const char* base, std::span<const FieldSlot> slots, std::size_t end) : base_(base), slots_(slots), end_(end) {}

  class iterator {
   public:
    iterator(const Fields* fields, std::size_t index) : fields_(fields), index_(index) {}
    Field operator*() const { return (*fields_)[index_]; }
    iterator& operator++() { return ++index_, *this; }
    bool operator==(const iterator& other) const { return index_ == other.index_; }

   private:
    const Fields* fields_;
    std::size_t index_;
  };

  std::size_t size() const { return slots_.size(); }
  bool empty() const { return slots_.empty(); }
  Field operator[](std::size_t index) const {
    const FieldSlot& slot = slots_[index];
    return {{base_ + slot.name_at, slot.name_size}, {base_ + slot.value_at, slot.value_size}};
  }
  iterator begin() const { return {this, 0}; }
  iterator end() const { return {this, size()}; }

  // Value of the first field of that name, whatever its case. O(fields).
  std::optional<std::string_view> find(std::string_view name) const;
  // The lines of the fields [first, last) as they came, each with its CRLF: what is copied when a head is relayed.
  std::string_view lines(std::size_t first, std::size_t last) const {
    return {base_ + line_begin(first), line_begin(last) - line_begin(first)};
  }

 private:
  std::size_t line_begin(std::size_t index) const { return index < size() ? slots_[index].name_at : end_; }

  const char* base_;
  std::span<const FieldSlot> slots_;
  std::size_t end_;
};

// Calls `visit(token)` for each non-empty element of a comma-separated list such as the value of Connection.
template <typename Visit>
void for_each_element(std::string_view list, Visit&& visit) {
  while (!list.empty()) {
    const auto comma = list.find(',');
    const auto element = ascii::trim(list.substr(0, comma));
    if (!element.empty()) visit(element);
    if (comma == std::string_view::npos) return;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace drover::http
