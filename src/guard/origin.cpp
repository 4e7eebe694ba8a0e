#include "guard/origin.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/ascii.h"

namespace drover::guard {
namespace {

constexpr std::array<std::string_view, 17> kBuiltIn = {
    "http://localhost", "https://localhost", "http://localhost:*", "https://localhost:*",
    "http://127.0.0.1", "https://127.0.0.1", "http://127.0.0.1:*", "https://127.0.0.1:*",
    "http://0.0.0.0",   "https://0.0.0.0",   "http://0.0.0.0:*",   "https://0.0.0.0:*",
    "app://*",          "file://*",          "tauri://*",          "vscode-webview://*",
    "vscode-file://*",
};

constexpr std::string_view kMethods = "GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS";

// What Ollama allows, and what the libraries of Anthropic and our own clients send besides. Ollama names the headers of
// `x-stainless-` one by one; libraries invent new ones.
constexpr std::string_view kRequestHeaders =
    "Authorization,Content-Type,User-Agent,Accept,X-Requested-With,OpenAI-Beta,X-Stainless-Arch,X-Stainless-Async,"
    "X-Stainless-Custom-Poll-Interval,X-Stainless-Helper-Method,X-Stainless-Lang,X-Stainless-Os,"
    "X-Stainless-Package-Version,X-Stainless-Poll-Helper,X-Stainless-Retry-Count,X-Stainless-Runtime,"
    "X-Stainless-Runtime-Version,X-Stainless-Timeout,X-Api-Key,Anthropic-Version,Anthropic-Beta,"
    "Anthropic-Dangerous-Direct-Browser-Access,X-Request-Id";

constexpr std::string_view kMaxAge = "43200";  // seconds

// Either spelling of `http(s)://host`: TLS may end in front of us.
bool is_own_page(std::string_view origin, std::string_view host) {
  if (host.empty()) return false;
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (origin.size() == scheme.size() + host.size() && ascii::equal_fold(origin.substr(0, scheme.size()), scheme) &&
        ascii::equal_fold(origin.substr(scheme.size()), host)) {
      return true;
    }
  }
  return false;
}

bool is_port(std::string_view text) { return ascii::to_number(text).value_or(65536) <= 65535; }

}  // namespace

Result<void> check_origin_entry(std::string_view entry) {
  const auto scheme = entry.find("://");
  const bool one_star = std::count(entry.begin(), entry.end(), '*') <= 1;
  const bool printable = std::all_of(entry.begin(), entry.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  const bool rest = scheme != std::string_view::npos && scheme > 0 && entry.size() > scheme + 3;
  const bool star_behind_scheme = entry.find('*') > scheme;
  if (entry == "*" || entry == "null" || (rest && one_star && printable && star_behind_scheme)) return {};
  return Error{
      ErrorCode::config, Side::gateway,
      fmt::format("\"{}\" is no origin; expected for example https://app.example.org, http://localhost:* or *", entry)};
}

Result<OriginRules> OriginRules::make(const std::vector<std::string>& patterns) {
  OriginRules rules;
  for (const std::string& entry : patterns) {
    if (const auto checked = check_origin_entry(entry); !checked) return checked.error();
    if (entry == "*") rules.anyone_ = true;
    std::string text = ascii::lower(entry);
    if (text.ends_with('/') && !text.ends_with("://")) text.pop_back();  // browsers send none
    Pattern pattern;
    const auto star = text.find('*');
    pattern.star = star != std::string::npos;
    pattern.before = text.substr(0, star);
    if (pattern.star) pattern.after = text.substr(star + 1);
    pattern.port = pattern.star && pattern.after.empty() && pattern.before.ends_with(':');
    rules.patterns_.push_back(std::move(pattern));
  }
  return rules;
}

Result<OriginRules> OriginRules::gateway(const std::vector<std::string>& configured) {
  std::vector<std::string> patterns(kBuiltIn.begin(), kBuiltIn.end());
  patterns.insert(patterns.end(), configured.begin(), configured.end());
  return make(patterns);
}

Result<OriginRules> OriginRules::admin(const std::vector<std::string>& configured) {
  auto rules = make(configured);
  if (rules) rules->refuse_cross_site_ = true;
  return rules;
}

bool OriginRules::Pattern::matches(std::string_view origin) const {
  if (!star) return ascii::equal_fold(origin, before);
  if (origin.size() < before.size() + after.size()) return false;
  if (!ascii::equal_fold(origin.substr(0, before.size()), before)) return false;
  if (!ascii::equal_fold(origin.substr(origin.size() - after.size()), after)) return false;
  return !port || is_port(origin.substr(before.size()));
}

bool OriginRules::allows(std::string_view origin) const {
  return anyone_ || std::any_of(patterns_.begin(), patterns_.end(),
                                [&](const Pattern& pattern) { return pattern.matches(origin); });
}

OriginVerdict OriginRules::decide(const OriginQuestion& question) const {
  using Action = OriginVerdict::Action;
  const bool own_page = is_own_page(question.origin, question.host);
  if (question.origin.empty() || own_page) {
    const bool strange = refuse_cross_site_ && !own_page && ascii::equal_fold(question.sec_fetch_site, "cross-site");
    return {strange ? Action::refuse : Action::pass, {}};
  }
  if (!allows(question.origin)) return {Action::refuse, {}};

  OriginVerdict verdict;
  verdict.headers.push_back({"access-control-allow-origin", anyone_ ? "*" : std::string(question.origin)});
  if (question.is_options) {
    verdict.action = Action::preflight;
    verdict.headers.push_back({"access-control-allow-methods", std::string(kMethods)});
    verdict.headers.push_back({"access-control-allow-headers", std::string(kRequestHeaders)});
    verdict.headers.push_back({"access-control-max-age", std::string(kMaxAge)});
  } else {
    // So that a page can read which node served it; without credentials the star means all.
    verdict.headers.push_back({"access-control-expose-headers", "*"});
  }
  if (!anyone_) verdict.headers.push_back({"vary", "Origin"});
  return verdict;
}

}  // namespace drover::guard
