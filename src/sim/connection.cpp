#include "sim/connection.h"

#include <fmt/format.h>

#include <array>

#include "api/dialect.h"
#include "api/model_refusal.h"
#include "sim/access.h"
#include "sim/answers.h"
#include "sim/go_decode.h"
#include "wire/zstd.h"

namespace drover::sim {
namespace {

using Read = wire::ServerConnection::Read;

constexpr Bytes kLongestBody = 1_GiB;  // a real node has no limit; this one has a machine to share
constexpr Bytes kLongestDecoded = 20_MiB;
constexpr std::string_view kPlain = "text/plain; charset=utf-8";

// What a compat route's compressed body decodes to, or the native error that the node gives before its handler.
std::expected<std::string, Failure> decompress(std::string_view body) {
  wire::ZstdDecoder decoder(kLongestDecoded);
  std::string text;
  const auto fed = decoder.feed(body, [&](std::string_view piece) {
    text += piece;
    return true;
  });
  if (!fed && fed.error().code == ErrorCode::too_large) {
    return std::unexpected(Failure{400, "http: request body too large"});
  }
  if (!fed || !decoder.complete()) return std::unexpected(Failure{400, "failed to decompress zstd body"});
  return text;
}

}  // namespace

net::Task<bool> Connection::run() {
  while (co_await connection_.wait_for_request()) {
    wire::Incoming request;
    const Read read = co_await connection_.read_head(request);
    if (read == Read::nothing) continue;
    if (read == Read::refused) {
      const std::string text =
          fmt::format("{} {}", connection_.refusal().status, http::reason_phrase(connection_.refusal().status));
      if (co_await connection_.answer(request,
                                      {.status = connection_.refusal().status, .content_type = kPlain, .body = text})) {
        co_await connection_.linger();
      }
      co_return false;
    }
    if (read != Read::complete) co_return false;
    const After after = co_await serve(request);
    if (after == After::broken) co_return false;
    if (after == After::leak) co_return true;
    if (after == After::close || !co_await connection_.finish_request(request)) {
      co_await connection_.linger();
      co_return false;
    }
  }
  co_return false;
}

net::Task<After> Connection::serve(wire::Incoming& request) {
  const std::string path(request.head->path());
  if (path == "/sim/faults" || path == "/sim/state" || path == "/v1/node") {
    const auto body = co_await body_of(request);
    if (!body) co_return After::broken;
    co_return co_await reply(request, control(request, *body));
  }
  const Access access = access_of(request.head->host(), request.head->origin(), server_.endpoint().is_loopback());
  if (!access.allowed) co_return co_await reply(request, {.status = 403, .type = ""});
  if (access.cross_origin && request.head->method() == http::Method::options) co_return co_await preflight(request);
  const api::RouteMatch match = api::match(request.head->method(), path);
  if (auto refused = unrouted(request, match)) co_return co_await reply(request, std::move(*refused));
  ++server_.counts_.requests[std::string(api::label(match.route))];
  if (api::kind(match.route) == api::RouteClass::inference) co_return co_await infer(request, match.route);
  if (match.route == api::Route::show) {
    const auto body = co_await body_of(request);
    if (!body) co_return After::broken;
    co_return co_await reply(request, show(*body));
  }
  if (match.route == api::Route::ps) co_await net::sleep_until(server_.node_.listing_ready());
  co_return co_await reply(request, listing(match));
}

net::Task<After> Connection::infer(wire::Incoming& request, api::Route route) {
  const bool openai = api::dialect(route) == api::Dialect::openai;
  wire::TextBody body(kLongestBody);
  const Read read = co_await connection_.read_body(request, body);
  if (read != Read::complete) {
    const bool chunked = request.head->body() == http::BodyKind::chunked;
    if (read == Read::ended && chunked && !openai && go_decode(body.text())) {
      Exchange exchange(server_, connection_, request, route);
      co_await exchange.run_into_leak(body.text());
    }
    co_return After::broken;
  }
  std::string text = body.text();
  if (openai && request.head->find(http::Known::content_encoding) == "zstd") {
    auto decoded = decompress(text);
    if (!decoded) {
      const ErrorAnswer error = error_answer(api::Route::chat, decoded.error(), false);
      co_return co_await reply(request, {.status = 400, .type = error.content_type, .body = error.body});
    }
    text = std::move(*decoded);
  }
  Exchange exchange(server_, connection_, request, route);
  co_return co_await exchange.run(std::move(text));
}

net::Task<std::optional<std::string>> Connection::body_of(wire::Incoming& request) {
  wire::TextBody body(16_MiB);
  const Read read = co_await connection_.read_body(request, body);
  if (read != Read::complete) co_return std::nullopt;
  co_return body.text();
}

net::Task<After> Connection::reply(const wire::Incoming& request, Reply reply) {
  std::vector<http::Field> fields;
  if (!reply.allow.empty()) fields.push_back({"Allow", reply.allow});
  if (!reply.location.empty()) fields.push_back({"Location", reply.location});
  co_return co_await write(request, {.status = reply.status, .type = reply.type, .fields = fields}, reply.body);
}

net::Task<After> Connection::preflight(const wire::Incoming& request) {
  constexpr std::array<http::Field, 3> kFields{http::Field{"Access-Control-Allow-Headers", kPreflightHeaders},
                                               http::Field{"Access-Control-Allow-Methods", kPreflightMethods},
                                               http::Field{"Access-Control-Max-Age", kPreflightAge}};
  co_return co_await write(request, {.status = 204, .fields = kFields}, "");
}

net::Task<After> Connection::write(const wire::Incoming& request, HeadOptions options, std::string_view body) {
  options.loopback = server_.endpoint().is_loopback();
  const std::string bytes = whole_answer(connection_, request, options, body);
  net::Stream& stream = connection_.stream();
  if (!stream.write(bytes)) co_return After::broken;
  const auto drained = co_await stream.drained(0, kNever);
  if (!drained) co_return After::broken;
  co_return connection_.keep_alive(request) ? After::next : After::close;
}

std::optional<Connection::Reply> Connection::unrouted(const wire::Incoming& request,
                                                      const api::RouteMatch& match) const {
  switch (match.kind) {
    case api::MatchKind::route: break;
    case api::MatchKind::not_found:
      return Reply{.status = 404, .type = "text/plain", .body = std::string(api::kNotFoundPage)};
    case api::MatchKind::wrong_method:
      return Reply{.status = 405,
                   .type = "text/plain",
                   .body = std::string(api::kWrongMethodPage),
                   .allow = std::string(match.allow)};
    case api::MatchKind::redirect: {
      std::string location(match.location);
      if (!request.head->query().empty()) location.append("?").append(request.head->query());
      const bool page = match.status == 301;
      return Reply{.status = match.status,
                   .type = page ? "text/html; charset=utf-8" : "",
                   .body = page ? api::redirect_page(location) : std::string(),
                   .location = location};
    }
  }
  if (api::kind(match.route) != api::RouteClass::unserved) return std::nullopt;
  const std::string message = fmt::format("{} is not simulated", api::label(match.route));
  const ErrorAnswer error = error_answer(match.route, {501, message}, false);
  return Reply{.status = 501, .type = error.content_type, .body = error.body};
}

Connection::Reply Connection::listing(const api::RouteMatch& match) {
  const Store& store = server_.store_;
  switch (match.route) {
    case api::Route::root: return {.type = std::string(kPlain), .body = "Ollama is running"};
    case api::Route::version: return {.type = std::string(kJson), .body = version_answer(server_.settings_.version)};
    case api::Route::tags:
      if (server_.faults_.take_listing()) return {.type = std::string(kJson), .body = R"({"models":[]})"};
      return {.type = std::string(kJson), .body = tags_answer(store)};
    case api::Route::ps:
      if (server_.faults_.take_listing()) return {.type = std::string(kJson), .body = R"({"models":[]})"};
      return {.type = std::string(kJson),
              .body = ps_answer(server_.node_.running(), server_.loop_.now(), server_.loop_.wall())};
    case api::Route::models: return {.type = std::string(kBareJson), .body = models_answer(store)};
    case api::Route::model: {
      if (const ModelSettings* model = store.find(match.parameter)) {
        return {.type = std::string(kBareJson), .body = model_answer(store, *model, match.parameter) + '\n'};
      }
      const auto refusal = api::model_not_found(api::Route::model, match.parameter);
      const ErrorAnswer error = error_answer(api::Route::model, {refusal.status, refusal.message}, false);
      return {.status = refusal.status, .type = error.content_type, .body = error.body};
    }
    case api::Route::me:
      return {.status = 503, .type = std::string(kJson), .body = R"({"error":"account unavailable"})"};
    case api::Route::recommendations: return {.type = std::string(kJson), .body = R"({"recommendations":[]})"};
    default: return {.type = std::string(kJson), .body = R"({"cloud":{"disabled":false,"source":"none"}})"};
  }
}

Connection::Reply Connection::show(const std::string& body) {
  const auto refused = [](int status, std::string message) {
    const ErrorAnswer error = error_answer(api::Route::show, {status, std::move(message)}, false);
    return Reply{.status = status, .type = error.content_type, .body = error.body};
  };
  const auto document = go_decode(body);
  if (!document) return refused(400, document.error() == "EOF" ? "missing request body" : document.error());
  if (!document->value.is_object()) {
    return refused(
        400, fmt::format("json: cannot unmarshal {} into Go value of type api.ShowRequest", go_kind(document->value)));
  }
  std::string wrong;
  const GoFields fields(document->value, "ShowRequest", wrong);
  std::string name = fields.text("model");
  if (name.empty()) name = fields.text("name");
  const bool verbose = fields.flag("verbose").value_or(false);
  if (!wrong.empty()) return refused(400, wrong);
  if (name.empty()) return refused(400, "model is required");
  const ModelSettings* model = server_.store_.find(name);
  if (model == nullptr) {
    auto refusal = api::model_not_found(api::Route::show, name);
    return refused(refusal.status, std::move(refusal.message));
  }
  return {.type = std::string(kJson), .body = show_answer(server_.store_, *model, verbose)};
}

Connection::Reply Connection::control(const wire::Incoming& request, const std::string& body) {
  const std::string type(kBareJson);
  const http::Method method = request.head->method();
  if (request.head->path() == "/sim/state") {
    if (method != http::Method::get) return {.status = 405, .type = type, .allow = "GET"};
    return {.type = type, .body = to_text(server_.state())};
  }
  if (request.head->path() == "/v1/node") {
    if (method != http::Method::get) return {.status = 405, .type = type, .allow = "GET"};
    return {.type = type, .body = agent_answer(server_.node_, server_.settings_.card)};
  }
  if (method == http::Method::del) {
    server_.clear_faults();
    return {.type = type, .body = "{}"};
  }
  if (method != http::Method::post) return {.status = 405, .type = type, .allow = "POST, DELETE"};
  const auto json = parse_json(body);
  auto fault = json ? read_fault(*json) : Result<Fault>(json.error());
  if (!fault) return {.status = 400, .type = type, .body = to_text(Json{{"error", fault.error().detail}})};
  server_.arm(std::move(*fault));
  return {.type = type, .body = "{}"};
}

}  // namespace drover::sim
