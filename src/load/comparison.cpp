#include "load/comparison.h"

#include <fmt/format.h>

#include "base/ascii.h"

namespace drover::load {

Result<Comparison> split_comparison(std::string_view text) {
  struct Sign {
    std::string_view text;
    Relation relation;
  };
  // The longer ones first: each begins with a shorter one.
  constexpr Sign kSigns[] = {{"<=", Relation::at_most},
                             {">=", Relation::at_least},
                             {"==", Relation::equal},
                             {"<", Relation::less},
                             {">", Relation::more}};
  const auto at = text.find_first_of("<>=");
  if (at != std::string_view::npos) {
    for (const auto& [sign, relation] : kSigns) {
      if (!text.substr(at).starts_with(sign)) continue;
      const Comparison found{ascii::trim(text.substr(0, at)), relation, ascii::trim(text.substr(at + sign.size()))};
      if (found.left.empty() || found.right.empty()) break;
      return found;
    }
  }
  return Error{ErrorCode::invalid, Side::gateway,
               fmt::format("{:?} compares nothing; expected a figure, one of < <= == >= >, and a value", text)};
}

}  // namespace drover::load
