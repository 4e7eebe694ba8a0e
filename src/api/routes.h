#pragma once
// Which method and path lead to which route, and what gin (Ollama's router) answers where none does.

#include <string>
#include <string_view>

#include "api/route.h"
#include "http/request_head.h"

namespace drover::api {

enum class MatchKind : std::uint8_t {
  route,         // `route`, and `parameter` where the path has one
  not_found,     // 404 kNotFoundPage
  wrong_method,  // 405 kWrongMethodPage with `allow`
  redirect,      // `status` with `location`; the caller appends the query, if any
};

struct RouteMatch {
  MatchKind kind = MatchKind::not_found;
  Route route = Route::root;
  std::string_view parameter{};  // the last segment of the path; views into `path`
  std::string_view allow{};      // "POST", or "HEAD, GET"; static
  std::string_view location{};   // the path without its trailing slash; views into `path`
  int status = 0;                // of a redirect: 301 for GET (with redirect_page as its body), else 307
};

// `path` is http::RequestHead::path(): decoded, without query, and free of `//` and dot segments, which the head parser
// refuses where Ollama redirects (row 48).
// Cost: one comparison per route, no allocation.
RouteMatch match(http::Method method, std::string_view path);

// The body of a redirected GET, text/html; charset=utf-8.
std::string redirect_page(std::string_view location);

}  // namespace drover::api
