#include "http/url.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/ascii.h"
#include "http/head_syntax.h"
#include "http/host.h"
#include "http/path.h"

namespace drover::http {
namespace {

constexpr std::uint16_t kOllamaPort = 11434;
constexpr std::string_view kThisMachine = "127.0.0.1";

std::uint16_t port_of(Scheme scheme) { return scheme == Scheme::http ? 80 : 443; }
std::string_view name_of(Scheme scheme) { return scheme == Scheme::http ? "http" : "https"; }

// The forms that the Host field does not have: nothing, a port alone, IPv6 without brackets.
std::optional<Authority> read_authority(std::string_view text) {
  if (text.empty()) return Authority{kThisMachine, std::nullopt};
  if (is_ipv6(text)) return Authority{text, std::nullopt};
  if (!text.starts_with(':')) return parse_authority(text);
  const auto port = ascii::to_number(text.substr(1));
  if (!port || *port > 65535) return std::nullopt;
  return Authority{kThisMachine, static_cast<std::uint16_t>(*port)};
}

std::string host_text(const BaseUrl& url) {
  return url.host.find(':') == std::string::npos ? url.host : fmt::format("[{}]", url.host);
}

}  // namespace

Result<BaseUrl> parse_base_url(std::string_view text) {
  auto rest = ascii::trim(text, " \t\r\n\"'");
  // A password could stand before an '@', so such an address is not quoted.
  if (rest.find('@') != std::string_view::npos) {
    return Error{ErrorCode::config, Side::gateway, "the address of a node has a user name; expected host:port only"};
  }
  const auto wrong = [&](std::string_view why) {
    return Error{ErrorCode::config, Side::gateway,
                 fmt::format("{} {}; expected [http://]host[:port][/prefix]", quoted(text, 200), why)};
  };

  BaseUrl url;
  std::uint16_t default_port = kOllamaPort;
  if (const auto colon = rest.find("://"); colon != std::string_view::npos) {
    const auto scheme = rest.substr(0, colon);
    if (ascii::equal_fold(scheme, "https")) {
      url.scheme = Scheme::https;
    } else if (!ascii::equal_fold(scheme, "http")) {
      return wrong("has a scheme that is neither http nor https");
    }
    default_port = port_of(url.scheme);
    rest.remove_prefix(colon + 3);
    if (rest.empty() || rest.starts_with('/')) return wrong("names no host");
  }

  const auto slash = std::min(rest.find('/'), rest.size());
  const auto authority = read_authority(rest.substr(0, slash));
  if (!authority || authority->port == 0) return wrong("has a bad host or port");
  url.host = ascii::lower(authority->host);
  url.port = authority->port.value_or(default_port);

  auto path = rest.substr(slash);
  std::string unused;
  if (!path.empty() && !normalise_path(path, unused).fault.empty()) return wrong("has a bad path");
  if (path.ends_with('/')) path.remove_suffix(1);
  url.path = path;
  return url;
}

std::string authority(const BaseUrl& url) {
  return url.port == port_of(url.scheme) ? host_text(url) : fmt::format("{}:{}", host_text(url), url.port);
}

std::string to_text(const BaseUrl& url) {
  return fmt::format("{}://{}{}", name_of(url.scheme), authority(url), url.path);
}

}  // namespace drover::http
