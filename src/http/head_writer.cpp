#include "http/head_writer.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include "base/ascii.h"
#include "base/check.h"
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
  if (!head.nominates()) return false;
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
    case Known::x_session_id:
    case Known::x_claude_code_session_id:
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

// The most bytes of what the functions of the same names write.
constexpr std::size_t kMostDigits = std::numeric_limits<std::uint64_t>::digits10 + 1;
constexpr std::size_t kLongestStatusLine = 64;
constexpr std::size_t kLongestFraming = 40;
constexpr std::size_t kLongestConnection = 24;
constexpr std::size_t kLineExtra = 4;  // of a field: `: ` and CRLF

std::size_t size_of(std::span<const Field> fields) {
  std::size_t size = 0;
  for (const auto& [name, value] : fields) size += name.size() + value.size() + kLineExtra;
  return size;
}

// Writes into room that was made before, so that no piece of a head has to ask for its own.
class Pen {
 public:
  explicit Pen(char* at) : at_(at) {}

  char* at() const { return at_; }
  void text(std::string_view text) {
    std::char_traits<char>::copy(at_, text.data(), text.size());
    at_ += text.size();
  }
  void number(std::uint64_t number) { at_ = std::to_chars(at_, at_ + kMostDigits, number).ptr; }

  // A value that is known to hold no control characters, such as one that a parser of ours let pass.
  void field(std::string_view name, std::string_view value) {
    text(name);
    text(": ");
    text(value);
    text("\r\n");
  }
  void foreign_field(std::string_view name, std::string_view value) {
    field(name, value);
    if (!has_control(value)) return;
    char* const end = at_ - 2;
    std::replace_if(
        end - value.size(), end, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  }
  void status_line(int status) {
    CHECK(status >= 0 && status <= 999);
    const auto number = static_cast<unsigned>(status);
    text("HTTP/1.1 ");
    *at_ = static_cast<char>('0' + number / 100);
    append_two_digits(at_ + 1, number % 100);
    at_ += 3;
    text(" ");
    text(reason_phrase(status));
    text("\r\n");
  }
  void framing(Framing framing) {
    switch (framing.kind) {
      case BodyKind::length:
        text("Content-Length: ");
        number(framing.length);
        return text("\r\n");
      case BodyKind::chunked: return text("Transfer-Encoding: chunked\r\n");
      case BodyKind::none:
      case BodyKind::until_close: return;
    }
  }
  void connection(bool keep_alive, int peer_minor) {
    if (!keep_alive) {
      text("Connection: close\r\n");
    } else if (peer_minor == 0) {
      text("Connection: keep-alive\r\n");
    }
  }

 private:
  char* at_;
};

// Appends what `write` writes with the pen that it gets: at most `most` bytes, for which `out` grows once.
template <typename Write>
void append(std::string& out, std::size_t most, Write&& write) {
  const auto before = out.size();
  out.resize_and_overwrite(before + most, [&](char* data, std::size_t) {
    Pen pen(data + before);
    write(pen);
    return static_cast<std::size_t>(pen.at() - data);
  });
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
  append(out, kLongestStatusLine, [&](Pen& pen) { pen.status_line(status); });
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  append(out, name.size() + value.size() + kLineExtra, [&](Pen& pen) { pen.foreign_field(name, value); });
}

void append_field(std::string& out, std::string_view name, std::uint64_t value) {
  std::array<char, kMostDigits> digits;
  const auto* const end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  append_field(out, name, std::string_view(digits.data(), end));
}

void append_framing(std::string& out, Framing framing) {
  append(out, kLongestFraming, [&](Pen& pen) { pen.framing(framing); });
}

void append_connection(std::string& out, bool keep_alive, int peer_minor) {
  append(out, kLongestConnection, [&](Pen& pen) { pen.connection(keep_alive, peer_minor); });
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
  std::array<Field, std::size(kPassingFields)> passing;
  std::size_t count = 0;
  if (client != nullptr) {
    for (const auto& [field, name] : kPassingFields) {
      const auto value = client->find(field);
      if (value && !has_field(request.own, name)) passing[count++] = {name, *value};
    }
  }
  const auto passed = std::span(passing).first(count);

  constexpr std::string_view kConstant = "  HTTP/1.1\r\nHost: \r\nAccept-Encoding: identity\r\n\r\n";
  const auto most = kConstant.size() + request.method.size() + request.target.size() + request.host.size() +
                    size_of(passed) + size_of(request.own) + kLongestFraming;
  append(out, most, [&](Pen& pen) {
    pen.text(request.method);
    pen.text(" ");
    pen.text(request.target);
    pen.text(" HTTP/1.1\r\n");
    pen.foreign_field("Host", request.host);
    for (const auto& [name, value] : passed) pen.field(name, value);
    pen.text("Accept-Encoding: identity\r\n");
    for (const auto& [name, value] : request.own) pen.foreign_field(name, value);
    pen.framing(request.framing);
    pen.text("\r\n");
  });
}

void append_relayed_response(std::string& out, const ResponseHead& head, const RelayedResponse& how) {
  const Fields fields = head.fields();
  const auto most = kLongestStatusLine + fields.lines(0, fields.size()).size() + size_of(how.own) + kLongestFraming +
                    kLongestConnection + 2;
  append(out, most, [&](Pen& pen) {
    pen.status_line(head.status());
    std::size_t run = 0;  // first field of those that pass and are not yet copied
    for (std::size_t i = 0; i < fields.size(); ++i) {
      if (passes(head, fields[i].name, how.own)) continue;
      pen.text(fields.lines(run, i));
      run = i + 1;
    }
    pen.text(fields.lines(run, fields.size()));
    for (const auto& [name, value] : how.own) pen.foreign_field(name, value);
    pen.framing(how.framing);
    pen.connection(how.keep_alive, how.client_minor);
    pen.text("\r\n");
  });
}

}  // namespace drover::http
