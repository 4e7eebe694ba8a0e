#include "gateway/reload_options.h"

#include <fmt/format.h>

#include <charconv>

namespace drover::gateway {
namespace {

// FNV-1a, 64 bit.
std::uint64_t hash(std::string_view text, std::uint64_t value = 0xcbf29ce484222325ULL) {
  for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return value;
}

bool has_right_type(api::ReloadOption option, std::string_view value) {
  const bool is_flag = value == "true" || value == "false";
  if (option == api::ReloadOption::use_mmap || option == api::ReloadOption::shift) return is_flag;
  return !value.empty() && (value.front() == '-' || (value.front() >= '0' && value.front() <= '9'));
}

// A number as the node reads it, which cuts fractions off. 0: of no tokens, or of more than it can count.
std::uint64_t tokens_of(std::string_view value) {
  constexpr double kMost = 1U << 31;
  double number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  return error == std::errc() && number >= 1 && number < kMost ? static_cast<std::uint64_t>(number) : 0;
}

}  // namespace

ReloadOptions reload_options(const api::Understood& understood, std::string_view body) {
  ReloadOptions result;
  for (std::size_t i = 0; i < api::kReloadOptionCount; ++i) {
    const auto option = static_cast<api::ReloadOption>(i);
    const api::ReloadSetting* setting = understood.reload.find(option);
    if (setting == nullptr) continue;
    const std::string_view value = setting->value.of(body);
    if (!has_right_type(option, value)) continue;
    if (option == api::ReloadOption::num_ctx) {
      result.need.context = tokens_of(value);
      if (result.need.context != 0) continue;
    }
    if (option == api::ReloadOption::shift) {
      if (value == "false") result.others = "\"shift\":false";  // true is the default
    } else {
      result.options += fmt::format("{}\"{}\":{}", result.options.empty() ? "" : ",", api::name(option), value);
    }
  }
  if (!result.options.empty() || !result.others.empty()) {
    result.need.fingerprint = hash(result.others, hash(result.options)) | 1;
  }
  return result;
}

std::string load_members(const ReloadOptions& options, std::uint64_t context) {
  std::string inner = options.options;
  if (context != 0) inner += fmt::format("{}\"num_ctx\":{}", inner.empty() ? "" : ",", context);
  std::string members;
  if (!inner.empty()) members = fmt::format(",\"options\":{{{}}}", inner);
  if (!options.others.empty()) members += fmt::format(",{}", options.others);
  return members;
}

}  // namespace drover::gateway
