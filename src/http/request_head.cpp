#include "http/request_head.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/ascii.h"
#include "base/check.h"
#include "http/head_syntax.h"
#include "http/host.h"
#include "http/path.h"

namespace drover::http {
namespace {

constexpr std::size_t kLongestMethod = 32;
constexpr std::uint64_t kLongestBody = (std::uint64_t{1} << 63) - 1;

Method method_of(std::string_view text) {
  constexpr std::pair<std::string_view, Method> kMethods[] = {
      {"POST", Method::post},       {"GET", Method::get},     {"HEAD", Method::head},
      {"OPTIONS", Method::options}, {"DELETE", Method::del},  {"PUT", Method::put},
      {"PATCH", Method::patch},     {"TRACE", Method::trace}, {"CONNECT", Method::connect}};
  for (const auto& [name, method] : kMethods) {
    if (text == name) return method;
  }
  return Method::other;
}

// What a target says, by its form (RFC 9112, section 3.2).
struct Target {
  std::string_view path;
  std::string_view query;
  std::string_view authority;        // absolute-form only
  std::uint16_t port_of_scheme = 0;  // absolute-form only
};

Target split_target(std::string_view target) {
  Target result;
  for (const auto& [scheme, port] : {std::pair{std::string_view("http://"), 80}, {std::string_view("https://"), 443}}) {
    if (!ascii::equal_fold(target.substr(0, scheme.size()), scheme)) continue;
    target.remove_prefix(scheme.size());
    result.authority = target.substr(0, target.find_first_of("/?"));
    result.port_of_scheme = static_cast<std::uint16_t>(port);
    target.remove_prefix(result.authority.size());
    break;
  }
  const auto question = target.find('?');
  result.path = target.substr(0, question);
  if (question != std::string_view::npos) result.query = target.substr(question + 1);
  return result;
}

// Transfer-Encoding must be `chunked`, in lower case as everybody writes it: other spellings only serve to be read by
// one parser and not by the next. Returns the status to refuse with, 0 if it is fine.
int refuse_coding(std::string_view value) {
  if (value == "chunked") return 0;
  std::size_t count = 0;
  bool ended = false;    // `chunked` has come, and nothing may follow it
  bool strange = false;  // is no list of codings with `chunked` last
  for_each_element(value, [&](std::string_view coding) {
    ++count;
    strange = strange || ended || !is_token(coding) || (ascii::equal_fold(coding, "chunked") && coding != "chunked");
    ended = coding == "chunked";
  });
  const auto commas = static_cast<std::size_t>(std::count(value.begin(), value.end(), ','));
  return strange || count != commas + 1 ? 400 : 501;
}

bool same_place(const Authority& a, const Authority& b, std::uint16_t default_port) {
  return ascii::equal_fold(a.host, b.host) && a.port.value_or(default_port) == b.port.value_or(default_port);
}

}  // namespace

// The steps of parse(), each of which returns nullopt or what it refuses.
class RequestHeadParser {
 public:
  using Refusal = std::optional<ParseOutcome>;

  RequestHeadParser(std::string_view bytes, const HeadLimits& limits, RequestHead& into)
      : bytes_(bytes), limits_(limits), head_(into) {
    CHECK(limits.line.value + limits.block.value < (1U << 16) - 8 && limits.fields <= RequestHead::kMaxFields);
  }

  ParseOutcome parse(std::size_t seen) {
    if (bytes_.starts_with("\r\n")) begin_ = 2;
    if (bytes_.starts_with("\r\n\r")) return refuse(400, "syntax", "more than one empty line before the request");
    const auto end = find_head_end(bytes_, begin_, seen);
    if (end.kind == HeadEnd::Kind::broken) return refuse(400, "syntax", fmt::format("{} in the head", end.fault));
    if (auto refusal = too_large(end)) return *std::move(refusal);
    if (end.kind == HeadEnd::Kind::missing) return ParseOutcome::more();

    reset();
    if (auto refusal = request_line()) return *std::move(refusal);
    if (auto refusal = fields(end.at - 2)) return *std::move(refusal);
    if (auto refusal = host()) return *std::move(refusal);
    if (auto refusal = framing()) return *std::move(refusal);
    if (auto refusal = expect()) return *std::move(refusal);
    connection();
    return ParseOutcome::complete(end.at);
  }

