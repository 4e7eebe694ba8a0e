#include "gateway/reload_options.h"

#include <fmt/format.h>

namespace drover::gateway {
namespace {

// FNV-1a, 64 bit.
std::uint64_t hash(std::string_view text) {
  std::uint64_t value = 0xcbf29ce484222325ULL;
  for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return value;
}

bool has_right_type(api::ReloadOption option, std::string_view value) {
  const bool is_flag = value == "true" || value == "false";
  if (option == api::ReloadOption::use_mmap || option == api::ReloadOption::shift) return is_flag;
  return !value.empty() && (value.front() == '-' || (value.front() >= '0' && value.front() <= '9'));
}

}  // namespace

ReloadOptions reload_options(const api::Understood& understood, std::string_view body) {
  std::string options, shift;
  for (std::size_t i = 0; i < api::kReloadOptionCount; ++i) {
    const auto option = static_cast<api::ReloadOption>(i);
    const api::ReloadSetting* setting = understood.reload.find(option);
    if (setting == nullptr) continue;
    const std::string_view value = setting->value.of(body);
    if (!has_right_type(option, value)) continue;
    if (option == api::ReloadOption::shift) {
      if (value == "false") shift = "\"shift\":false";  // true is the default
    } else {
      options += fmt::format("{}\"{}\":{}", options.empty() ? "" : ",", api::name(option), value);
    }
  }
  ReloadOptions result;
  if (!options.empty()) result.json = fmt::format("\"options\":{{{}}}", options);
  if (!shift.empty()) result.json += (result.json.empty() ? "" : ",") + shift;
  if (!result.json.empty()) result.fingerprint = hash(result.json) | 1;
  return result;
}

}  // namespace drover::gateway
