#include "http/fields.h"

#include <algorithm>
#include <cstdint>

#include "base/ascii.h"
#include "base/short_text.h"

namespace drover::http {
namespace {

constexpr std::array<std::string_view, kKnownCount> kNames = {
    "te",
    "host",
    "date",
    "vary",
    "accept",
    "expect",
    "origin",
    "server",
    "trailer",
    "upgrade",
    "connection",
    "keep-alive",
    "set-cookie",
    "user-agent",
    "traceparent",
    "content-type",
    "x-powered-by",
    "x-request-id",
    "x-session-id",
    "authorization",
    "content-length",
    "http2-settings",
    "content-encoding",
    "proxy-connection",
    "transfer-encoding",
    "proxy-authenticate",
    "proxy-authorization",
    "x-claude-code-session-id",
};
static_assert(std::is_sorted(kNames.begin(), kNames.end(),
                             [](std::string_view a, std::string_view b) { return a.size() < b.size(); }));
constexpr std::size_t kLongest = kNames.back().size();

// kNames[kFirstOfLength[n]] up to kNames[kFirstOfLength[n + 1]] have n characters.
constexpr auto kFirstOfLength = [] {
  std::array<std::uint8_t, kLongest + 2> first{};
  std::size_t index = 0;
  for (std::size_t length = 0; length < first.size(); ++length) {
    while (index < kNames.size() && kNames[index].size() < length) ++index;
    first[length] = static_cast<std::uint8_t>(index);
  }
  return first;
}();

// A name in lower case. 0x20 in every byte folds letters and changes none of [a-z0-9-], which is what known names are
// made of: the other preimages of those are control characters, which no token has.
constexpr ShortText key_of(std::string_view name) {
  constexpr std::uint64_t kFold = 0x2020202020202020;
  const ShortText text = short_text(name);
  return {text.first | kFold, text.middle | kFold, text.last | kFold};
}
static_assert(kLongest <= ShortText::kMost);

constexpr auto kKeys = [] {
  std::array<ShortText, kKnownCount> keys;
  for (std::size_t i = 0; i < keys.size(); ++i) keys[i] = key_of(kNames[i]);
  return keys;
}();

}  // namespace

Known known_field(std::string_view name) {
  if (name.size() > kLongest) return Known::none;
  const std::size_t begin = kFirstOfLength[name.size()];
  const std::size_t end = kFirstOfLength[name.size() + 1];
  if (begin == end) return Known::none;
  const ShortText key = key_of(name);
  for (std::size_t i = begin; i < end; ++i) {
    if (key == kKeys[i]) return static_cast<Known>(i);
  }
  return Known::none;
}

std::string_view name(Known field) { return kNames[static_cast<std::size_t>(field)]; }

std::optional<std::string_view> Fields::find(std::string_view name) const {
  for (const Field field : *this) {
    if (ascii::equal_fold(field.name, name)) return field.value;
  }
  return std::nullopt;
}

}  // namespace drover::http
