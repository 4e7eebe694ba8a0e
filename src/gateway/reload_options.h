#pragma once
// The options of a request that decide how a model must be loaded for it.

#include <cstdint>
#include <string>
#include <string_view>

#include "api/understood.h"

namespace drover::gateway {

struct ReloadOptions {
  std::uint64_t fingerprint = 0;  // equal for equal options, in whatever order; 0: the node's own
  std::string json;               // as members of a request's body: `"options":{"num_ctx":8192},"shift":false`
};

// Options of the wrong type are left out: the node refuses the request itself, in its own words, without a load.
ReloadOptions reload_options(const api::Understood& understood, std::string_view body);

}  // namespace drover::gateway
