#pragma once
// A gateway's status as text for people. All functions are pure: they read the document that gateway::status_json
// writes (gateway/status.h), and nothing in it can play tricks on a terminal.

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "cli/terminal.h"

namespace drover::cli {

// `drover status`: endpoint, requests, queue, nodes. Lines of any width, each ended.
std::string status_text(const Json& status, const Style& style);

// `drover nodes`: a line for each node and for each further model in its memory; then why nodes do not answer.
std::string nodes_text(const Json& status, const Style& style);

// Three commands that reach the gateway: the `ollama` command, curl, an OpenAI client. They name a model that is there.
std::vector<std::string> paste_lines(const Json& status);

// What `drover up` shows: one picture that fits the terminal, however small: at most `terminal.rows` lines, each
// narrower than `terminal.columns` (after a line that fills all of them, clearing the rest of it would, on some
// terminals, clear its last character). What does not fit is left out, nodes in trouble last; a command to paste is
// whole or not there. `before`: the status of `between` ago, for the rates; null at first. `access_log`: the path of
// the file that it is written to; empty: none.
std::vector<std::string> screen_lines(const Json& now, const Json* before, Duration between, Size terminal,
                                      std::string_view access_log, const Style& style);

// The same in one line without an end, for logs and pipes.
std::string plain_line(const Json& now, const Json* before);

}  // namespace drover::cli
