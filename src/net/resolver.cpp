#include "net/resolver.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>

#include <cstring>

namespace drover::net {
namespace {

constexpr std::size_t kMaxQuestions = 256;

std::optional<Endpoint> literal(const std::string& host, std::uint16_t port) {
  return parse_ip(host == "localhost" ? "127.0.0.1" : host, port);
}

Error unresolved(const std::string& host) {
  return Error{ErrorCode::unreachable, Side::upstream, fmt::format("the name \"{}\" does not resolve", host)};
}

std::vector<Endpoint> ask_system(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  std::vector<Endpoint> endpoints;
  if (::getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return endpoints;
  for (const addrinfo* info = found; info != nullptr; info = info->ai_next) {
    Endpoint endpoint{.port = port};
    if (info->ai_family == AF_INET) {
      std::memcpy(endpoint.ip.data(), &reinterpret_cast<const sockaddr_in*>(info->ai_addr)->sin_addr, 4);
    } else if (info->ai_family == AF_INET6) {
      endpoint.v6 = true;
      std::memcpy(endpoint.ip.data(), &reinterpret_cast<const sockaddr_in6*>(info->ai_addr)->sin6_addr, 16);
    } else {
      continue;
    }
    endpoints.push_back(endpoint);
  }
  ::freeaddrinfo(found);
  return endpoints;
}

}  // namespace

Task<Result<std::vector<Endpoint>>> LiteralResolver::resolve(Loop&, std::string host, std::uint16_t port, Mono) {
  if (const auto endpoint = literal(host, port)) co_return std::vector{*endpoint};
  co_return unresolved(host);
}

SystemResolver::SystemResolver() : thread_([this] { work(); }) {}

SystemResolver::~SystemResolver() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

Task<Result<std::vector<Endpoint>>> SystemResolver::resolve(Loop& loop, std::string host, std::uint16_t port,
                                                            Mono deadline) {
  if (const auto endpoint = literal(host, port)) co_return std::vector{*endpoint};
  auto question = std::make_shared<Question>(loop, host, port);
  {
    std::lock_guard lock(mutex_);
    if (questions_.size() >= kMaxQuestions) co_return unresolved(host);
    questions_.push_back(question);
  }
  wake_.notify_one();
  const auto answered = co_await question->answered.notified(deadline);
  if (!answered) co_return Error{answered.error(), Side::upstream, fmt::format("resolving \"{}\" took too long", host)};
  if (question->endpoints.empty()) co_return unresolved(host);
  co_return std::move(question->endpoints);
}

void SystemResolver::work() {
  while (true) {
    std::shared_ptr<Question> question;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !questions_.empty(); });
      if (stopping_) return;
      question = std::move(questions_.front());
      questions_.pop_front();
    }
    auto endpoints = ask_system(question->host, question->port);
    Loop& loop = question->loop;
    loop.post([asked = std::move(question), found = std::move(endpoints)]() mutable {
      asked->endpoints = std::move(found);
      asked->answered.notify();
    });
  }
}

}  // namespace drover::net
