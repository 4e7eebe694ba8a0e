#include "http/response_head.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/ascii.h"
#include "base/check.h"
#include "http/head_syntax.h"

namespace drover::http {
namespace {

constexpr std::uint64_t kLongestBody = (std::uint64_t{1} << 63) - 1;
constexpr std::string_view kFirstLine = "HTTP/1.x nnn";  // what a status line has at least

}  // namespace

// The steps of parse(), each of which returns nullopt or what it refuses.
class ResponseHeadParser {
 public:
  using Refusal = std::optional<ParseOutcome>;

  ResponseHeadParser(std::string_view bytes, const ResponseLimits& limits, ResponseHead& into)
      : bytes_(bytes), limits_(limits), head_(into) {
    CHECK(limits.head <= 64_KiB && limits.fields <= ResponseHead::kMaxFields);
  }

  ParseOutcome parse(Method asked, std::size_t seen) {
    // A node that does not speak HTTP is found out by its first bytes, not by a time limit.
    const auto start = std::string_view("HTTP/1.").substr(0, bytes_.size());
    if (!bytes_.starts_with(start)) return refuse("first_line", fmt::format("it starts with {}", quoted(bytes_)));

    const auto end = find_head_end(bytes_, 0, seen);
    const auto size = end.kind == HeadEnd::Kind::found ? end.at : bytes_.size();
    if (size > limits_.head.value) return refuse("headers", fmt::format("larger than {} bytes", limits_.head.value));
    if (end.kind == HeadEnd::Kind::broken) return refuse("headers", fmt::format("{} in the head", end.fault));
    if (end.kind == HeadEnd::Kind::missing) return ParseOutcome::more();

    reset();
    if (auto refusal = status_line()) return *std::move(refusal);
    if (auto refusal = fields(end.at - 2)) return *std::move(refusal);
    if (auto refusal = framing(asked)) return *std::move(refusal);
    const auto options = connection_options(head_.fields(), head_.known_);
    head_.keep_alive_ = !options.close && (head_.minor_ == 1 || options.keep_alive);
    head_.nominates_ = options.others;
    return ParseOutcome::complete(end.at);
  }

 private:
  static ParseOutcome refuse(std::string_view reason, std::string detail) {
    return ParseOutcome::rejected(502, reason, std::move(detail));
  }

  void reset() {
    head_.base_ = bytes_.data();
    head_.content_length_.reset();
    head_.known_ = {};
    head_.count_ = 0;
    head_.framing_is_clear_ = true;
  }

  // `HTTP/1.x nnn[ reason]`.
  Refusal status_line() {
    line_end_ = bytes_.find('\n');
    const auto line = bytes_.substr(0, line_end_ - 1);
    const auto version = line.substr(0, 8);
    const auto status = ascii::to_number(line.substr(std::min(line.size(), std::size_t{9}), 3));
    const bool well_formed = line.size() >= kFirstLine.size() && line[8] == ' ' &&
                             (line.size() == kFirstLine.size() || line[kFirstLine.size()] == ' ');
    if (!well_formed || (version != "HTTP/1.1" && version != "HTTP/1.0") || !status || *status < 100 || *status > 599 ||
        has_control(line)) {
      return refuse("first_line", fmt::format("the status line is {}", quoted(line)));
    }
    if (*status == 101) return refuse("switching_protocols", "status 101, and we never ask for an upgrade");
    head_.status_ = static_cast<std::uint16_t>(*status);
    head_.minor_ = version.back() == '1' ? 1 : 0;
    return std::nullopt;
  }

  Refusal fields(std::size_t end) {
    const auto lines = read_field_lines(bytes_, line_end_ + 1, end, Underscore::allowed,
                                        std::span(head_.slots_).first(limits_.fields), head_.known_);
    head_.count_ = static_cast<std::uint8_t>(lines.count);
    head_.block_end_ = static_cast<std::uint32_t>(end);
    switch (lines.fault) {
      case LineFault::none: return std::nullopt;
      case LineFault::syntax: return refuse("headers", fmt::format("field {} is no `name: value`", lines.count + 1));
      case LineFault::name: return refuse("headers", fmt::format("field {} has a bad name", lines.count + 1));
      case LineFault::too_many: return refuse("headers", fmt::format("more than {} fields", limits_.fields));
    }
    return std::nullopt;
  }

  // RFC 9112, section 6.3.
  Refusal framing(Method asked) {
    const auto coding = head_.find(Known::transfer_encoding);
    if (auto refusal = content_length()) return refusal;
    if (coding) {
      if (!ascii::equal_fold(*coding, "chunked") || head_.known_.repeated(Known::transfer_encoding) ||
          head_.minor_ == 0) {
        return refuse("transfer_encoding", fmt::format("Transfer-Encoding is {} in HTTP/1.{}; expected one chunked",
                                                       quoted(*coding), head_.minor_));
      }
      // Transfer-Encoding wins, but who sends both may be two parties: the connection ends with this answer.
      if (head_.content_length_) head_.framing_is_clear_ = false;
      head_.content_length_.reset();
    }
    if (head_.interim() || head_.status_ == 204 || head_.status_ == 304 || asked == Method::head) {
      head_.body_ = BodyKind::none;
    } else if (coding) {
      head_.body_ = BodyKind::chunked;
    } else {
      head_.body_ = head_.content_length_ ? BodyKind::length : BodyKind::until_close;
    }
    return std::nullopt;
  }

  Refusal content_length() {
    const auto first = head_.known_.first(Known::content_length);
    if (!first) return std::nullopt;
    const bool repeated = head_.known_.repeated(Known::content_length);
    const Fields fields = head_.fields();
    for (std::size_t i = *first; i < (repeated ? fields.size() : *first + 1); ++i) {
      const Field field = fields[i];
      if (i > *first && known_field(field.name) != Known::content_length) continue;
      const auto number = ascii::to_number(field.value);
      if (!number || *number > kLongestBody) {
        return refuse("content_length", fmt::format("Content-Length is {}; expected digits", quoted(field.value)));
      }
      const auto before = std::exchange(head_.content_length_, *number);
      if (before && *before != *number) {
        return refuse("content_length", fmt::format("two Content-Lengths: {} and {}", *before, *number));
      }
    }
    if (repeated) head_.framing_is_clear_ = false;
    return std::nullopt;
  }

  std::string_view bytes_;
  const ResponseLimits& limits_;
  ResponseHead& head_;
  std::size_t line_end_ = 0;  // LF of the status line
};

std::optional<std::string_view> ResponseHead::find(Known field) const {
  const auto index = known_.first(field);
  if (!index) return std::nullopt;
  return fields()[*index].value;
}

ParseOutcome parse(std::string_view bytes, const ResponseLimits& limits, Method asked, ResponseHead& into,
                   std::size_t seen) {
  return ResponseHeadParser(bytes, limits, into).parse(asked, seen);
}

}  // namespace drover::http
