#include "api/routes.h"

#include <optional>

namespace drover::api {
namespace {

using http::Method;

// Where a path leads. `prefix` routes take exactly one more segment: the parameter.
struct Entry {
  Method method;
  std::string_view path;
  Route route;
  bool prefix = false;
};

constexpr Entry kEntries[] = {
    {Method::head, "/", Route::root},
    {Method::get, "/", Route::root},
    {Method::head, "/api/version", Route::version},
    {Method::get, "/api/version", Route::version},
    {Method::get, "/api/status", Route::status},
    {Method::head, "/api/tags", Route::tags},
    {Method::get, "/api/tags", Route::tags},
    {Method::get, "/api/ps", Route::ps},
    {Method::post, "/api/show", Route::show},
    {Method::post, "/api/generate", Route::generate},
    {Method::post, "/api/chat", Route::chat},
    {Method::post, "/api/embed", Route::embed},
    {Method::post, "/api/embeddings", Route::embeddings},
    {Method::post, "/v1/chat/completions", Route::chat_completions},
    {Method::post, "/v1/completions", Route::completions},
    {Method::post, "/v1/embeddings", Route::openai_embeddings},
    {Method::get, "/v1/models", Route::models},
    {Method::get, "/v1/models/", Route::model, true},
    {Method::post, "/v1/responses", Route::responses},
    {Method::post, "/v1/responses/compact", Route::responses_compact},
    {Method::post, "/v1/messages", Route::messages},
    {Method::post, "/v1/audio/transcriptions", Route::transcriptions},
    {Method::post, "/api/me", Route::me},
    {Method::get, "/api/experimental/model-recommendations", Route::recommendations},
    {Method::post, "/api/experimental/web_search", Route::web_search},
    {Method::post, "/api/experimental/web_fetch", Route::web_fetch},
    {Method::post, "/api/pull", Route::pull},
    {Method::post, "/api/push", Route::push},
    {Method::post, "/api/create", Route::create},
    {Method::post, "/api/copy", Route::copy},
    {Method::del, "/api/delete", Route::remove},
    {Method::head, "/api/blobs/", Route::blobs, true},
    {Method::post, "/api/blobs/", Route::blobs, true},
    {Method::post, "/api/signout", Route::signout},
    {Method::del, "/api/user/keys/", Route::user_keys, true},
};

// The parameter of `path` under `entry` (empty without one); nullopt if the path is another.
std::optional<std::string_view> parameter_of(const Entry& entry, std::string_view path) {
  if (!entry.prefix) {
    if (path != entry.path) return std::nullopt;
    return std::string_view{};
  }
  if (!path.starts_with(entry.path)) return std::nullopt;
  const std::string_view segment = path.substr(entry.path.size());
  if (segment.empty() || segment.find('/') != std::string_view::npos) return std::nullopt;
  return segment;
}

std::optional<RouteMatch> find(Method method, std::string_view path) {
  for (const Entry& entry : kEntries) {
    if (entry.method != method) continue;
    const auto parameter = parameter_of(entry, path);
    if (parameter) return RouteMatch{.kind = MatchKind::route, .route = entry.route, .parameter = *parameter};
  }
  return std::nullopt;
}

// gin lists methods in the order in which its first routes were registered.
std::string_view allowed_methods(std::string_view path) {
  const bool head = find(Method::head, path).has_value();
  if (find(Method::get, path)) return head ? "HEAD, GET" : "GET";
  if (find(Method::post, path)) return head ? "HEAD, POST" : "POST";
  return find(Method::del, path) ? "DELETE" : "";
}

}  // namespace

RouteMatch match(http::Method method, std::string_view path) {
  // CONNECT has no path and `OPTIONS *` asks about no route in particular.
  if (path.empty() || path == "*") return {.kind = MatchKind::wrong_method, .allow = "HEAD, GET, POST, DELETE"};
  if (const auto found = find(method, path)) return *found;
  if (path.size() > 1 && path.ends_with('/')) {
    const std::string_view bare = path.substr(0, path.size() - 1);
    if (find(method, bare)) {
      return {.kind = MatchKind::redirect, .location = bare, .status = method == Method::get ? 301 : 307};
    }
    return {};
  }
  const std::string_view allow = allowed_methods(path);
  if (allow.empty()) return {};
  return {.kind = MatchKind::wrong_method, .allow = allow};
}

std::string redirect_page(std::string_view location) {
  std::string page = "<a href=\"";
  for (const char c : location) {
    switch (c) {
      case '&': page += "&amp;"; break;
      case '<': page += "&lt;"; break;
      case '>': page += "&gt;"; break;
      case '"': page += "&#34;"; break;
      case '\'': page += "&#39;"; break;
      default: page += c;
    }
  }
  return page + "\">Moved Permanently</a>.\n\n";
}

}  // namespace drover::api
