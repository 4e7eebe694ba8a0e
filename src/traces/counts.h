#pragma once
// Token counts as all forms of traces have them.

#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "base/units.h"

namespace drover::traces {

// A whole number from 1 to kMaxTokens. Error: invalid, naming `what`.
Result<Tokens> read_tokens(std::string_view text, std::string_view what);
Result<Tokens> tokens_at(const Json& object, std::string_view key);

}  // namespace drover::traces
