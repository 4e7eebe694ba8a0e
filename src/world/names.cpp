#include "world/names.h"

namespace drover::world {
namespace {

constexpr Duration kLookup = std::chrono::milliseconds(1);

Error failed(ErrorCode code, const std::string& host) {
  return {code, Side::upstream, "cannot resolve " + host + ": " + std::string(name(code))};
}

}  // namespace

net::Task<Result<std::vector<net::Endpoint>>> Names::resolve(net::Loop& loop, std::string host, std::uint16_t,
                                                             Mono deadline) {
  const bool silent = loop.now() < silent_until_;
  if (!co_await net::sleep_until(silent ? deadline : loop.now() + kLookup)) {
    co_return failed(ErrorCode::cancelled, host);
  }
  if (silent) co_return failed(ErrorCode::timed_out, host);
  const auto found = addresses_.find(host);
  if (loop.now() < forgetful_until_ || found == addresses_.end()) co_return failed(ErrorCode::unreachable, host);
  co_return std::vector{found->second};
}

}  // namespace drover::world
