#pragma once
// Where `drover up` looks for Ollama when nobody named a node.

#include <string>
#include <vector>

#include "base/result.h"
#include "fleet/node.h"
#include "net/endpoint.h"

namespace drover::cli {

struct Found {
  std::vector<fleet::NodeSpec> nodes;  // those that answered
  std::vector<std::string> asked;      // all places, as URLs
};

// Asks OLLAMA_HOST (`ollama_host`, may be empty), unless it is one of our own listeners, and 127.0.0.1:11434, at the
// same time, for at most a second. Errors (config): OLLAMA_HOST is no address.
Result<Found> find_nodes(const std::string& ollama_host, const std::vector<net::Endpoint>& own);

}  // namespace drover::cli
