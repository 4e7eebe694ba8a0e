#pragma once
// `host[:port]` as it stands in the Host field and in URLs.

#include <cstdint>
#include <optional>
#include <string_view>

namespace drover::http {

struct Authority {
  std::string_view host;              // a name, an IPv4 address, or an IPv6 address without its brackets
  std::optional<std::uint16_t> port;  // nullopt: none given
};

// Strict: letters, digits and `-._~` (names with `_` are common between containers), or an IPv6 literal in brackets; a
// port of digits from 0 to 65535. No user info, no percent-encoding. nullopt: not of that form. Views into `text`.
std::optional<Authority> parse_authority(std::string_view text);

// Is `text` an IPv6 address, without brackets and zone?
bool is_ipv6(std::string_view text);

}  // namespace drover::http
