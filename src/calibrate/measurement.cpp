#include "calibrate/measurement.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"

namespace drover::calibrate {
namespace {

// Fields that say which cell of its scenario a request belongs to.
constexpr std::string_view kCellFields[] = {"words", "share", "k", "role", "talk", "visit", "rate", "base"};

std::string text_of(const Json& value) { return value.is_string() ? value.get<std::string>() : to_text(value); }

std::string cell_of(const Json& line) {
  std::string cell;
  for (const std::string_view field : kCellFields) {
    const Json* value = member(line, field);
    if (value == nullptr || value->is_null()) continue;
    cell += fmt::format("{}{} {}", cell.empty() ? "" : ", ", field, text_of(*value));
  }
  return cell;
}

std::string talk_of(const Json& line) {
  const Json* talk = member(line, "talk");
  if (talk == nullptr || talk->is_null() || (talk->is_number() && talk->get<double>() < 0)) return {};
  return text_of(*talk);
}

std::uint32_t count_at(const Json& line, std::string_view key, std::uint32_t fallback = 0) {
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(integer_at(line, key, fallback), 0, 1'000'000'000));
}

Measurement measurement_of(const Json& line) {
  Measurement row{.scenario = std::string(text_at(line, "scenario")), .cell = cell_of(line), .talk = talk_of(line)};
  row.repetition = count_at(line, "rep");
  row.open_loop = member(line, "due") != nullptr;
  row.base = integer_at(line, "base") != 0 || flag_at(line, "base");
  row.shares = number_at(line, "share") > 0;
  if (row.open_loop) row.rate = number_at(line, "rate");
  row.sent = number_at(line, "t");
  row.first = number_at(line, "first");
  row.last = number_at(line, "last");
  row.reading = number_at(line, "prompt_ms") / 1e3;
  row.prompt = count_at(line, "prompt");
  row.cached = std::min(count_at(line, "cached"), std::max(row.prompt, 1U) - 1);
  row.answer = count_at(line, "out");
  return row;
}

}  // namespace

Result<Recording> read_run(std::string name, std::string_view lines) {
  Recording recording{.name = std::move(name), .rows = {}};
  std::size_t number = 0;
  while (!lines.empty()) {
    ++number;
    const std::string_view text = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(lines.size(), text.size() + 1));
    if (text.empty()) continue;
    const Result<Json> line = parse_json(text);
    if (!line || !line->is_object()) {
      const std::string why = line ? "this is no object" : line.error().detail;
      return Error{ErrorCode::invalid, Side::gateway, fmt::format("{}:{}: {}", recording.name, number, why)};
    }
    recording.slots = std::max(count_at(*line, "np", 1), 1U);
    recording.context = std::max(count_at(*line, "num_ctx", 4096), 16U);
    if (member(*line, "cache_ram") != nullptr) recording.host_cache = integer_at(*line, "cache_ram") != 0;
    Measurement row = measurement_of(*line);
    row.line = number;
    const Json* error = member(*line, "error");
    const bool failed = error != nullptr && !error->is_null();
    if (!failed && row.prompt > 0 && row.answer > 0) recording.rows.push_back(std::move(row));
  }
  for (auto from = recording.rows.begin(); from != recording.rows.end();) {
    const auto to =
        std::find_if(from, recording.rows.end(), [&](const auto& row) { return row.scenario != from->scenario; });
    std::ranges::sort(from, to, {}, [](const Measurement& row) { return std::pair(row.sent, row.line); });
    from = to;
  }
  return recording;
}

}  // namespace drover::calibrate
