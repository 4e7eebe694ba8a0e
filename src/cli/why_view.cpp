#include "cli/why_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

#include "cli/human.h"
#include "cli/status_reader.h"
#include "cli/table.h"

namespace drover::cli {
namespace {

// A time of the document: `12.3 ms`, `1.25 s`. What no request lasts becomes zero.
std::string time_text(double time) {
  if (!(time >= 0 && time < 1e6)) time = 0;
  return human_latency(std::chrono::duration_cast<Duration>(std::chrono::duration<double>(time)));
}
std::string time_text(const Json& object, std::string_view key) { return time_text(number_at(object, key)); }

double estimated(const Json& candidate, std::string_view part_of_it) {
  return number_at(part(candidate, "estimate"), part_of_it);
}

// Whether a request could start there, now or later.
bool is_open(const Json& candidate) {
  const auto readiness = text_at(candidate, "readiness");
  return readiness == "ready" || readiness == "busy" || readiness == "cold";
}

// The chosen one, then the others by cost, those that were closed last.
std::vector<const Json*> ranked(const Json& decision) {
  auto candidates = elements(decision, "candidates");
  std::ranges::sort(candidates, {}, [](const Json* candidate) {  // of equals the one that the document has first
    return std::tuple(!flag_at(*candidate, "chosen"), !is_open(*candidate), estimated(*candidate, "cost_s"), candidate);
  });
  return candidates;
}

std::string name_of_candidate(const Json& candidate) { return std::string(text_at(candidate, "node", "?")); }

// What of its time there is not work: ` (a load of 3.00 s)`.
std::string delay_text(const Json& candidate) {
  const double load = estimated(candidate, "load_s"), wait = estimated(candidate, "wait_s");
  if (load > 0 && load >= wait) return fmt::format(" (a load of {})", time_text(load));
  return wait > 0 ? fmt::format(" (a wait of {})", time_text(wait)) : "";
}

// `gpu-2, in 4.90 s (a load of 3.00 s)`.
std::string promise_of(const Json& candidate) {
  return fmt::format("{}, in {}{}", name_of_candidate(candidate), time_text(estimated(candidate, "total_s")),
                     delay_text(candidate));
}

// Why somebody who would have been sooner was not chosen.
std::string objection_to(const Json& other, const Json& chosen) {
  if (estimated(other, "total_s") >= estimated(chosen, "total_s")) return "";
  const double harm = estimated(other, "harm_s") - estimated(chosen, "harm_s");
  if (harm > 0) return fmt::format(", at {} more for those that run there", time_text(harm));
  if (estimated(other, "late_s") > estimated(chosen, "late_s")) return ", but its first token would be late";
  if (estimated(other, "wait_s") > 0) return ", but waits count for more";
  return ", but less by its weight";
}

std::string start_sentence(const Json& decision, const std::vector<const Json*>& candidates) {
  const auto node = text_at(decision, "node", "?"), reason = text_at(decision, "reason");
  if (reason == "pinned") return fmt::format("took {}, which it had to take.", node);
  if (reason == "only_one") return fmt::format("took {}, the only node that could serve it.", node);
  const bool knows = !candidates.empty() && flag_at(*candidates.front(), "chosen");
  if (!knows || member(*candidates.front(), "estimate") == nullptr) {
    return fmt::format("took {}, chosen by {} among {} candidates.", node, reason,
                       human_count(count_at(decision, "candidates_in_all")));
  }
  const Json& chosen = *candidates.front();
  std::string text = fmt::format("took {} because it was expected to have the answer in {}{}", node,
                                 time_text(estimated(chosen, "total_s")), delay_text(chosen));
  if (candidates.size() > 1 && is_open(*candidates[1])) {
    text += fmt::format("; the next best, {}{}", promise_of(*candidates[1]), objection_to(*candidates[1], chosen));
  }
  return text + ".";
}

std::string sentence(const Json& decision, const std::vector<const Json*>& candidates) {
  const auto state = text_at(decision, "state");
  const std::string waited = time_text(decision, "waited_s");
  if (state == "left") return fmt::format("left after it had waited for {}.", waited);
  if (state == "refused") {
    std::string why(text_at(decision, "refused", "?"));
    std::ranges::replace(why, '_', ' ');
    return fmt::format("was refused after {}: {}.", waited, why);
  }
  if (state != "waiting") return start_sentence(decision, candidates);
  std::string text = fmt::format("has waited for {}", waited);
  const bool knows = !candidates.empty() && member(*candidates.front(), "estimate") != nullptr;
  if (knows && is_open(*candidates.front())) text += fmt::format("; best was {}", promise_of(*candidates.front()));
  return text + ".";
}

// ` (+12 %)`, where the document says by how much.
std::string error_text(const Json& decision, std::string_view key) {
  const Json& errors = part(decision, "error_percent");
  if (member(errors, key) == nullptr) return "";
  return fmt::format(" ({:+.0f} %)", std::clamp(number_at(errors, key), -100.0, 1e6));
}

// What it took, and what was expected.
std::string took_text(const Json& decision, const Json* chosen, std::string_view error, std::string_view part_of_it) {
  std::string text = time_text(part(decision, "took"), part_of_it);
  if (chosen == nullptr || member(*chosen, "estimate") == nullptr) return text;
  return text + fmt::format(", expected {}{}", time_text(estimated(*chosen, part_of_it)), error_text(decision, error));
}

std::string told_text(const Json& decision) {
  const Json* told = member(decision, "told");
  if (told == nullptr) return "";
  const std::string place = fmt::format("as number {} of its line", human_count(count_at(*told, "position")));
  if (member(*told, "wait_s") == nullptr) return ", " + place;
  return fmt::format(", told {} {}", time_text(*told, "wait_s"), place);
}

void append_table(std::string& text, const Json& decision, const std::vector<const Json*>& candidates,
                  const Style& style) {
  const bool priced = !candidates.empty() && member(*candidates.front(), "estimate") != nullptr;
  std::vector<Column> columns{{.title = ""},
                              {.title = "NODE"},
                              {.title = "STATE"},
                              {.title = "IN FLIGHT", .right = true},
                              {.title = "WEIGHT", .right = true}};
  constexpr std::pair<std::string_view, std::string_view> kParts[] = {
      {"COST", "cost_s"},     {"TOTAL", "total_s"}, {"WAIT", "wait_s"}, {"LOAD", "load_s"},  {"PROMPT", "prompt_s"},
      {"ANSWER", "answer_s"}, {"HARM", "harm_s"},   {"LATE", "late_s"}, {"SAVED", "saved_s"}};
  if (priced) {
    for (const auto& [title, key] : kParts) columns.push_back({.title = title, .right = true});
  }
  Table table(std::move(columns), style);
  for (const Json* candidate : candidates) {
    std::vector<Piece> row{{flag_at(*candidate, "chosen") ? "*" : ""},
                           {name_of_candidate(*candidate)},
                           {std::string(text_at(*candidate, "readiness", kNone))},
                           {fmt::format("{}/{}", count_at(*candidate, "in_flight"), count_at(*candidate, "slots"))},
                           {fmt::format("{:.3g}", number_at(*candidate, "weight"))}};
    if (priced) {
      for (const auto& [title, key] : kParts) {
        const double time = estimated(*candidate, key);
        row.push_back({time > 0 ? time_text(time) : std::string(kNone)});
      }
    }
    table.add(std::move(row));
  }
  text.append("\n").append(table.titles(kAnyWidth)).append("\n");
  for (const std::string& line : table.lines(kAnyWidth)) text.append(line).append("\n");
  const std::int64_t more = count_at(decision, "candidates_in_all") - static_cast<std::int64_t>(candidates.size());
  if (more > 0) text += fmt::format("and {} more\n", human_count(more));
}

}  // namespace

std::string why_text(const Json& answer, const Style& style) {
  std::string text;
  const auto add = [&](std::initializer_list<Piece> pieces) {
    text.append(line_of(std::span(pieces.begin(), pieces.size()), kAnyWidth, style)).append("\n");
  };
  const auto add_field = [&](std::string_view what, std::string value) {
    add({{fmt::format("{:<10}", what), Paint::dim}, {std::move(value)}});
  };
  const auto decisions = elements(answer, "decisions");
  for (std::size_t i = 0; i < decisions.size(); ++i) {
    const Json& decision = *decisions[i];
    const auto candidates = ranked(decision);
    const bool has_chosen = !candidates.empty() && flag_at(*candidates.front(), "chosen");
    const Json* const chosen = has_chosen ? candidates.front() : nullptr;
    if (i > 0) text += "\n";
    const std::string which = decisions.size() > 1 ? fmt::format(", attempt {},", i + 1) : "";
    add({{std::string(text_at(answer, "request", "?")) + which + " " + sentence(decision, candidates)}});
    text += "\n";
    add_field("Model", short_model(text_at(decision, "model", kNone)));
    add_field("Policy",
              fmt::format("{}, route {}", text_at(decision, "policy", kNone), text_at(decision, "route", kNone)));
    add_field("Decided", fmt::format("{} ago, at {}", human_duration(number_at(decision, "age_s")),
                                     text_at(decision, "at", kNone)));
    const std::string waited = number_at(decision, "waited_s") > 0 ? time_text(decision, "waited_s") : "not at all";
    add_field("Waited", waited + told_text(decision) + error_text(decision, "wait"));
    if (member(decision, "running_s") != nullptr) add_field("Running", time_text(decision, "running_s"));
    if (const Json* took = member(decision, "took")) {
      add_field("Outcome", std::string(text_at(decision, "outcome", kNone)));
      add_field("Took", took_text(decision, chosen, "total", "total_s"));
      if (member(*took, "prompt_s") != nullptr)
        add_field("  prompt", took_text(decision, chosen, "prompt", "prompt_s"));
      if (member(*took, "answer_s") != nullptr)
        add_field("  answer", took_text(decision, chosen, "answer", "answer_s"));
    }
    if (!candidates.empty()) append_table(text, decision, candidates, style);
  }
  return text;
}

}  // namespace drover::cli
