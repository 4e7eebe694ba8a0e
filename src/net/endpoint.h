#pragma once
// Where a stream can go to: an IP address and a port. Names are resolved elsewhere (resolver.h), off the loop.

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace drover::net {

struct Endpoint {
  std::array<std::uint8_t, 16> ip{};  // IPv4 in the first four bytes
  bool v6 = false;
  std::uint16_t port = 0;

  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;

  bool is_loopback() const;     // 127.0.0.0/8, ::1, and IPv4-mapped loopback
  bool is_unspecified() const;  // 0.0.0.0 and ::: every address of this machine
};

// `127.0.0.1`, `::1`, `[::1]`. nullopt when the text is no IP literal.
std::optional<Endpoint> parse_ip(std::string_view text, std::uint16_t port);

// `127.0.0.1:80`, `[::1]:80`, `localhost:80` (means 127.0.0.1), `:80` (means every address). Error: config, with the
// text.
Result<Endpoint> parse_endpoint(std::string_view text);

// `127.0.0.1:80`, `[::1]:80`.
std::string to_text(const Endpoint& endpoint);
// Without the port: `127.0.0.1`, `::1`.
std::string ip_text(const Endpoint& endpoint);

}  // namespace drover::net
