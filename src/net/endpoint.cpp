#include "net/endpoint.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/ascii.h"

namespace drover::net {
namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool is_mapped(const Endpoint& endpoint) {
  return endpoint.v6 && std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), endpoint.ip.begin());
}

// Four numbers up to 255 with dots between them, none with a zero in front. Asked for with every request: inet_pton
// wants a copy that ends with a zero.
bool parse_dotted(std::string_view text, std::uint8_t* into) {
  for (std::size_t i = 0; i < 4; ++i) {
    unsigned number = 0;
    std::size_t digits = 0;
    for (; digits < text.size() && ascii::is_digit(text[digits]) && digits < 3; ++digits) {
      number = number * 10 + static_cast<unsigned>(text[digits] - '0');
    }
    if (digits == 0 || number > 255 || (digits > 1 && text[0] == '0')) return false;
    into[i] = static_cast<std::uint8_t>(number);
    text.remove_prefix(digits);
    if (i == 3) break;
    if (!text.starts_with('.')) return false;
    text.remove_prefix(1);
  }
  return text.empty();
}

char* write_byte(char* at, unsigned byte) {
  if (byte >= 100) *at++ = static_cast<char>('0' + byte / 100);
  if (byte >= 10) *at++ = static_cast<char>('0' + byte / 10 % 10);
  *at++ = static_cast<char>('0' + byte % 10);
  return at;
}

}  // namespace

bool Endpoint::is_loopback() const {
  if (!v6) return ip[0] == 127;
  if (is_mapped(*this)) return ip[12] == 127;
  return ip[15] == 1 && std::all_of(ip.begin(), ip.end() - 1, [](auto byte) { return byte == 0; });
}

bool Endpoint::is_unspecified() const {
  return std::all_of(ip.begin(), ip.end(), [](auto byte) { return byte == 0; });
}

std::optional<Endpoint> parse_ip(std::string_view text, std::uint16_t port) {
  if (text.size() >= 2 && text.front() == '[' && text.back() == ']') text = text.substr(1, text.size() - 2);
  Endpoint endpoint{.port = port};
  if (parse_dotted(text, endpoint.ip.data())) return endpoint;
  endpoint.ip = {};
  endpoint.v6 = true;
  const std::string terminated(text);
  if (::inet_pton(AF_INET6, terminated.c_str(), endpoint.ip.data()) == 1) return endpoint;
  return std::nullopt;
}

Result<Endpoint> parse_endpoint(std::string_view text) {
  const auto colon = text.rfind(':');
  const auto port = colon == std::string_view::npos ? std::nullopt : ascii::to_number(text.substr(colon + 1));
  if (port && *port <= 65535) {
    const auto number = static_cast<std::uint16_t>(*port);
    const auto host = text.substr(0, colon);
    if (host.empty() || host == "*") return Endpoint{.port = number};
    if (const auto endpoint = parse_ip(host == "localhost" ? "127.0.0.1" : host, number)) return *endpoint;
  }
  return Error{ErrorCode::config, Side::gateway,
               fmt::format("\"{}\" is no address to listen on; expected IP:PORT, for example 127.0.0.1:11435", text)};
}

std::string ip_text(const Endpoint& endpoint) {
  if (!endpoint.v6) {
    // Asked for with every request: inet_ntop goes through printf.
    std::array<char, INET_ADDRSTRLEN> text;
    char* at = write_byte(text.data(), endpoint.ip[0]);
    for (std::size_t i = 1; i < 4; ++i) {
      *at++ = '.';
      at = write_byte(at, endpoint.ip[i]);
    }
    return {text.data(), at};
  }
  char text[INET6_ADDRSTRLEN] = "";
  ::inet_ntop(AF_INET6, endpoint.ip.data(), text, sizeof text);
  return text;
}

std::string to_text(const Endpoint& endpoint) {
  const std::string ip = ip_text(endpoint);
  return endpoint.v6 ? fmt::format("[{}]:{}", ip, endpoint.port) : fmt::format("{}:{}", ip, endpoint.port);
}

}  // namespace drover::net
