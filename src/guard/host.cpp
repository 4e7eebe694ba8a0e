#include "guard/host.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/ascii.h"
#include "http/host.h"
#include "net/endpoint.h"

namespace drover::guard {
namespace {

constexpr std::string_view kLocalhost = "localhost";
constexpr std::array<std::string_view, 3> kLocalSuffixes = {".localhost", ".local", ".internal"};

bool is_ip_literal(std::string_view host) { return net::parse_ip(host, 0).has_value(); }

// Something before the suffix, which begins with a dot.
bool is_below(std::string_view host, std::string_view suffix) {
  return host.size() > suffix.size() && ascii::equal_fold(host.substr(host.size() - suffix.size()), suffix);
}

std::string_view without_final_dot(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  return name;
}

// A name that a DNS server could know: labels of letters, digits, `-` and `_` with single dots between them.
bool is_name(std::string_view text) {
  if (text.empty() || text.size() > 253 || text.front() == '.' || text.back() == '.') return false;
  if (text.find("..") != std::string_view::npos) return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return ascii::is_alnum(c) || c == '-' || c == '_' || c == '.'; });
}

}  // namespace

bool is_host_entry(std::string_view entry) {
  if (entry.starts_with("*.")) entry.remove_prefix(2);
  return is_name(without_final_dot(entry));
}

Result<HostRules> HostRules::make(const std::vector<std::string>& own_names,
                                  const std::vector<std::string>& configured) {
  HostRules rules;
  for (const std::string& name : own_names) {
    // The system may call itself anything; what is no name can never be asked for.
    if (is_name(without_final_dot(name))) rules.names_.push_back(ascii::lower(without_final_dot(name)));
  }
  for (const std::string& entry : configured) {
    if (!is_host_entry(entry)) {
      return Error{
          ErrorCode::config, Side::gateway,
          fmt::format("\"{}\" is no host name; expected for example gateway.example.org or *.example.org", entry)};
    }
    const std::string name = ascii::lower(without_final_dot(entry));
    if (name.starts_with('*')) {
      rules.suffixes_.push_back(name.substr(1));
    } else {
      rules.names_.push_back(name);
    }
  }
  return rules;
}

bool HostRules::allows(std::string_view host) const {
  if (host.empty()) return true;
  const auto authority = http::parse_authority(host);
  if (!authority) return false;
  if (is_ip_literal(authority->host)) return true;
  const std::string_view name = without_final_dot(authority->host);
  const auto is = [&](std::string_view known) { return ascii::equal_fold(name, known); };
  const auto below = [&](std::string_view suffix) { return is_below(name, suffix); };
  return is(kLocalhost) || std::any_of(kLocalSuffixes.begin(), kLocalSuffixes.end(), below) ||
         std::any_of(names_.begin(), names_.end(), is) || std::any_of(suffixes_.begin(), suffixes_.end(), below);
}

}  // namespace drover::guard
