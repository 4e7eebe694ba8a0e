// The live screen's picture: what it says, and what gives way where there is little room.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "cli/human.h"
#include "cli/status_reader.h"
#include "cli/table.h"
#include "cli/views.h"

namespace drover::cli {
namespace {

// `██░░ 2/4`: used slots as a bar of so many columns. One that is used at all never looks empty.
std::string slots_bar(const SlotUse& use, std::size_t columns, const Style& style) {
  std::string text = slots_text({.used = use.used, .slots = use.slots});
  if (use.slots <= 0 || columns == 0) return text;
  const double share = std::clamp(static_cast<double>(use.used) / static_cast<double>(use.slots), 0.0, 1.0);
  auto full = static_cast<std::size_t>(share * static_cast<double>(columns));
  if (use.used > 0 && full == 0) full = 1;
  std::string bar;
  for (std::size_t i = 0; i < columns; ++i) {
    bar += i < full ? (style.unicode ? "█" : "#") : (style.unicode ? "░" : ".");
  }
  return bar + " " + text;
}

// `connect_refused` of `GET /api/version on 10.0.0.2:11434: connect_refused`: where there is little room, what happened
// says more than where.
std::string short_error(std::string_view error) {
  const auto colon = error.find(": ");
  return std::string(colon == std::string_view::npos ? error : error.substr(colon + 2));
}

// One line a node, those in trouble first where not all can be shown.
Table screen_nodes(std::vector<const Json*> nodes, bool all_fit, std::size_t columns, const Style& style) {
  if (!all_fit) nodes = urgent_first(nodes, [](const Json& node) { return text_at(node, "health") != "stable"; });
  const bool tiny = columns < 55, narrow = columns < 70, wide = columns >= 100;
  std::vector<Column> titles{{.title = "NODE", .least = 10},
                             {.title = "HEALTH", .least = 10},
                             {.title = "SLOTS"},
                             {.title = "MODELS", .least = 8}};
  // Who waits is told above; why a node does not answer only here.
  if (!tiny) titles.insert(titles.end() - 1, {.title = "WAITING", .right = true});
  Table table(std::move(titles), style);
  for (const Json* node : nodes) {
    const auto error = text_at(*node, "error");
    const Piece models = error.empty() ? Piece{models_text(*node)} : Piece{short_error(error), Paint::bad};
    std::vector<Piece> row{{name_of(*node)},
                           wide ? health_and_why(*node) : health_of(*node),
                           {slots_bar(slots_of(*node),
                                      tiny     ? 0
                                      : narrow ? 4
                                               : 8,
                                      style)}};
    if (!tiny) row.push_back({human_count(count_at(*node, "waiting"))});
    row.push_back(models);
    table.add(std::move(row));
  }
  return table;
}

// Gives rows to the parts of the screen, one after the other, until there are none left.
class Rows {
 public:
  explicit Rows(std::size_t left) : left_(left) {}
  std::size_t take(std::size_t wanted) {
    const std::size_t got = std::min(wanted, left_);
    left_ -= got;
    return got;
  }
  // All or nothing.
  std::size_t take_whole(std::size_t wanted) { return wanted <= left_ ? take(wanted) : 0; }

 private:
  std::size_t left_;
};

// The first `rows` of the lines; where some are missing, the last line says how many.
void append_cut(std::vector<std::string>& to, std::vector<std::string> lines, std::size_t rows, std::string_view what,
                std::size_t columns, const Style& style) {
  if (lines.size() > rows && rows > 0) {
    const std::size_t missing = lines.size() - rows + 1;
    lines[rows - 1] = painted(fit(fmt::format("and {} more {}", missing, what), columns, style), Paint::dim, style);
  }
  lines.resize(std::min(lines.size(), rows));
  std::ranges::move(lines, std::back_inserter(to));
}

std::vector<std::string> summary_lines(const Json& now, const Json* before, Duration between, std::size_t columns,
                                       const Style& style) {
  std::vector<Piece> first{{std::string(text_at(now, "listen")), Paint::bold}};
  if (flag_at(now, "draining")) first.push_back({"  draining; Ctrl-C again ends at once", Paint::warning});
  first.push_back({fmt::format("  up {}  {}  drover {}", human_duration(number_at(now, "uptime_s")),
                               text_at(now, "policy"), text_at(now, "version"))});
  const Requests requests = requests_of(now);
  std::vector<Piece> second;
  if (const auto rate = request_rate(now, before, seconds(between))) {
    second.push_back({fmt::format("{} requests/s", human_rate(*rate)), Paint::bold});
    second.push_back({", "});
  }
  second.push_back({fmt::format("{} in all: ", human_count(requests.accepted))});
  std::ranges::move(outcome_pieces(requests), std::back_inserter(second));
  const std::vector<Piece> third{{fmt::format("{}, {}", queue_text(now), retries_text(now))}};
  return {line_of(first, columns, style), line_of(second, columns, style), line_of(third, columns, style)};
}

std::string help_text(std::string_view access_log) {
  constexpr std::string_view kLeave = "Ctrl-C finishes what runs and ends.";
  return access_log.empty() ? std::string(kLeave) : fmt::format("{} Access log: {}", kLeave, access_log);
}

}  // namespace

std::vector<std::string> screen_lines(const Json& now, const Json* before, Duration between, Size terminal,
                                      std::string_view access_log, const Style& style) {
  const std::size_t columns = terminal.columns - std::min<std::size_t>(terminal.columns, 1);
  const auto nodes = elements(now, "nodes");
  auto models = model_table(now, style).lines(columns);
  std::vector<std::string> paste;
  for (const std::string& line : paste_lines(now)) paste.push_back(printable(line, style));
  std::erase_if(paste, [&](const std::string& line) { return width_of(line) > columns; });

  // The order is that of importance, not that of the lines.
  Rows rows(terminal.rows);
  const std::size_t summary_rows = rows.take(3);
  std::size_t node_rows = rows.take(std::min<std::size_t>(nodes.size(), 3) + 1);
  std::size_t model_rows = rows.take(std::min<std::size_t>(models.size(), 2));
  const std::size_t paste_rows = rows.take_whole(paste.size());
  node_rows += rows.take(nodes.size() + 1 - node_rows);
  model_rows += rows.take(models.size() - model_rows);
  const std::size_t note_rows = has_simulated(nodes) ? rows.take(1) : 0;
  const std::size_t help_rows = rows.take(1);
  const bool blank_before_nodes = rows.take(1) == 1;
  const bool blank_before_paste = paste_rows + note_rows + help_rows > 0 && rows.take(1) == 1;

  std::vector<std::string> lines = summary_lines(now, before, between, columns, style);
  lines.resize(summary_rows);
  append_cut(lines, std::move(models), model_rows, "models", columns, style);
  if (blank_before_nodes) lines.emplace_back();
  if (node_rows > 0) {
    const bool all_fit = node_rows > nodes.size();
    const Table table = screen_nodes(nodes, all_fit, columns, style);
    lines.push_back(nodes.empty() ? fit(kNoNodes, columns, style) : table.titles(columns));
    append_cut(lines, table.lines(columns), node_rows - 1, "nodes", columns, style);
  }
  if (blank_before_paste) lines.emplace_back();
  lines.insert(lines.end(), paste.begin(), paste.begin() + static_cast<std::ptrdiff_t>(paste_rows));
  if (note_rows > 0) lines.push_back(painted(fit(kSimulated, columns, style), Paint::dim, style));
  if (help_rows > 0) lines.push_back(painted(fit(help_text(access_log), columns, style), Paint::dim, style));
  return lines;
}

}  // namespace drover::cli
