#pragma once
// A run of load as text for people. Pure.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/terminal.h"
#include "load/assertion.h"
#include "load/run.h"

namespace drover::cli {

// What is sent where, in one line: `http://gpu:11434  llama3.2:3b  /api/chat  10 requests/s`.
std::string load_title(const load::Settings& settings);

// The live screen: at most as many lines as the terminal has rows, each narrower than it. `before`: some time ago, for
// the rates.
std::vector<std::string> load_screen(const load::Settings& settings, const load::Report& report,
                                     const load::Progress& now, const load::Progress& before, Size terminal,
                                     const Style& style);

// The same in one line without an end, for logs and pipes.
std::string load_line(const load::Report& report, const load::Progress& now, const load::Progress& before);

// What remains: lines of any width, each ended. `goal`: as it was written; empty: there is none.
std::string load_report(const load::Report& report, std::string_view goal, const Style& style);

// A line for each assertion.
struct Checked {
  std::string_view text;
  load::Assertion::Verdict verdict;
};
std::string load_verdicts(std::span<const Checked> checked, const Style& style);

}  // namespace drover::cli
