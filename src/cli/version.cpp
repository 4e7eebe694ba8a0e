#include "cli/version.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <spdlog/version.h>
#include <zstd.h>

#include <CLI/Version.hpp>
#include <nlohmann/json.hpp>

namespace drover::cli {

std::string version_text() {
  return fmt::format(
      "drover {} (commit {})\ncompiler {}\nlinked in: fmt {}.{}.{}, spdlog {}.{}.{}, nlohmann-json {}.{}.{}, yaml-cpp "
      "0.7, CLI11 "
      "{}, "
      "zstd {}, OpenSSL {}",
      kVersion, commit(), __VERSION__, FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100,
      SPDLOG_VER_MAJOR, SPDLOG_VER_MINOR, SPDLOG_VER_PATCH, NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR,
      NLOHMANN_JSON_VERSION_PATCH, CLI11_VERSION, ZSTD_versionString(), OpenSSL_version(OPENSSL_VERSION_STRING));
}

}  // namespace drover::cli