 private:
  static ParseOutcome refuse(int status, std::string_view reason, std::string detail) {
    return ParseOutcome::rejected(status, reason, std::move(detail));
  }

  // Sets line_end_, the offset of the LF of the request line, if it has come.
  Refusal too_large(const HeadEnd& end) {
    line_end_ = bytes_.find('\n', begin_);
    const bool line_is_whole = line_end_ != std::string_view::npos;
    const auto line_size = (line_is_whole ? line_end_ - 1 : bytes_.size()) - begin_;
    if (line_size > limits_.line.value + (line_is_whole ? 0 : 1)) {
      return refuse(414, "request_line", fmt::format("the request line is longer than {} bytes", limits_.line.value));
    }
    const auto block_end = end.kind == HeadEnd::Kind::found ? end.at : bytes_.size();
    if (line_is_whole && block_end - line_end_ - 1 > limits_.block.value) {
      return refuse(431, "headers_too_large", fmt::format("the fields are larger than {} bytes", limits_.block.value));
    }
    return std::nullopt;
  }

  void reset() {
    head_.base_ = bytes_.data();
    head_.content_length_ = 0;
    head_.known_ = {};
    head_.query_ = head_.host_ = head_.path_ = {};
    head_.count_ = 0;
    head_.body_ = BodyKind::none;
    head_.path_is_own_ = false;
    head_.expects_continue_ = false;
  }

  Refusal request_line() {
    const auto line = bytes_.substr(begin_, line_end_ - 1 - begin_);
    const auto first = line.find(' ');
    const auto last = line.rfind(' ');
    if (first == std::string_view::npos || last == first) {
      return refuse(400, "request_line", "the request line is no `method target version`");
    }
    const auto method = line.substr(0, first);
    const auto target = line.substr(first + 1, last - first - 1);
    const auto version = line.substr(last + 1);
    if (method.size() > kLongestMethod || !is_token(method)) {
      return refuse(400, "request_line", fmt::format("{} is no method", quoted(method)));
    }
    if (version != "HTTP/1.1" && version != "HTTP/1.0") {
      return refuse(version.starts_with("HTTP/") ? 505 : 400, "request_line",
                    fmt::format("the version is {}; expected HTTP/1.1 or HTTP/1.0", quoted(version)));
    }
    head_.minor_ = version.back() == '1' ? 1 : 0;
    head_.method_ = method_of(method);
    head_.method_text_ = piece(method);
    return this->target(target);
  }

  Refusal target(std::string_view target) {
    const auto visible = [](char c) { return c > 0x20 && c < 0x7f && c != '#'; };
    if (target.empty() || !std::all_of(target.begin(), target.end(), visible)) {
      return refuse(400, target.find(' ') == std::string_view::npos ? "path" : "request_line",
                    "the target has a character that no target has");
    }
    head_.target_ = piece(target);
    if (head_.method_ == Method::connect) return std::nullopt;
    if (head_.method_ == Method::options && target == "*") {
      head_.path_ = piece(target);
      return std::nullopt;
    }
    target_ = split_target(target);
    head_.query_ = piece(target_.query);
    if (target_.path.empty() && target_.port_of_scheme != 0) {
      set_own_path("/");
      return std::nullopt;
    }
    const auto normal = normalise_path(target_.path, head_.own_path_);
    if (!normal.fault.empty()) {
      return refuse(400, "path", fmt::format("the path has {}", normal.fault));
    }
    head_.path_is_own_ = normal.is_decoded;
    head_.path_ = piece(target_.path);
    return std::nullopt;
  }

  Refusal fields(std::size_t end) {
    const auto lines = read_field_lines(bytes_, line_end_ + 1, end, Underscore::refused,
                                        std::span(head_.slots_).first(limits_.fields), head_.known_);
    head_.count_ = static_cast<std::uint8_t>(lines.count);
    head_.block_end_ = static_cast<std::uint16_t>(end);
    switch (lines.fault) {
      case LineFault::none: return std::nullopt;
      case LineFault::syntax:
        return refuse(400, "syntax", fmt::format("field {} is no `name: value`", lines.count + 1));
      case LineFault::name: return refuse(400, "header_name", fmt::format("field {} has a bad name", lines.count + 1));
      case LineFault::too_many:
        return refuse(431, "headers_too_large", fmt::format("more than {} fields", limits_.fields));
    }
    return std::nullopt;
  }

