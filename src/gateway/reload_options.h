#pragma once
// The options of a request that decide how a model must be loaded for it.

#include <cstdint>
#include <string>
#include <string_view>

#include "api/understood.h"
#include "balance/events.h"

namespace drover::gateway {

struct ReloadOptions {
  balance::LoadNeed need;
  // All but the context, as JSON: members of `options`, such as `"num_gpu":1`, and of the body itself.
  std::string options;
  std::string others;
};

// Options of the wrong type are left out: the node refuses the request itself, in its own words, without a load. A
// context that is no number of tokens is an option like others.
ReloadOptions reload_options(const api::Understood& understood, std::string_view body);

// These as members of the body of a load with so many tokens; 0: as many as the node gives by itself. Such as
// `,"options":{"num_gpu":1,"num_ctx":8192},"shift":false`, or nothing.
std::string load_members(const ReloadOptions& options, std::uint64_t context);

}  // namespace drover::gateway
