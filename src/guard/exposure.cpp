#include "guard/exposure.h"

#include <fmt/format.h>

namespace drover::guard {

Result<void> check_exposure(std::string_view setting, const net::Endpoint& endpoint, bool insecure) {
  if (insecure || endpoint.is_loopback()) return {};
  return Error{
      ErrorCode::config, Side::gateway,
      fmt::format("{0} is {1}, which other machines can reach, and keys and TLS are not there yet: everybody who "
                  "reaches it could use it; write {0}: 127.0.0.1:{2}, or insecure: true if that is meant",
                  setting, net::to_text(endpoint), endpoint.port)};
}

}  // namespace drover::guard