  Refusal host() {
    const auto host = head_.find(Known::host);
    const auto authority = target_.port_of_scheme == 0 ? std::nullopt : parse_authority(target_.authority);
    if (target_.port_of_scheme != 0 && !authority) {
      return refuse(400, "host", fmt::format("the target names the host {}", quoted(target_.authority)));
    }
    if (!host) {
      if (head_.minor_ == 1) return refuse(400, "host", "no Host field");
      head_.host_ = piece(target_.authority);
      return std::nullopt;
    }
    const auto named = parse_authority(*host);
    if (head_.known_.repeated(Known::host)) return refuse(400, "host", "more than one Host field");
    if (!named) return refuse(400, "host", fmt::format("Host is {}", quoted(*host)));
    if (authority && !same_place(*authority, *named, target_.port_of_scheme)) {
      return refuse(400, "host",
                    fmt::format("Host is {}, the target names {}", quoted(*host), quoted(target_.authority)));
    }
    head_.host_ = piece(*host);
    return std::nullopt;
  }

  // RFC 9112, section 6.3, without its repairs.
  Refusal framing() {
    const auto coding = head_.find(Known::transfer_encoding);
    const auto length = head_.find(Known::content_length);
    if (coding && length) return refuse(400, "framing", "both Transfer-Encoding and Content-Length");
    if (coding) {
      if (head_.minor_ == 0) return refuse(400, "te", "Transfer-Encoding with HTTP/1.0");
      if (head_.known_.repeated(Known::transfer_encoding)) return refuse(400, "te", "more than one Transfer-Encoding");
      if (const int status = refuse_coding(*coding); status != 0) {
        return refuse(status, "te", fmt::format("Transfer-Encoding is {}; expected chunked", quoted(*coding)));
      }
      head_.body_ = BodyKind::chunked;
    }
    if (length) {
      if (head_.known_.repeated(Known::content_length)) return refuse(400, "framing", "more than one Content-Length");
      const auto number = ascii::to_number(*length);
      if (!number || *number > kLongestBody) {
        return refuse(400, "framing", fmt::format("Content-Length is {}; expected digits", quoted(*length)));
      }
      head_.body_ = BodyKind::length;
      head_.content_length_ = *number;
    }
    return std::nullopt;
  }

  Refusal expect() {
    const auto expect = head_.find(Known::expect);
    if (!expect) return std::nullopt;
    if (!ascii::equal_fold(*expect, "100-continue") || head_.known_.repeated(Known::expect)) {
      return refuse(417, "expect", fmt::format("Expect is {}; only 100-continue is known", quoted(*expect)));
    }
    head_.expects_continue_ = head_.minor_ == 1;  // RFC 9110, section 10.1.1: ignored in HTTP/1.0
    return std::nullopt;
  }

  void connection() {
    const auto options = connection_options(head_.fields(), head_.known_);
    head_.keep_alive_ = !options.close && (head_.minor_ == 1 || options.keep_alive);
  }

  void set_own_path(std::string_view path) {
    head_.own_path_ = path;
    head_.path_is_own_ = true;
  }

  RequestHead::Piece piece(std::string_view part) const {
    if (part.empty()) return {};
    return {static_cast<std::uint16_t>(part.data() - bytes_.data()), static_cast<std::uint16_t>(part.size())};
  }

  std::string_view bytes_;
  const HeadLimits& limits_;
  RequestHead& head_;
  Target target_;
  std::size_t begin_ = 0;     // of the request line
  std::size_t line_end_ = 0;  // its LF
};

std::optional<std::string_view> RequestHead::find(Known field) const {
  const auto index = known_.first(field);
  if (!index) return std::nullopt;
  return fields()[*index].value;
}

ParseOutcome parse(std::string_view bytes, const HeadLimits& limits, RequestHead& into, std::size_t seen) {
  return RequestHeadParser(bytes, limits, into).parse(seen);
}

}  // namespace drover::http
