#pragma once
// The gateway on this machine: threads, loops, sockets, signals. What `up` and `serve` have in common.

#include <functional>
#include <memory>
#include <string>

#include "base/log.h"
#include "config/settings.h"
#include "gateway/gateway.h"
#include "net/linux_network.h"
#include "observe/line_writer.h"

namespace drover::cli {

struct HostOptions {
  config::DroverSettings settings;
  // Reads the settings anew, for SIGHUP; prints what is wrong and returns nullopt to keep the old ones.
  std::function<std::optional<config::DroverSettings>()> reload;
  // Called on the control loop when the listeners are open; then, if not zero, every `refresh`.
  std::function<void(gateway::Gateway&)> ready;
  std::function<void(gateway::Gateway&)> refreshed;
  Duration refresh{};
  std::function<void()> leaving{};  // called before the process ends without its destructors; may be empty
};

// The writer of the access log; null when it is off. Error (system): the file cannot be opened.
Result<std::unique_ptr<observe::LineWriter>> open_access_log(const config::AccessLogSettings& settings);

// First thing in main() of whoever calls run_gateway: before any thread is started.
void prepare_process();

// Runs until a signal ends it. Returns the exit code; what went wrong has been said on stderr.
int run_gateway(HostOptions options, Log& log, observe::LineWriter* access_log);

}  // namespace drover::cli
