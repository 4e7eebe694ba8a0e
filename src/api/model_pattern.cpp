#include "api/model_pattern.h"

#include <algorithm>
#include <string>

#include "base/ascii.h"

namespace drover::api {
namespace {

// Goes back to the last star only, since an earlier one could match no more than that.
bool matches(std::string_view text, std::string_view pattern) {
  std::size_t t = 0;
  std::size_t p = 0;
  std::size_t star = std::string_view::npos;
  std::size_t behind_star = 0;  // in the text: where what follows the last star was tried
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      behind_star = t;
    } else if (p < pattern.size() && ascii::lower(pattern[p]) == ascii::lower(text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++behind_star;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

// With what a name leaves out.
std::string completed(std::string_view pattern) {
  const auto slashes = std::ranges::count(pattern, '/');
  std::string whole = slashes == 0 ? "registry.ollama.ai/library/" : slashes == 1 ? "registry.ollama.ai/" : "";
  whole += pattern;
  const std::string_view model = std::string_view(whole).substr(whole.rfind('/') + 1);
  if (!model.ends_with('*') && model.find(':') == std::string_view::npos) whole += ":latest";
  return whole;
}

}  // namespace

bool fits_pattern(std::string_view key, std::string_view pattern) {
  const bool of_ollama = std::ranges::count(key, '/') == 2;
  return pattern == "*" || matches(key, of_ollama ? completed(pattern) : pattern);
}

}  // namespace drover::api
