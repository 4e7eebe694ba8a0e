#pragma once
// Replays as text for people and for scripts. Pure.

#include <optional>
#include <string>

#include "base/json.h"
#include "cli/terminal.h"
#include "replay/compare.h"

namespace drover::cli {

// What was replayed, and what came of it.
struct ReplayReport {
  const replay::Results& results;
  std::string goal;
  std::string what_if;                        // the change of the fleet; empty: none
  std::optional<traces::LeftOut> left_out{};  // of a trace
};

// A table of the policies' figures; with several policies, another of how far they are from the first one. With a
// change of the fleet, before them what it brings, in words.
std::string to_text(const ReplayReport& report, const Style& style);

Json to_json(const ReplayReport& report);

}  // namespace drover::cli
