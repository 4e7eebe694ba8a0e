#include "traces/counts.h"

#include <fmt/format.h>

#include "base/ascii.h"
#include "traces/reader.h"

namespace drover::traces {

Result<Tokens> read_tokens(std::string_view text, std::string_view what) {
  const auto number = ascii::to_number(text);
  if (number && *number >= 1 && *number <= kMaxTokens.value) return Tokens{*number};
  return Error{ErrorCode::invalid, Side::gateway,
               text.empty() ? fmt::format("{} is missing", what)
                            : fmt::format("{} is {}; expected a whole number of tokens from 1 to {}", what, text,
                                          kMaxTokens.value)};
}

Result<Tokens> tokens_at(const Json& object, std::string_view key) {
  const Json* value = member(object, key);
  return read_tokens(value == nullptr ? "" : to_text(*value), key);
}

}  // namespace drover::traces
