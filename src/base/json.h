#pragma once
// JSON documents for control messages, small answers and reports (nlohmann-json). Request bodies on their way to a node
// never become documents: api/body_scanner.h reads those. Keys keep their order, since clients and tests compare bytes.

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace drover {

using Json = nlohmann::ordered_json;

// Whole text, one document, depth at most 64. Errors: invalid, with the byte offset.
Result<Json> parse_json(std::string_view text);

// Compact; invalid UTF-8 becomes U+FFFD instead of an exception.
std::string to_text(const Json& json);
// Indented by two, for people.
std::string to_pretty_text(const Json& json);

// The member `key` of an object if it has the type asked for, else the fallback. Never throws.
std::string_view text_at(const Json& object, std::string_view key, std::string_view fallback = {});
double number_at(const Json& object, std::string_view key, double fallback = 0);
std::int64_t integer_at(const Json& object, std::string_view key, std::int64_t fallback = 0);
bool flag_at(const Json& object, std::string_view key, bool fallback = false);
const Json* member(const Json& object, std::string_view key);  // nullptr when absent or `object` is none

}  // namespace drover
