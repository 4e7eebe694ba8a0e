#include "sim/heads.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "http/chunked.h"
#include "sim/access.h"

namespace drover::sim {
namespace {

constexpr std::size_t kKnownLength = 2'048;

}  // namespace

std::string answer_head(wire::ServerConnection& connection, const wire::Incoming& request, const HeadOptions& options) {
  std::vector<http::Field> fields(options.fields.begin(), options.fields.end());
  if (!options.type.empty()) fields.push_back({"Content-Type", options.type});
  if (access_of(request.head->host(), request.head->origin(), options.loopback).cross_origin) {
    fields.push_back({"Access-Control-Allow-Origin", request.head->origin()});
    fields.push_back({"Vary", "Origin"});
  }
  std::ranges::sort(fields, {}, &http::Field::name);
  std::string text;
  http::append_status_line(text, options.status);
  for (const http::Field& field : fields) http::append_field(text, field.name, field.value);
  connection.append_date(text);
  http::append_framing(text, options.framing);
  http::append_connection(text, connection.keep_alive(request), request.head->minor());
  http::end_head(text);
  return text;
}

std::string whole_answer(wire::ServerConnection& connection, const wire::Incoming& request, HeadOptions options,
                         std::string_view body, bool in_chunks) {
  if (options.status == 204) return answer_head(connection, request, options);
  const bool chunked = (in_chunks || body.size() > kKnownLength) && request.head->minor() > 0;
  options.framing = {chunked ? http::BodyKind::chunked : http::BodyKind::length, chunked ? 0 : body.size()};
  std::string text = answer_head(connection, request, options);
  if (request.head->method() == http::Method::head) return text;
  if (!chunked) return text.append(body);
  if (!body.empty()) text += fmt::format("{:x}\r\n{}\r\n", body.size(), body);
  return text.append(http::kLastChunk);
}

}  // namespace drover::sim
