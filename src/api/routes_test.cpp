// Paths and methods, answered as gin answers them.
#include "api/routes.h"

#include <gtest/gtest.h>

namespace drover::api {
namespace {

using http::Method;

struct MatchCase {
  Method method;
  std::string_view path;
  MatchKind kind;
  std::string_view expected;  // label of the route, `allow`, or `location`
  std::string_view parameter{};
};
constexpr MatchCase kMatches[] = {
    {Method::head, "/", MatchKind::route, "/"},
    {Method::get, "/", MatchKind::route, "/"},
    {Method::post, "/", MatchKind::wrong_method, "HEAD, GET"},
    {Method::head, "/api/version", MatchKind::route, "/api/version"},
    {Method::head, "/api/tags", MatchKind::route, "/api/tags"},
    {Method::get, "/api/tags", MatchKind::route, "/api/tags"},
    {Method::del, "/api/tags", MatchKind::wrong_method, "HEAD, GET"},
    {Method::get, "/api/ps", MatchKind::route, "/api/ps"},
    {Method::head, "/api/ps", MatchKind::wrong_method, "GET"},
    {Method::get, "/api/status", MatchKind::route, "/api/status"},
    {Method::post, "/api/generate", MatchKind::route, "/api/generate"},
    {Method::get, "/api/generate", MatchKind::wrong_method, "POST"},
    {Method::options, "/api/chat", MatchKind::wrong_method, "POST"},
    {Method::trace, "/api/chat", MatchKind::wrong_method, "POST"},
    {Method::other, "/api/chat", MatchKind::wrong_method, "POST"},
    {Method::put, "/v1/models", MatchKind::wrong_method, "GET"},
    {Method::post, "/v1/chat/completions", MatchKind::route, "/v1/chat/completions"},
    {Method::post, "/v1/embeddings", MatchKind::route, "/v1/embeddings"},
    {Method::get, "/v1/models", MatchKind::route, "/v1/models"},
    {Method::get, "/v1/models/qwen3:8b", MatchKind::route, "/v1/models/{id}", "qwen3:8b"},
    {Method::get, "/v1/models/me/x", MatchKind::not_found, ""},
    {Method::get, "/v1/models/", MatchKind::redirect, "/v1/models"},
    {Method::get, "/v1/models/x/", MatchKind::redirect, "/v1/models/x"},
    {Method::post, "/v1/models/x", MatchKind::wrong_method, "GET"},
    {Method::get, "/api/tags/", MatchKind::redirect, "/api/tags"},
    {Method::head, "/api/tags/", MatchKind::redirect, "/api/tags"},
    {Method::post, "/api/chat/", MatchKind::redirect, "/api/chat"},
    {Method::get, "/api/chat/", MatchKind::not_found, ""},
    {Method::get, "/health", MatchKind::not_found, ""},
    {Method::get, "/api", MatchKind::not_found, ""},
    {Method::get, "/API/tags", MatchKind::not_found, ""},
    {Method::post, "/api/codex/models", MatchKind::not_found, ""},
    {Method::get, "/api/codex/_health", MatchKind::not_found, ""},
    {Method::post, "/api/me", MatchKind::route, "/api/me"},
    {Method::get, "/api/experimental/model-recommendations", MatchKind::route,
     "/api/experimental/model-recommendations"},
    {Method::post, "/api/pull", MatchKind::route, "/api/pull"},
    {Method::del, "/api/delete", MatchKind::route, "/api/delete"},
    {Method::post, "/api/delete", MatchKind::wrong_method, "DELETE"},
    {Method::head, "/api/blobs/sha256:00", MatchKind::route, "/api/blobs/{digest}", "sha256:00"},
    {Method::get, "/api/blobs/sha256:00", MatchKind::wrong_method, "HEAD, POST"},
    {Method::del, "/api/user/keys/abc", MatchKind::route, "/api/user/keys/{key}", "abc"},
    {Method::post, "/v1/responses/compact", MatchKind::route, "/v1/responses/compact"},
    {Method::get, "/v1/responses/compact", MatchKind::wrong_method, "POST"},
    {Method::get, "/v1/responses/resp_1", MatchKind::not_found, ""},
    {Method::post, "/v1/messages", MatchKind::route, "/v1/messages"},
    {Method::post, "/v1/messages/count_tokens", MatchKind::not_found, ""},
    {Method::connect, "", MatchKind::wrong_method, "HEAD, GET, POST, DELETE"},
    {Method::options, "*", MatchKind::wrong_method, "HEAD, GET, POST, DELETE"},
};

TEST(Routes, match_as_gin_does) {
  for (const auto& [method, path, kind, expected, parameter] : kMatches) {
    const RouteMatch found = match(method, path);
    ASSERT_EQ(found.kind, kind) << int(method) << ' ' << path;
    switch (kind) {
      case MatchKind::route:
        EXPECT_EQ(label(found.route), expected) << path;
        EXPECT_EQ(found.parameter, parameter) << path;
        break;
      case MatchKind::wrong_method: EXPECT_EQ(found.allow, expected) << path; break;
      case MatchKind::redirect:
        EXPECT_EQ(found.location, expected) << path;
        EXPECT_EQ(found.status, method == Method::get ? 301 : 307) << path;
        break;
      case MatchKind::not_found: break;
    }
  }
}

TEST(Routes, redirect_pages_are_gos) {
  EXPECT_EQ(redirect_page("/api/tags"), "<a href=\"/api/tags\">Moved Permanently</a>.\n\n");
  EXPECT_EQ(redirect_page("/v1/models/<b>&'\""),
            "<a href=\"/v1/models/&lt;b&gt;&amp;&#39;&#34;\">Moved Permanently</a>.\n\n");
}

TEST(Routes, what_is_not_served_says_where_to_go) {
  const Refusal refusal = not_served(Route::pull);
  EXPECT_EQ(refusal.status, 501);
  EXPECT_EQ(refusal.message, "/api/pull is not served by this gateway: send it to one of the nodes itself");
  EXPECT_EQ(dialect(Route::messages), Dialect::anthropic);
  EXPECT_EQ(dialect(Route::responses), Dialect::openai);
}

TEST(Routes, only_ollamas_own_two_stream_unasked) {
  for (std::size_t i = 0; i < kRouteCount; ++i) {
    const auto route = static_cast<Route>(i);
    EXPECT_EQ(streams_by_default(route), route == Route::generate || route == Route::chat) << label(route);
  }
}

}  // namespace
}  // namespace drover::api
