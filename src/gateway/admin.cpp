#include "gateway/admin.h"

#include "base/json.h"
#include "observe/metrics.h"

namespace drover::gateway {
namespace {

using Read = wire::ServerConnection::Read;

constexpr std::string_view kText = "text/plain; charset=utf-8";
constexpr std::string_view kJson = "application/json";

}  // namespace

void Admin::serve(std::unique_ptr<net::Listener> listener) { flows_.spawn(accept(std::move(listener))); }

net::Task<> Admin::stop() {
  flows_.cancel_all();
  co_await flows_.ended();
}

net::Task<> Admin::accept(std::unique_ptr<net::Listener> listener) {
  while (true) {
    auto accepted = co_await listener->accept();
    if (!accepted) co_return;
    if (flows_.size() <= kMaxConnections) flows_.spawn(serve_connection(std::move(*accepted)));
  }
}

net::Task<> Admin::serve_connection(std::unique_ptr<net::Stream> stream) {
  wire::ServerConnection client(*stream, network_.loop(), limits_);
  while (co_await client.wait_for_request()) {
    wire::Incoming request;
    const Read read = co_await client.read_head(request);
    if (read == Read::nothing) continue;
    if (read != Read::complete && read != Read::refused) co_return;
    const bool answered = co_await answer(client, request);
    if (!answered || !co_await client.finish_request(request)) break;
  }
  if (client.closing()) co_await client.linger();
}

net::Task<bool> Admin::answer(wire::ServerConnection& client, const wire::Incoming& request) {
  if (client.closing()) {
    const http::Reject& reject = client.refusal();
    co_return co_await client.answer(request, {.status = reject.status, .content_type = kText, .body = reject.detail});
  }
  const http::RequestHead& head = *request.head;
  if (!pages_.published()->hosts.allows(head.host())) {
    co_return co_await client.answer(request, {.status = 421, .content_type = kText, .body = "unknown host name"});
  }
  const auto verdict = origins_.decide({.origin = head.origin(),
                                        .host = head.host(),
                                        .sec_fetch_site = head.find("sec-fetch-site").value_or(std::string_view{}),
                                        .is_options = head.method() == http::Method::options});
  if (verdict.action != guard::OriginVerdict::Action::pass) {
    co_return co_await client.answer(request, {.status = 403, .content_type = kText, .body = "foreign origin"});
  }
  constexpr std::string_view kNodes = "/api/nodes/", kTrial = "/trial";
  const std::string_view path = head.path();
  if (path.starts_with(kNodes) && path.ends_with(kTrial) && path.size() > kNodes.size() + kTrial.size()) {
    const std::size_t size = path.size() - kNodes.size() - kTrial.size();
    co_return co_await try_node(client, request, path.substr(kNodes.size(), size));
  }
  constexpr std::string_view kDecisions = "/api/decisions";
  const bool decisions = path == kDecisions || (path.starts_with(kDecisions) && path[kDecisions.size()] == '/');
  const bool known = decisions || path == "/livez" || path == "/readyz" || path == "/metrics" || path == "/api/status";
  if (!known) {
    co_return co_await client.answer(request,
                                     {.status = 404,
                                      .content_type = kText,
                                      .body = "not found; there are /livez, /readyz, /metrics, /api/status, "
                                              "/api/decisions, /api/decisions/REQUEST and /api/nodes/NAME/trial\n"});
  }
  if (head.method() != http::Method::get && head.method() != http::Method::head) {
    constexpr std::array<http::Field, 1> allow{{{"Allow", "GET, HEAD"}}};
    co_return co_await client.answer(
        request, {.status = 405, .content_type = kText, .body = "method not allowed\n", .fields = allow});
  }
  if (path == "/livez") co_return co_await client.answer(request, {.content_type = kText, .body = "ok\n"});
  if (path == "/readyz") {
    const std::string_view unready = pages_.unready();
    const std::string text = unready.empty() ? "ok\n" : std::string(unready) + "\n";
    co_return co_await client.answer(request,
                                     {.status = unready.empty() ? 200 : 503, .content_type = kText, .body = text});
  }
  if (decisions) {
    const auto found = pages_.decisions(path.size() > kDecisions.size() ? path.substr(kDecisions.size() + 1) : "");
    if (found) co_return co_await client.answer(request, {.content_type = kJson, .body = *found});
    const std::string text = found.error().detail + "\n";
    co_return co_await client.answer(request, {.status = 404, .content_type = kText, .body = text});
  }
  const bool metrics = path == "/metrics";
  const std::string body = metrics ? pages_.metrics() : pages_.status();
  co_return co_await client.answer(request,
                                   {.content_type = metrics ? observe::kMetricsContentType : kJson, .body = body});
}

net::Task<bool> Admin::try_node(wire::ServerConnection& client, const wire::Incoming& request, std::string_view node) {
  if (request.head->method() != http::Method::post) {
    constexpr std::array<http::Field, 1> allow{{{"Allow", "POST"}}};
    co_return co_await client.answer(
        request, {.status = 405, .content_type = kText, .body = "method not allowed\n", .fields = allow});
  }
  const auto began = pages_.try_node(node);
  if (!began) {
    const std::string text = began.error().detail + "\n";
    co_return co_await client.answer(request, {.status = 409, .content_type = kText, .body = text});
  }
  const std::string text = to_text(Json{{"node", node}, {"trial", "began"}}) + "\n";
  co_return co_await client.answer(request, {.status = 202, .content_type = kJson, .body = text});
}

}  // namespace drover::gateway
