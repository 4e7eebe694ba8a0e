#pragma once

#include <string>
#include <string_view>

namespace drover::cli {

inline constexpr const char* kVersion = DROVER_VERSION;

// The commit that was built, short; `+` behind it: with changes of one's own. `unknown` outside a checkout.
std::string_view commit();

// The version, and what is linked into the binary.
std::string version_text();

}  // namespace drover::cli
