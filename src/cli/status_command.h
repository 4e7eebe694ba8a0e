#pragma once
// `drover status`, `drover nodes` and `drover why`: what a gateway that runs says of itself. All return the exit code:
// 0, 1 when no gateway answers, or knows nothing of the request (said on stderr), 2 for an address or an id that is
// none.

#include <string>

namespace drover::cli {

// `admin`: the gateway's admin listener, `IP:PORT` with or without `http://`. With `json` the answer goes to stdout as
// it is, for scripts; else as text for people.
int run_status(const std::string& admin, bool json);
// The same for its nodes alone; with `json` the array `nodes` of the answer.
int run_nodes(const std::string& admin, bool json);
// What was decided about this request, or if it is empty, about the last one.
int run_why(const std::string& admin, const std::string& request, bool json);

}  // namespace drover::cli
