// Azure's CSV: `2023-11-16 18:15:46.6805900,374,44`.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <vector>

#include "base/ascii.h"
#include "traces/counts.h"
#include "traces/reader.h"

namespace drover::traces {
namespace {

constexpr std::size_t kAbsent = static_cast<std::size_t>(-1);

Error invalid(std::string what) { return Error{ErrorCode::invalid, Side::gateway, std::move(what)}; }

std::vector<std::string_view> split(std::string_view line) {
  std::vector<std::string_view> cells;
  while (true) {
    const auto comma = line.find(',');
    cells.push_back(ascii::trim(line.substr(0, comma)));
    if (comma == std::string_view::npos) return cells;
    line.remove_prefix(comma + 1);
  }
}

// The digits at the front, `count` of them, and the mark behind them.
std::optional<unsigned> take_number(std::string_view& text, std::size_t count, std::string_view marks) {
  const auto number = ascii::to_number(text.substr(0, count));
  if (!number || text.size() < count + (marks.empty() ? 0 : 1)) return std::nullopt;
  if (!marks.empty() && !marks.contains(text[count])) return std::nullopt;
  text.remove_prefix(count + (marks.empty() ? 0 : 1));
  return static_cast<unsigned>(*number);
}

// `2023-11-16 18:15:46.6805900`, up to nine digits of a second; UTC, whether `Z` or `+00:00` says so or nothing does.
std::optional<Duration> read_time(std::string_view text) {
  for (const std::string_view utc : {"Z", "+00:00"}) {
    if (text.ends_with(utc)) text.remove_suffix(utc.size());
  }
  const auto year = take_number(text, 4, "-"), month = take_number(text, 2, "-"), day = take_number(text, 2, " T");
  const auto hour = take_number(text, 2, ":"), minute = take_number(text, 2, ":"), second = take_number(text, 2, "");
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*year)), std::chrono::month(*month),
                                         std::chrono::day(*day)};
  if (!date.ok() || *year < 1970 || *year > 2200 || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  std::uint64_t nanoseconds = 0;
  if (!text.empty()) {
    constexpr std::size_t kDigits = 9;
    const std::string_view digits = text.substr(1);
    const auto fraction = ascii::to_number(digits);
    if (text.front() != '.' || !fraction || digits.size() > kDigits) return std::nullopt;
    nanoseconds = *fraction;
    for (std::size_t i = digits.size(); i < kDigits; ++i) nanoseconds *= 10;
  }
  return std::chrono::sys_days(date).time_since_epoch() + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         std::chrono::seconds(*second) + Duration(nanoseconds);
}

class AzureFormat final : public Format {
 public:
  // Where each column is.
  struct Columns {
    std::size_t time = kAbsent, prompt = kAbsent, answer = kAbsent, tenant = kAbsent, session = kAbsent;
    std::size_t count = 0;
  };
  explicit AzureFormat(Columns columns) : columns_(columns) {}

  Result<Request> parse(std::string_view line) const override {
    const auto cells = split(line);
    if (cells.size() != columns_.count) {
      return invalid(fmt::format("{} cells; expected {}, as the header has", cells.size(), columns_.count));
    }
    const auto at = read_time(cells[columns_.time]);
    if (!at) {
      return invalid(
          fmt::format("TIMESTAMP is {:?}; expected a time as 2023-11-16 18:15:46.6805900", cells[columns_.time]));
    }
    const auto prompt = read_tokens(cells[columns_.prompt], "ContextTokens");
    if (!prompt) return prompt.error();
    const auto answer = read_tokens(cells[columns_.answer], "GeneratedTokens");
    if (!answer) return answer.error();
    Request request{.at = *at, .prompt = *prompt, .answer = *answer};
    if (columns_.tenant != kAbsent) request.tenant = cells[columns_.tenant];
    if (columns_.session != kAbsent) request.session = cells[columns_.session];
    return request;
  }

 private:
  Columns columns_;
};

}  // namespace

std::unique_ptr<Format> azure_format(std::string_view header) {
  const auto titles = split(header);
  const auto find = [&titles](std::string_view title) {
    const auto found = std::ranges::find(titles, title);
    return found == titles.end() ? kAbsent : static_cast<std::size_t>(found - titles.begin());
  };
  const AzureFormat::Columns columns{.time = find("TIMESTAMP"),
                                     .prompt = find("ContextTokens"),
                                     .answer = find("GeneratedTokens"),
                                     .tenant = find("Tenant"),
                                     .session = find("Session"),
                                     .count = titles.size()};
  if (columns.time == kAbsent || columns.prompt == kAbsent || columns.answer == kAbsent) return nullptr;
  return std::make_unique<AzureFormat>(columns);
}

}  // namespace drover::traces
