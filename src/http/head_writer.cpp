#include "http/head_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/ascii.h"
#include "http/head_syntax.h"

namespace drover::http {
namespace {

struct Passing {
  Known field;
  std::string_view name;
};
constexpr Passing kPassingFields[] = {{Known::content_type, "Content-Type"},
                                      {Known::accept, "Accept"},
                                      {Known::user_agent, "User-Agent"},
                                      {Known::x_request_id, "X-Request-Id"},
                                      {Known::traceparent, "traceparent"}};

bool has_field(std::span<const Field> fields, std::string_view name) {
  return std::any_of(fields.begin(), fields.end(),
                     [&](const Field& field) { return ascii::equal_fold(field.name, name); });
}

bool starts_with_fold(std::string_view text, std::string_view prefix) {
  return ascii::equal_fold(text.substr(0, prefix.size()), prefix);
}

// Does the Connection field of this head name `name` as hop-by-hop?
bool is_nominated(const ResponseHead& head, std::string_view name) {
  if (!head.find(Known::connection)) return false;
  bool nominated = false;
  for (const Field field : head.fields()) {
    if (known_field(field.name) != Known::connection) continue;
    for_each_element(field.value,
                     [&](std::string_view option) { nominated = nominated || ascii::equal_fold(option, name); });
  }
  return nominated;
}

// May a field of a node's answer reach the client? `own` is written in place of what it names.
bool passes(const ResponseHead& head, std::string_view name, std::span<const Field> own) {
  switch (known_field(name)) {
    case Known::connection:
    case Known::keep_alive:
    case Known::proxy_connection:
    case Known::te:
    case Known::trailer:
    case Known::transfer_encoding:
    case Known::content_length:
    case Known::upgrade:
    case Known::proxy_authenticate:
    case Known::proxy_authorization:
    case Known::http2_settings:  // up to here: between two hops
    case Known::server:
    case Known::x_powered_by:
    case Known::set_cookie: return false;
    case Known::host:
    case Known::date:
    case Known::vary:
    case Known::accept:
    case Known::expect:
    case Known::origin:
    case Known::user_agent:
    case Known::traceparent:
    case Known::content_type:
    case Known::x_request_id:
    case Known::authorization:
    case Known::content_encoding:
    case Known::none: break;
  }
  return !starts_with_fold(name, "access-control-") && !starts_with_fold(name, "x-drover-") && !has_field(own, name) &&
         !is_nominated(head, name);
}

void append_two_digits(char* at, unsigned number) {
  at[0] = static_cast<char>('0' + number / 10);
  at[1] = static_cast<char>('0' + number % 10);
}

}  // namespace

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100: return "Continue";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 402: return "Payment Required";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Request Entity Too Large";
    case 414: return "Request URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Requested Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Entity";
    case 424: return "Failed Dependency";
    case 425: return "Too Early";
    case 426: return "Upgrade Required";
    case 428: return "Precondition Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    default: return "Unknown";
  }
}

void append_status_line(std::string& out, int status) {
  out += "HTTP/1.1 ";
  fmt::format_to(std::back_inserter(out), "{:03}", status);
  out += ' ';
  out += reason_phrase(status);
  out += "\r\n";
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  out += ": ";
  const auto at = out.size();
  out += value;
  if (has_control(value)) {
    std::replace_if(
        out.begin() + static_cast<std::ptrdiff_t>(at), out.end(),
        [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  }
  out += "\r\n";
}

void append_field(std::string& out, std::string_view name, std::uint64_t value) {
  const fmt::format_int digits(value);
  append_field(out, name, std::string_view(digits.data(), digits.size()));
}

void append_framing(std::string& out, Framing framing) {
  switch (framing.kind) {
    case BodyKind::length: append_field(out, "Content-Length", framing.length); break;
    case BodyKind::chunked: out += "Transfer-Encoding: chunked\r\n"; break;
    case BodyKind::none:
    case BodyKind::until_close: break;
  }
}

void append_connection(std::string& out, bool keep_alive, int peer_minor) {
  if (!keep_alive) {
    out += "Connection: close\r\n";
  } else if (peer_minor == 0) {
    out += "Connection: keep-alive\r\n";
  }
}

HttpDate http_date(Wall time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::seconds>(time - day));
  constexpr std::string_view kDays = "SunMonTueWedThuFriSat";
  constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const auto year = static_cast<unsigned>(static_cast<int>(date.year()));

  HttpDate text;
  std::ranges::copy(std::string_view("Sun, 06 Nov 1994 08:49:37 GMT"), text.begin());
  std::ranges::copy(kDays.substr(3 * std::chrono::weekday(day).c_encoding(), 3), text.begin());
  append_two_digits(&text[5], static_cast<unsigned>(date.day()));
  std::ranges::copy(kMonths.substr(3 * (static_cast<unsigned>(date.month()) - 1), 3), text.begin() + 8);
  append_two_digits(&text[12], year / 100);
  append_two_digits(&text[14], year % 100);
  append_two_digits(&text[17], static_cast<unsigned>(clock.hours().count()));
  append_two_digits(&text[20], static_cast<unsigned>(clock.minutes().count()));
  append_two_digits(&text[23], static_cast<unsigned>(clock.seconds().count()));
  return text;
}

void append_upstream_request(std::string& out, const UpstreamRequest& request, const RequestHead* client) {
  out += request.method;
  out += ' ';
  out += request.target;
  out += " HTTP/1.1\r\n";
  append_field(out, "Host", request.host);
  if (client != nullptr) {
    for (const auto& [field, name] : kPassingFields) {
      const auto value = client->find(field);
      if (value && !has_field(request.own, name)) append_field(out, name, *value);
    }
  }
  out += "Accept-Encoding: identity\r\n";
  for (const auto& [name, value] : request.own) append_field(out, name, value);
  append_framing(out, request.framing);
  end_head(out);
}

void append_relayed_response(std::string& out, const ResponseHead& head, const RelayedResponse& how) {
  append_status_line(out, head.status());
  const Fields fields = head.fields();
  std::size_t run = 0;  // first field of those that pass and are not yet copied
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (passes(head, fields[i].name, how.own)) continue;
    out += fields.lines(run, i);
    run = i + 1;
  }
  out += fields.lines(run, fields.size());
  for (const auto& [name, value] : how.own) append_field(out, name, value);
  append_framing(out, how.framing);
  append_connection(out, how.keep_alive, how.client_minor);
  end_head(out);
}

}  // namespace drover::http
