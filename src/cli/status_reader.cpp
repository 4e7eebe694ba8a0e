#include "cli/status_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "api/model_name.h"
#include "cli/human.h"

namespace drover::cli {
namespace {

std::string why_words(std::string_view why) {
  if (why == "probes_failed") return "does not answer";
  if (why == "error_ratio") return "too many requests failed";
  if (why == "last_capable") return "failing, but nobody else has its model";
  if (why == "interval_over") return "on trial after an outage";
  if (why == "answers_slow") return "slower than it was";
  if (why == "probes_passed") return "answers again";
  std::string words(why);
  std::ranges::replace(words, '_', ' ');
  return words;
}

// When the last one of a model's line is expected to start.
std::string last_start_text(const Json& model) {
  const double wait = number_at(model, "last_starts_in_s", -1);
  return wait < 0 ? "" : fmt::format(", the last starts in {}", human_duration(wait));
}

bool serves(const Json& runner, std::string_view model) {
  return std::ranges::any_of(elements(runner, "models"), [&](const Json* name) { return *name == model; });
}

}  // namespace

std::vector<const Json*> elements(const Json& object, std::string_view key) {
  std::vector<const Json*> result;
  const Json* array = member(object, key);
  if (array == nullptr || !array->is_array()) return result;
  for (const Json& element : *array) result.push_back(&element);
  return result;
}

const Json& part(const Json& object, std::string_view key) {
  static const Json kNothing = Json::object();
  const Json* found = member(object, key);
  return found == nullptr ? kNothing : *found;
}

std::vector<const Json*> urgent_first(const std::vector<const Json*>& elements,
                                      const std::function<bool(const Json&)>& urgent) {
  std::vector<const Json*> result;
  for (const bool wanted : {true, false}) {
    std::ranges::copy_if(elements, std::back_inserter(result),
                         [&](const Json* element) { return urgent(*element) == wanted; });
  }
  return result;
}

std::int64_t count_at(const Json& object, std::string_view key) {
  constexpr std::int64_t kLargest = 1'000'000'000'000'000;
  return std::clamp<std::int64_t>(integer_at(object, key), 0, kLargest);
}

std::string short_model(std::string_view key) {
  const auto name = api::parse_model_name(key);
  std::string text = name ? name->display() : std::string(key);
  if (text.ends_with(":latest")) text.resize(text.size() - std::string_view(":latest").size());
  return text;
}

std::string models_of(const Json& runner) {
  std::string text;
  for (const Json* model : elements(runner, "models")) {
    if (!model->is_string()) continue;
    if (!text.empty()) text += ", ";
    text += short_model(model->get_ref<const std::string&>());
  }
  return text.empty() ? "(a model that was removed)" : text;
}

std::vector<const Json*> runners_in_use(const Json& node) {
  auto runners = elements(node, "runners");
  const auto loading = text_at(part(node, "loading"), "model");  // that has a line of its own
  std::erase_if(runners, [&](const Json* runner) {
    if (flag_at(*runner, "resident")) return false;
    return count_at(*runner, "in_flight") == 0 || (!loading.empty() && serves(*runner, loading));
  });
  return runners;
}

std::string name_of(const Json& node) {
  std::string name(text_at(node, "name", "?"));
  if (flag_at(node, "simulated")) name += " (simulated)";
  return name;
}

bool is_up(const Json& node) {
  const auto health = text_at(node, "health");
  return flag_at(node, "reachable") && !health.empty() && health != "offline";
}

Piece health_of(const Json& node) {
  const auto health = text_at(node, "health", "unknown");
  Piece piece{.text = std::string(health), .paint = Paint::warning};
  if (health == "stable") piece.paint = Paint::good;
  if (health == "offline") piece.paint = Paint::bad;
  if (flag_at(node, "draining")) piece.text += ", draining";
  return piece;
}

Piece health_and_why(const Json& node) {
  Piece piece = health_of(node);
  const auto why = text_at(node, "why");
  if (text_at(node, "health") != "stable" && !why.empty()) piece.text += fmt::format(" ({})", why_words(why));
  return piece;
}

SlotUse slots_of(const Json& node) {
  SlotUse use{.used = count_at(node, "in_flight")};
  for (const Json* runner : runners_in_use(node)) {
    use.slots += count_at(*runner, "slots");
    use.automatic = use.automatic || flag_at(*runner, "automatic_slots");
  }
  return use;
}

std::string slots_text(const SlotUse& use) {
  if (use.slots <= 0) return use.used > 0 ? human_count(use.used) : std::string(kNone);
  return fmt::format("{}/{}{}", use.used, use.slots, use.automatic ? " auto" : "");
}

std::optional<std::pair<std::string, std::string>> loading_of(const Json& node) {
  const Json& loading = part(node, "loading");
  const auto model = text_at(loading, "model");
  if (model.empty()) return std::nullopt;
  const auto evicts = text_at(loading, "evicts");
  const bool begun = evicts.empty() || flag_at(loading, "begun");
  std::string text = begun ? "loading" : fmt::format("waiting until {} is idle,", short_model(evicts));
  text += " for " + human_duration(number_at(loading, "for_s"));
  if (begun && !evicts.empty()) text += " in place of " + short_model(evicts);
  return std::pair(short_model(model), std::move(text));
}

std::string models_text(const Json& node) {
  std::string text;
  if (const auto loading = loading_of(node)) text = fmt::format("{} ({})", loading->first, loading->second);
  for (const Json* runner : runners_in_use(node)) {
    if (!text.empty()) text += ", ";
    text += models_of(*runner);
  }
  return text;
}

std::string processor_text(const Json& runner) {
  const std::int64_t size = count_at(runner, "size"), vram = count_at(runner, "size_vram");
  if (size <= 0) return std::string(kNone);
  if (vram >= size) return "100% GPU";
  if (vram <= 0) return "100% CPU";
  const auto gpu = std::clamp(std::lround(100 * static_cast<double>(vram) / static_cast<double>(size)), 1L, 99L);
  return fmt::format("{}%/{}% CPU/GPU", 100 - gpu, gpu);
}

Requests requests_of(const Json& status) {
  const Json& counts = part(status, "requests");
  const Json& ended = part(counts, "ended");
  Requests requests;
  requests.accepted = requests.open = count_at(counts, "accepted");
  for (const std::string_view outcome : {"ok", "refused", "failed", "cancelled", "truncated"}) {
    requests.ended.emplace_back(outcome, count_at(ended, outcome));
    requests.open -= requests.ended.back().second;
  }
  requests.open = std::max<std::int64_t>(requests.open, 0);
  return requests;
}

std::vector<Piece> outcome_pieces(const Requests& requests) {
  std::vector<Piece> pieces;
  for (const auto& [outcome, count] : requests.ended) {
    if (count == 0 && outcome != "ok") continue;
    if (!pieces.empty()) pieces.push_back({", "});
    const bool ours = outcome == "failed" || outcome == "truncated";  // what a client must see as an error
    pieces.push_back({fmt::format("{} {}", human_count(count), outcome), ours ? Paint::bad : Paint::plain});
  }
  return pieces;
}

std::string outcome_text(const Requests& requests) {
  std::string text;
  for (const Piece& piece : outcome_pieces(requests)) text += piece.text;
  return text;
}

std::string queue_text(const Json& status) {
  const Json& queue = part(status, "queue");
  return fmt::format("{} waiting, {} in flight", human_count(count_at(queue, "waiting")),
                     human_count(count_at(queue, "in_flight")));
}

std::string retries_text(const Json& status) {
  const Json& queue = part(status, "queue");
  return fmt::format("{} of {} retries in use", count_at(queue, "retries"), count_at(queue, "retry_limit"));
}

std::string tenants_text(const Json& status) {
  std::string text;
  for (const Json* tenant : elements(part(status, "queue"), "tenants")) {
    if (count_at(*tenant, "waiting") == 0) continue;
    text += fmt::format("{}{} {} waiting (weight {:.3g})", text.empty() ? "" : ", ", text_at(*tenant, "name", "?"),
                        human_count(count_at(*tenant, "waiting")), number_at(*tenant, "weight", 1));
  }
  return text;
}

Table model_table(const Json& status, const Style& style) {
  const auto models = urgent_first(elements(part(status, "queue"), "models"),
                                   [](const Json& model) { return count_at(model, "waiting") > 0; });
  Table table({{.title = "", .least = 10}, {.title = "", .right = true}, {.title = "", .right = true}, {.title = ""}},
              style);
  for (const Json* model : models) {
    const double oldest = number_at(*model, "oldest_s", -1);
    table.add({{"  " + short_model(text_at(*model, "model", "?"))},
               {fmt::format("{} waiting", human_count(count_at(*model, "waiting")))},
               {fmt::format("{} in flight", human_count(count_at(*model, "in_flight")))},
               {oldest < 0 ? "" : fmt::format("oldest {}", human_duration(oldest)) + last_start_text(*model)}});
  }
  return table;
}

bool has_simulated(const std::vector<const Json*>& nodes) {
  return std::ranges::any_of(nodes, [](const Json* node) { return flag_at(*node, "simulated"); });
}

std::optional<double> request_rate(const Json& now, const Json* before, double between) {
  if (before == nullptr || between <= 0) return std::nullopt;
  const auto accepted = requests_of(now).accepted - requests_of(*before).accepted;
  return static_cast<double>(std::max<std::int64_t>(accepted, 0)) / between;
}

}  // namespace drover::cli
