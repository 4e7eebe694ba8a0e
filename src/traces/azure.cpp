// Azure's CSV: `2023-11-16 18:15:46.6805900,374,44`.
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/ascii.h"
#include "traces/counts.h"
#include "traces/reader.h"
#include "traces/times.h"

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

class AzureFormat final : public Format {
 public:
  // Where each column is.
  struct Columns {
    std::size_t time = kAbsent, prompt = kAbsent, answer = kAbsent, tenant = kAbsent, session = kAbsent;
    std::size_t count = 0;
  };
  explicit AzureFormat(Columns columns) : columns_(columns) {}

  Form form() const override { return Form::azure; }
  Result<std::optional<Request>> parse(std::string_view line, LeftOut&) const override {
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
    return std::optional(std::move(request));
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
