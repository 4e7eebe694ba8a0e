#pragma once
// Reads traces of production one request after another, so that a trace of any length takes no memory.
//
// Two forms, told apart by the first line:
//   azure     CSV with the columns TIMESTAMP (UTC), ContextTokens and GeneratedTokens (Azure LLM inference traces)
//   mooncake  one JSON object a line: timestamp in ms, input_length, output_length, hash_ids of 512 tokens each
//             (Qin et al.: Mooncake, FAST 2025)
// Either may also say who asked: columns Tenant and Session, members tenant and session.

#include <cstddef>
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

// One form of a trace. Errors say what is wrong with the line; where it is says the reader.
class Format {
 public:
  virtual ~Format() = default;
  // `at` of the result is the trace's own time, whatever it counts from. Error: invalid.
  virtual Result<Request> parse(std::string_view line) const = 0;
};

// nullptr: the line is no header of such a CSV.
std::unique_ptr<Format> azure_format(std::string_view header);
std::unique_ptr<Format> mooncake_format();

// Thread: one.
class Reader {
 public:
  // Error: invalid, when the file cannot be read or is no trace.
  static Result<Reader> open(const std::string& path);
  // `name` is for messages.
  static Result<Reader> read(std::unique_ptr<std::istream> lines, std::string name);

  // nullopt: the trace is over. Error (invalid): `file:line: what is wrong`, times that go back among it; read no more.
  Result<std::optional<Request>> next();

 private:
  Reader(std::unique_ptr<std::istream> lines, std::string name);

  enum class Line : std::uint8_t { read, end, failed };
  Line read_line();
  Error fail(std::string_view what) const;

  std::unique_ptr<std::istream> lines_;
  std::string name_;
  std::unique_ptr<Format> format_;
  std::string line_;
  std::size_t number_ = 0;                // of line_, from 1
  bool is_unread_ = false;                // line_ told the form, and is a request too
  std::optional<Duration> first_, last_;  // the trace's own times
};

}  // namespace drover::traces
