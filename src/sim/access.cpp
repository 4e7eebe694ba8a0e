#include "sim/access.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "base/ascii.h"
#include "http/host.h"
#include "net/endpoint.h"

namespace drover::sim {
namespace {

bool is_private(const net::Endpoint& address) {
  if (address.is_loopback() || address.is_unspecified()) return true;
  const auto& ip = address.ip;
  if (address.v6) return (ip[0] & 0xfe) == 0xfc;
  return ip[0] == 10 || (ip[0] == 172 && (ip[1] & 0xf0) == 16) || (ip[0] == 192 && ip[1] == 168);
}

bool host_allowed(std::string_view host) {
  const auto authority = http::parse_authority(host);
  if (!authority) return host.empty();
  if (const auto address = net::parse_ip(authority->host, 0)) return is_private(*address);
  const std::string name = ascii::lower(authority->host);
  constexpr std::array<std::string_view, 3> kSuffixes{".localhost", ".local", ".internal"};
  return name == "localhost" || std::ranges::any_of(kSuffixes, [&](auto suffix) { return name.ends_with(suffix); });
}

bool origin_allowed(std::string_view origin) {
  constexpr std::array<std::string_view, 5> kApplications{"app://", "file://", "tauri://", "vscode-webview://",
                                                          "vscode-file://"};
  if (std::ranges::any_of(kApplications, [&](auto scheme) { return origin.starts_with(scheme); })) return true;
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!origin.starts_with(scheme)) continue;
    const auto authority = http::parse_authority(origin.substr(scheme.size()));
    if (!authority) return false;
    return authority->host == "localhost" || authority->host == "127.0.0.1" || authority->host == "0.0.0.0";
  }
  return false;
}

}  // namespace

Access access_of(std::string_view host, std::string_view origin, bool loopback) {
  if (loopback && !host_allowed(host)) return {.allowed = false};
  const std::string own(host);
  if (origin.empty() || origin == "http://" + own || origin == "https://" + own) return {};
  if (!origin_allowed(origin)) return {.allowed = false};
  return {.allowed = true, .cross_origin = true};
}

}  // namespace drover::sim
