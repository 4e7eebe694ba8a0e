#pragma once
// What a node means by an error answer: the text decides whether another node should be asked.

#include <string_view>

#include "base/result.h"

namespace drover::api {

// `body` is the beginning of the answer's body; 2 KiB are enough. Either dialect. One of server_busy (its load queue is
// full), model_absent, runner_died (it, or its memory, gave up: once more elsewhere may help) and refused_by_node
// (asked again it would answer the same; also every 503 that is not 'server busy').
ErrorCode node_error(int status, std::string_view body);

}  // namespace drover::api
