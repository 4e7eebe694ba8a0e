#include "wire/call.h"

#include <fmt/format.h>

#include <array>

#include "http/head_writer.h"

namespace drover::wire {
namespace {

Error failed(const Failure& failure, const net::Endpoint& to, const CallRequest& request) {
  return Error{failure.code, Side::upstream,
               fmt::format("{} {} on {}: {}{}{}", request.method, request.target, net::to_text(to), name(failure.code),
                           failure.reason.empty() ? "" : ": ", failure.reason)};
}

}  // namespace

net::Task<Result<CallAnswer>> call(net::Network& network, net::Endpoint to, CallRequest request, Mono deadline) {
  auto dialled = co_await network.dial(to, std::min(deadline, network.loop().now() + request.connect));
  if (!dialled) co_return failed({dialled.error()}, to, request);
  ClientConnection connection(std::move(*dialled), network.loop());

  const bool has_body = !request.body.empty();
  std::vector<http::Field> own{{"Connection", "close"}};
  if (has_body) own.push_back({"Content-Type", request.content_type});
  if (!request.user_agent.empty()) own.push_back({"User-Agent", request.user_agent});
  std::string head;
  http::append_upstream_request(
      head,
      {.method = request.method,
       .target = request.target,
       .host = request.host,
       .framing = {has_body ? http::BodyKind::length : http::BodyKind::none, request.body.size()},
       .own = own},
      nullptr);
  std::array<std::string_view, 2> pieces{head, request.body};
  const auto sent = co_await connection.send(pieces, deadline - network.loop().now());
  if (!sent) co_return failed(sent.error(), to, request);
  const auto asked = request.method == "HEAD" ? http::Method::head : http::Method::get;
  const auto read = co_await connection.read_head(asked, deadline);
  if (!read) co_return failed(read.error(), to, request);
  auto body = co_await connection.read_all(request.max_answer, deadline);
  if (!body) co_return failed(body.error(), to, request);
  co_return CallAnswer{connection.head().status(), std::string(connection.head().content_type()), std::move(*body)};
}

}  // namespace drover::wire
