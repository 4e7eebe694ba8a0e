#pragma once
// Names to addresses, off the loop: the system's resolver may block for half a minute.

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "net/endpoint.h"
#include "net/loop.h"
#include "net/signal.h"
#include "net/task.h"

namespace drover::net {

class Resolver {
 public:
  virtual ~Resolver() = default;
  // At least one address, the resolver's favourite first. IP literals and `localhost` are answered without asking
  // anybody. Errors: unreachable (no such name), timed_out.
  virtual Task<Result<std::vector<Endpoint>>> resolve(Loop& loop, std::string host, std::uint16_t port,
                                                      Mono deadline) = 0;
};

// Knows literals and `localhost` only: for simulated worlds.
class LiteralResolver final : public Resolver {
 public:
  Task<Result<std::vector<Endpoint>>> resolve(Loop& loop, std::string host, std::uint16_t port, Mono deadline) override;
};

// getaddrinfo on a thread of its own, one name after another; at most 256 wait.
class SystemResolver final : public Resolver {
 public:
  SystemResolver();
  ~SystemResolver() override;
  Task<Result<std::vector<Endpoint>>> resolve(Loop& loop, std::string host, std::uint16_t port, Mono deadline) override;

 private:
  // Shared between the asking flow, which may give up, and the thread.
  struct Question {
    Loop& loop;
    std::string host;
    std::uint16_t port;
    Signal answered;
    std::vector<Endpoint> endpoints;
  };
  void work();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Question>> questions_;  // guarded by mutex_
  bool stopping_ = false;                            // guarded by mutex_
  std::thread thread_;
};

}  // namespace drover::net
