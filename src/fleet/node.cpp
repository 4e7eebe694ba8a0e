#include "fleet/node.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "base/ascii.h"
#include "net/endpoint.h"

namespace drover::fleet {
namespace {

constexpr std::string_view kThisMachine = "localhost";
constexpr std::string_view kMapped = "::ffff:";  // IPv4 addresses in the form of IPv6
constexpr std::array<std::string_view, 6> kNamesOfThisMachine = {"localhost", "localhost.", "127.0.0.1",
                                                                 "::1",       "0.0.0.0",    "::"};

}  // namespace

Address address_of(std::string_view host, std::uint16_t port) {
  // An embedded NUL would end the text for the system's parser before it ends for us.
  const auto ip = host.find('\0') == std::string_view::npos ? net::parse_ip(host, port) : std::nullopt;
  std::string text = ip ? net::ip_text(*ip) : ascii::lower(host);
  if (text.starts_with(kMapped) && text.find('.') != std::string::npos) text.erase(0, kMapped.size());
  for (const std::string_view local : kNamesOfThisMachine) {
    if (text == local) return {std::string(kThisMachine), port};
  }
  if (text.ends_with('.')) text.pop_back();  // the absolute form of a name
  return {std::move(text), port};
}

std::string to_text(const Address& address) {
  const bool v6 = address.host.find(':') != std::string::npos;
  return v6 ? fmt::format("[{}]:{}", address.host, address.port) : fmt::format("{}:{}", address.host, address.port);
}

std::string_view name(NodeKind kind) {
  switch (kind) {
    case NodeKind::ollama: return "ollama";
  }
  return "";
}

std::string default_name(const http::BaseUrl& url) {
  const Address address = address_of(url);
  std::string text = fmt::format("{}-{}", address.host, address.port);
  for (char& c : text) {
    if (!ascii::is_alnum(c) && c != '.' && c != '_') c = '-';
  }
  return text;
}

}  // namespace drover::fleet
