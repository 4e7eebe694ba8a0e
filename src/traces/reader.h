#pragma once
// Reads traces of production one request after another, so that a trace of any length takes no memory.
//
// Three forms, told apart by the first line:
//   azure       CSV with the columns TIMESTAMP (UTC), ContextTokens and GeneratedTokens (Azure LLM inference traces)
//   mooncake    one JSON object a line: timestamp in ms, input_length, output_length, hash_ids of 512 tokens each
//               (Qin et al.: Mooncake, FAST 2025)
//   access_log  Drover's own
// The first two may also say who asked: columns Tenant and Session, members tenant and session. Requests come in order
// of time. An access log has them in the order of their ends, so that it is read whole first.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "traces/request.h"

namespace drover::traces {

inline constexpr std::size_t kMaxLine = std::size_t{1} << 20;  // bytes
inline constexpr Tokens kMaxTokens{1'000'000};                 // of one prompt, and of one answer
inline constexpr Tokens kMooncakeBlock{512};
inline constexpr Tokens kLoggedBlock{256};             // about: a KiB of text, at four bytes a token
inline constexpr std::size_t kMaxLogged = 10'000'000;  // requests of an access log

enum class Form : std::uint8_t { azure, mooncake, access_log };

// Lines of an access log that are no request to be repeated, since nobody knows how much would have been read and
// written: by how they ended. `other`: answers without tokens, such as listings, loads and embeddings.
struct LeftOut {
  std::uint64_t refused = 0, failed = 0, cancelled = 0, truncated = 0, other = 0;
  std::uint64_t all() const { return refused + failed + cancelled + truncated + other; }
};

// One form of a trace. Errors say what is wrong with the line; where it is says the reader.
class Format {
 public:
  virtual ~Format() = default;
  virtual Form form() const = 0;
  // `at` of the result is the trace's own time, whatever it counts from. nullopt: the line is left out, and counted.
  // Error: invalid.
  virtual Result<std::optional<Request>> parse(std::string_view line, LeftOut& left_out) const = 0;
};

// nullptr: the line is no header of such a CSV.
std::unique_ptr<Format> azure_format(std::string_view header);
std::unique_ptr<Format> mooncake_format();
std::unique_ptr<Format> access_log_format(std::string_view line);  // nullptr: it is no line of one

// Thread: one.
class Reader {
 public:
  // Error: invalid, when the file cannot be read or is no trace.
  static Result<Reader> open(const std::string& path);
  // `name` is for messages.
  static Result<Reader> read(std::unique_ptr<std::istream> lines, std::string name);

  // nullopt: the trace is over. Error (invalid): `file:line: what is wrong`, times that go back among it; read no more.
  Result<std::optional<Request>> next();

  Form form() const { return format_->form(); }
  const LeftOut& left_out() const { return left_out_; }  // of the lines read so far

 private:
  Reader(std::unique_ptr<std::istream> lines, std::string name);

  enum class Line : std::uint8_t { read, end, failed };
  Line read_line();
  Result<std::optional<Request>> parse_next();
  Result<void> read_all();
  Error fail(std::string_view what) const;

  std::unique_ptr<std::istream> lines_;
  std::string name_;
  std::unique_ptr<Format> format_;
  std::string line_;
  std::size_t number_ = 0;  // of line_, from 1
  bool is_unread_ = false;  // line_ told the form, and is a request too
  LeftOut left_out_;
  std::optional<std::deque<Request>> sorted_;  // of an access log: what is still to come
  std::optional<Duration> first_, last_;       // the trace's own times
};

}  // namespace drover::traces
