#pragma once
// `drover status` and `drover nodes`: what a gateway that runs says of itself. Both return the exit code: 0, 1 when no
// gateway answers (said on stderr), 2 for an address that is none.

#include <string>

namespace drover::cli {

// `admin`: the gateway's admin listener, `IP:PORT` with or without `http://`. With `json` the answer goes to stdout as
// it is, for scripts; else as text for people.
int run_status(const std::string& admin, bool json);
// The same for its nodes alone; with `json` the array `nodes` of the answer.
int run_nodes(const std::string& admin, bool json);

}  // namespace drover::cli
