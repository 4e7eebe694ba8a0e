#pragma once
// What was decided about a request as text for people: reads the document that gateway::decisions_json writes
// (gateway/decisions.h), of which nothing is believed, and nothing in it can play tricks on a terminal.

#include <string>

#include "base/json.h"
#include "cli/terminal.h"

namespace drover::cli {

// `drover why`: for each attempt a sentence, what it waited and took beside what was expected, and the candidates, the
// best one first. Lines of any width, each ended.
std::string why_text(const Json& answer, const Style& style);

}  // namespace drover::cli
