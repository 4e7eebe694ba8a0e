#pragma once
// `LEFT < RIGHT`: the form that goals and assertions share.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace drover::load {

enum class Relation : std::uint8_t { less, at_most, equal, at_least, more };

template <typename T>
bool holds(const T& left, Relation relation, const T& right) {
  switch (relation) {
    case Relation::less: return left < right;
    case Relation::at_most: return left <= right;
    case Relation::equal: return left == right;
    case Relation::at_least: return left >= right;
    case Relation::more: return left > right;
  }
  return false;
}

struct Comparison {
  std::string_view left;
  Relation relation;
  std::string_view right;
};

// Views into `text`, without blanks around them. Error (invalid): there is no relation, or nothing beside it.
Result<Comparison> split_comparison(std::string_view text);

}  // namespace drover::load
