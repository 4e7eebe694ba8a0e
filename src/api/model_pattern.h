#pragma once
// Patterns for names of models, as operators write them: `*` stands for any text.

#include <string_view>

namespace drover::api {

// Does the pattern mean the model? `key`: as model_key() gives it. What the pattern leaves out is as in a name: without
// a host or namespace it means the default one, without a tag `latest`; but one that ends in `*` means all tags, and
// `*` alone all models. Names of other engines than Ollama are compared as they stand. Letters count without regard to
// case. Cost: O(key * pattern) at worst.
bool fits_pattern(std::string_view key, std::string_view pattern);

}  // namespace drover::api
