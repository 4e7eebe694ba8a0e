#include "http/host.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "base/ascii.h"

namespace drover::http {
namespace {

constexpr std::size_t kLongestName = 255;  // of a host name in DNS

constexpr auto kNameChars = [] {
  std::array<bool, 256> table{};
  for (const char c : std::string_view("-._~")) table[static_cast<unsigned char>(c)] = true;
  for (int c = 0; c < 128; ++c) {
    if (ascii::is_alnum(static_cast<char>(c))) table[static_cast<std::size_t>(c)] = true;
  }
  return table;
}();

bool is_name_char(char c) { return kNameChars[static_cast<unsigned char>(c)]; }

}  // namespace

bool is_ipv6(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.empty() || text.size() >= terminated.size() || text.find('\0') != std::string_view::npos) return false;
  std::copy(text.begin(), text.end(), terminated.begin());
  in6_addr address{};
  return inet_pton(AF_INET6, terminated.data(), &address) == 1;
}

std::optional<Authority> parse_authority(std::string_view text) {
  Authority result;
  if (text.starts_with('[')) {
    const auto bracket = text.find(']');
    if (bracket == std::string_view::npos || !is_ipv6(text.substr(1, bracket - 1))) return std::nullopt;
    result.host = text.substr(1, bracket - 1);
    text.remove_prefix(bracket + 1);
  } else {
    const auto colon = std::min(text.find(':'), text.size());
    result.host = text.substr(0, colon);
    if (result.host.empty() || result.host.size() > kLongestName) return std::nullopt;
    if (!std::all_of(result.host.begin(), result.host.end(), is_name_char)) return std::nullopt;
    text.remove_prefix(colon);
  }
  if (text.empty()) return result;
  const auto port = ascii::to_number(text.substr(1));
  if (text.front() != ':' || !port || *port > 65535) return std::nullopt;
  result.port = static_cast<std::uint16_t>(*port);
  return result;
}

}  // namespace drover::http
