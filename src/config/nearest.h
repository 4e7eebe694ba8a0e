#pragma once
// The word that somebody who mistyped probably meant.

#include <span>
#include <string_view>

namespace drover::config {

// The nearest of `words` by edits (insertions, deletions, changes and swaps of neighbours: Damerau 1964), without
// regard to case, `-` as `_`; empty when none is near: more than a third of the word would change. The first of equals
// wins.
std::string_view nearest_word(std::string_view written, std::span<const std::string_view> words);

}  // namespace drover::config
