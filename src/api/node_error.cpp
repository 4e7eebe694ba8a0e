#include "api/node_error.h"

#include <algorithm>

namespace drover::api {
namespace {

// A runner that died, or a card without memory, in the words of the versions seen (0.24 to 0.34).
constexpr std::string_view kRunnerDied[] = {
    "model runner has unexpectedly stopped",
    "an error was encountered while running the model",
    "process no longer running",
    "process has terminated",
    "out of memory",
    "out-of-memory",
    "cudaMalloc failed",
    "failed to reserve graph",
    "failed to allocate",
};

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

}  // namespace

ErrorCode node_error(int status, std::string_view body) {
  if (status == 503 && contains(body, "server busy")) return ErrorCode::server_busy;
  // Not the router's `404 page not found`: that is a node which lacks the route.
  if (status == 404 && contains(body, "model") && contains(body, "not found")) return ErrorCode::model_absent;
  const auto said = [&](std::string_view words) { return contains(body, words); };
  if (status == 500 && std::ranges::any_of(kRunnerDied, said)) return ErrorCode::runner_died;
  return ErrorCode::refused_by_node;
}

}  // namespace drover::api
