#pragma once
// Who may ask a node: Ollama's checks of Host and Origin (sections 6.1 and 6.2).

#include <cstdint>
#include <string_view>

namespace drover::sim {

struct Access {
  bool allowed = true;
  bool cross_origin = false;  // the answer names the origin that may read it
};

// `loopback`: the node listens there, and only then looks at Host. `origin` is empty when the request has none.
Access access_of(std::string_view host, std::string_view origin, bool loopback);

// An OPTIONS request of a browser: what may be asked from elsewhere.
inline constexpr std::string_view kPreflightMethods = "GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS";
inline constexpr std::string_view kPreflightHeaders =
    "Authorization,Content-Type,User-Agent,Accept,X-Requested-With,Openai-Beta,X-Stainless-Arch,X-Stainless-Async,"
    "X-Stainless-Custom-Poll-Interval,X-Stainless-Helper-Method,X-Stainless-Lang,X-Stainless-Os,"
    "X-Stainless-Package-Version,X-Stainless-Poll-Helper,X-Stainless-Retry-Count,X-Stainless-Runtime,"
    "X-Stainless-Runtime-Version,X-Stainless-Timeout";
inline constexpr std::string_view kPreflightAge = "43200";

}  // namespace drover::sim
