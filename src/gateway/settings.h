#pragma once
// What the gateway lets an operator set. Defaults are the product's; config/ binds them to drover.yaml.

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/units.h"
#include "net/address_range.h"
#include "wire/server_connection.h"

namespace drover::gateway {

struct GatewaySettings {
  bool allow_cloud = false;
  std::vector<net::AddressRange> trusted_proxies;  // who may say who asks (asker.h)
  std::string tenant_header = "x-drover-tenant";

  wire::ServerLimits server;         // reading requests, idle connections, stalled clients
  Bytes prompt_body = 64_MiB;        // largest body of an inference request
  Bytes small_body = 1_MiB;          // largest body of any other request
  Bytes buffers = 1_GiB;             // all bodies and unsent answers together
  Bytes stream_buffer = 1_MiB;       // of one answer, for a client that reads slowly; then the node waits
  std::size_t connections = 10'000;  // of clients, all workers together

  Duration connect = std::chrono::seconds(2);
  Duration silence = std::chrono::seconds(120);          // of a node after its first byte
  Duration request = std::chrono::minutes(30);           // the whole life of a request
  Duration drain = std::chrono::seconds(30);             // after SIGTERM
  Duration refresh_wait = std::chrono::seconds(1);       // for news of an unknown model before 404
  Duration minimum_run = std::chrono::milliseconds(20);  // an Ollama leaks a slot when a request is cut before

  Duration probe = std::chrono::seconds(5);           // longest wait for a probe's answer
  Duration probe_interval = std::chrono::seconds(5);  // /api/version and /api/ps
  Duration probe_again = std::chrono::seconds(1);     // the same, of a node that is not (yet) in service
  Duration tags_interval = std::chrono::seconds(30);  // /api/tags
  Duration agent_interval = std::chrono::seconds(1);  // of reports of a node's GPUs
  Duration trial = std::chrono::seconds(30);          // longest wait for the answer of a node on trial
  Duration load = std::chrono::minutes(30);           // longest wait for a load of ours
  Bytes probe_answer = 16_MiB;                        // largest listing of a node
  Duration upstream_idle = std::chrono::seconds(60);  // a pooled connection to a node
  std::size_t kept_per_node = 256;                    // pooled connections of a worker; more only while they are busy
};

}  // namespace drover::gateway
