#pragma once
// The life of a client's connection, and of each request on it.

#include <memory>

#include "net/stream.h"
#include "net/task.h"

namespace drover::gateway {

class Worker;

// Serves requests until the client leaves, is idle too long, or the worker drains.
net::Task<> serve_connection(Worker& worker, std::unique_ptr<net::Stream> stream);

}  // namespace drover::gateway
