#pragma once

#include <string>

namespace drover::cli {

inline constexpr const char* kVersion = DROVER_VERSION;

// The version, and what is linked into the binary.
std::string version_text();

}  // namespace drover::cli
