#pragma once
// One whole request and its whole answer on a connection of its own: probes, loads, `drover status`.

#include <string>
#include <vector>

#include "base/result.h"
#include "net/network.h"
#include "wire/client_connection.h"

namespace drover::wire {

struct CallRequest {
  std::string method = "GET";
  std::string target;  // path and query
  std::string host;
  std::string body{};
  std::string content_type = "application/json";
  Bytes max_answer = 16_MiB;
  Duration connect = std::chrono::seconds(2);
  std::string user_agent{};  // empty: none
};

struct CallAnswer {
  int status;
  std::string content_type;
  std::string body;
};

// Errors: side upstream, and every code of dialling and reading; detail names the endpoint and the target.
net::Task<Result<CallAnswer>> call(net::Network& network, net::Endpoint to, CallRequest request, Mono deadline);

}  // namespace drover::wire
