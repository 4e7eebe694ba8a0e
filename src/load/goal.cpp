#include "load/goal.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/quantities.h"

namespace drover::load {

Result<Goal> Goal::parse(std::string_view text) {
  Goal goal;
  while (true) {
    const auto comma = text.find(',');
    const auto each = split_comparison(text.substr(0, comma));
    if (!each) return each.error();
    const auto figure = figure_named(each->left);
    if (!figure) {
      return Error{ErrorCode::invalid, Side::gateway,
                   fmt::format("there is no figure {:?}; expected ttft, tpot, e2e or slip", each->left)};
    }
    const auto time = config::parse_duration(each->right);
    if (!time) {
      return Error{ErrorCode::invalid, Side::gateway,
                   fmt::format("{:?} is no time; expected one as 2s, 1s500ms or 100ms", each->right)};
    }
    goal.limits_.push_back({*figure, each->relation, *time});
    if (comma == std::string_view::npos) return goal;
    text.remove_prefix(comma + 1);
  }
}

bool Goal::met(const Outcome& outcome) const {
  return outcome.end == End::ok && std::ranges::all_of(limits_, [&outcome](const Limit& limit) {
           const auto time = figure_of(outcome, limit.figure);
           return !time || holds(*time, limit.relation, limit.time);
         });
}

}  // namespace drover::load
