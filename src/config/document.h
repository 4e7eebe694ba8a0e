#pragma once
// A configuration file as a tree that remembers where each piece stands. Nothing else knows YAML.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/error.h"

namespace drover::config {

inline constexpr std::size_t kMaxFileBytes = 1024 * 1024;
inline constexpr std::size_t kMaxFileDepth = 16;

struct Place {
  std::size_t line = 0;    // from 1; 0: nowhere
  std::size_t column = 0;  // from 1, in bytes
  std::size_t width = 1;

  friend auto operator<=>(const Place&, const Place&) = default;
};

struct Entry;

// A piece of the file.
struct Value {
  enum class Kind : std::uint8_t { empty, text, list, map };
  Kind kind = Kind::empty;
  Place place;
  std::string text;            // of a text
  bool quoted = false;         // then it is text whatever it looks like
  std::vector<Value> list;     // of a list
  std::vector<Entry> entries;  // of a map, in the order of the file; a key may come twice
};

struct Entry {
  std::string key;
  Place place;  // of the key
  Value value;
};

struct Document {
  Value root;  // a map, or empty
};

// YAML without what nobody needs here: one document; a map at its top; keys are plain text; no anchors, aliases or
// tags. Errors: the first thing that is wrong, code `syntax`.
std::expected<Document, ConfigError> parse_document(std::string_view text, const std::string& filename);

// Line `line` (from 1) of `text` for people: without its end, cut when it is long, passwords in URLs blotted out,
// nothing that steers a terminal. Empty: there is none.
std::string source_line(std::string_view text, std::size_t line);

}  // namespace drover::config
