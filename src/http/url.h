#pragma once
// Addresses of nodes as people write them: in drover.yaml, on the command line and in OLLAMA_HOST.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace drover::http {

enum class Scheme : std::uint8_t { http, https };

struct BaseUrl {
  Scheme scheme = Scheme::http;
  std::string host;  // a name or an address; an IPv6 address without its brackets
  std::uint16_t port = 0;
  std::string path;  // put before every path asked for; empty or `/prefix`, never with a `/` at its end

  friend bool operator==(const BaseUrl&, const BaseUrl&) = default;
};

// Reads `[http://|https://]host[:port][/prefix]`, `[::1]:port`, `::1`, `:port` (this machine: 127.0.0.1) and the empty
// text (127.0.0.1:11434). Blanks and quotes around it are dropped, as Ollama drops them. The port is 11434 without a
// scheme, 80 for http://, 443 for https://. Errors (config): another scheme, user info, a query or fragment, a bad host
// or port, a prefix with `..`, `//` or the like.
Result<BaseUrl> parse_base_url(std::string_view text);

// `host:port` for the Host field and for messages: brackets around IPv6, the port left out where the scheme implies it.
std::string authority(const BaseUrl& url);
std::string to_text(const BaseUrl& url);

}  // namespace drover::http
