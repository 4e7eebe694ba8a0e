#pragma once
// Replays as text for people and for scripts. Pure.

#include <string>
#include <string_view>

#include "base/json.h"
#include "cli/terminal.h"
#include "replay/compare.h"

namespace drover::cli {

// A table of the policies' figures; with several policies, another of how far they are from the first one.
std::string replay_report(const replay::Results& results, std::string_view goal, const Style& style);

Json replay_json(const replay::Results& results);

}  // namespace drover::cli
