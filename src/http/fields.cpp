#include "http/fields.h"

#include <algorithm>

#include "base/ascii.h"

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
    "authorization",
    "content-length",
    "http2-settings",
    "content-encoding",
    "proxy-connection",
    "transfer-encoding",
    "proxy-authenticate",
    "proxy-authorization",
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

// Of equal length, `name` a token and `known` of [a-z0-9-]. Then 0x20 folds letters and changes nothing else: the other
// preimages of what `known` holds are control characters, which no token has.
bool equal_known(std::string_view name, std::string_view known) {
  if ((name.front() | 0x20) != known.front()) return false;
  std::uint8_t differ = 0;
  for (std::size_t i = 1; i < name.size(); ++i) {
    differ = static_cast<std::uint8_t>(differ | ((name[i] | 0x20) ^ known[i]));
  }
  return differ == 0;
}

}  // namespace

Known known_field(std::string_view name) {
  if (name.size() > kLongest) return Known::none;
  for (std::size_t i = kFirstOfLength[name.size()]; i < kFirstOfLength[name.size() + 1]; ++i) {
    if (equal_known(name, kNames[i])) return static_cast<Known>(i);
  }
  return Known::none;
}

std::string_view name(Known field) { return kNames[static_cast<std::size_t>(field)]; }

void KnownFields::note(Known field, std::size_t index) {
  if (field == Known::none) return;
  auto& first = first_[static_cast<std::size_t>(field)];
  if (first != 0) {
    repeated_ |= 1U << static_cast<unsigned>(field);
  } else {
    first = static_cast<std::uint8_t>(index + 1);
  }
}

std::optional<std::size_t> KnownFields::first(Known field) const {
  const auto first = first_[static_cast<std::size_t>(field)];
  if (first == 0) return std::nullopt;
  return first - std::size_t{1};
}

std::optional<std::string_view> Fields::find(std::string_view name) const {
  for (const Field field : *this) {
    if (ascii::equal_fold(field.name, name)) return field.value;
  }
  return std::nullopt;
}

std::string_view Fields::lines(std::size_t first, std::size_t last) const {
  return {base_ + line_begin(first), line_begin(last) - line_begin(first)};
}

}  // namespace drover::http
