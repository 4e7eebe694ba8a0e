#pragma once
// The name service of the world: nodes are given by name, which follows them when they move.

#include <map>
#include <string>

#include "net/resolver.h"

namespace drover::world {

class Names final : public net::Resolver {
 public:
  // From now on the name stands for this address.
  void point(const std::string& host, const net::Endpoint& at) { addresses_[host] = at; }
  // Until then it knows nobody, or says nothing at all.
  void forget(Mono until) { forgetful_until_ = until; }
  void fall_silent(Mono until) { silent_until_ = until; }
  void heal() { forgetful_until_ = silent_until_ = Mono{}; }

  net::Task<Result<std::vector<net::Endpoint>>> resolve(net::Loop& loop, std::string host, std::uint16_t port,
                                                        Mono deadline) override;

 private:
  std::map<std::string, net::Endpoint, std::less<>> addresses_;
  Mono forgetful_until_{};
  Mono silent_until_{};
};

}  // namespace drover::world
