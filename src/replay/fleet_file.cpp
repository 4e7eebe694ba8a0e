#include "replay/fleet_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

#include "base/ascii.h"
#include "config/document.h"
#include "config/reader.h"
#include "engine/card.h"
#include "replay/models.h"

namespace drover::replay {
namespace {

constexpr std::uint64_t kMostNodes = 1'000;
constexpr std::uint64_t kMostContext = 1'048'576;

// An element of `nodes`.
struct NodeEntry {
  std::string name{};
  std::string card{};
  std::uint32_t count = 1;
  std::optional<std::uint32_t> slots{};
  std::optional<std::uint32_t> context{};
  std::uint32_t max_loaded = 3;
  std::vector<std::string> models{};
};

std::string card_names() {
  std::vector<std::string_view> names;
  for (const engine::Card& card : engine::cards()) names.push_back(card.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

void bind_entry(config::Binder& binder, NodeEntry& entry) {
  binder.text({"name", "of the machine, or the beginning of its name where there are several"}, entry.name,
              [&](std::string_view text) -> std::optional<std::string> {
                entry.name = text;
                return text.empty() ? std::optional<std::string>("is empty; expected a name") : std::nullopt;
              });
  binder.text({"card", "what it runs on"}, entry.card, [&](std::string_view text) -> std::optional<std::string> {
    entry.card = text;
    if (engine::card_named(text) != nullptr) return std::nullopt;
    return fmt::format("{:?} is no card; expected one of {}", text, card_names());
  });
  binder.whole({"count", "how many of them"}, entry.count, 1, kMostNodes);
  binder.whole_or_auto({"slots", "requests that it runs at once for one model"}, entry.slots, 1, 1'024);
  binder.whole_or_auto({"context", "tokens of each slot"}, entry.context, 512, kMostContext);
  binder.whole({"max_loaded", "models in its memory at once"}, entry.max_loaded, 1, 64);
  binder.texts({"models", "that it holds"}, entry.models, [&](std::string_view text) -> std::optional<std::string> {
    entry.models.emplace_back(text);
    if (model_named(text) != nullptr) return std::nullopt;
    std::vector<std::string_view> known;
    for (const sim::ModelSettings& model : models()) known.push_back(model.spec.name);
    return fmt::format("{:?} is no model; expected one of {}", text, fmt::join(known, ", "));
  });
}

void add_entry(Fleet& fleet, const NodeEntry& entry, const Needs& needs) {
  sim::NodeSettings node = node_on(entry.card, {.models = entry.models.empty() ? needs.models : entry.models,
                                                .context = entry.context.value_or(needs.context)});
  if (entry.slots) node.slots = *entry.slots;
  node.max_loaded = entry.max_loaded;
  for (std::uint32_t i = 0; i < entry.count; ++i) {
    node.name = !entry.name.empty() && entry.count == 1
                    ? entry.name
                    : free_name(fleet, entry.name.empty() ? entry.card : entry.name);
    fleet.push_back(node);
  }
}

// `add 1 x fast`, `remove 1 x studio`.
struct Change {
  bool adds;
  std::size_t count;
  std::string what;  // a card; what is removed may also be named as it is in the fleet
  bool names(const sim::NodeSettings& node) const {
    return node.card == what || node.name == what || node.name.starts_with(what + "-");
  }
};
std::optional<Change> read_change(std::string_view text) {
  const auto word = [&text] {
    text = ascii::trim(text, " ");
    const std::string_view first = text.substr(0, text.find(' '));
    text.remove_prefix(first.size());
    return first;
  };
  const std::string_view verb = word();
  const std::string_view number = word();
  const std::string_view times = word();
  const std::string_view what = word();
  std::size_t count = 0;
  const auto read = std::from_chars(number.data(), number.data() + number.size(), count);
  const bool whole = read.ec == std::errc{} && read.ptr == number.data() + number.size();
  const bool adds = verb == "add";
  const bool known = adds ? engine::card_named(what) != nullptr : !what.empty();
  if ((!adds && verb != "remove") || !whole || count == 0 || count > kMostNodes || times != "x" || !known ||
      !ascii::trim(text, " ").empty()) {
    return std::nullopt;
  }
  return Change{.adds = adds, .count = count, .what = std::string(what)};
}

// Of an element of `nodes`.
config::Place place_of(const config::Document& document, std::size_t index) {
  const auto nodes = std::ranges::find(document.root.entries, "nodes", &config::Entry::key);
  return nodes->value.list[index].place;
}

Error invalid(std::string what) { return {ErrorCode::invalid, Side::gateway, std::move(what)}; }

}  // namespace

std::expected<Fleet, std::vector<config::ConfigError>> parse_fleet(std::string_view text, const std::string& filename,
                                                                   const Needs& needs) {
  const auto document = config::parse_document(text, filename);
  if (!document) return std::unexpected(std::vector{document.error()});
  config::ReadState state{.filename = filename, .source = text, .faults = {}, .places = {}};
  std::vector<NodeEntry> entries;
  config::Reader reader(state, document->root, "");
  reader.list({"nodes", "the machines"},
              {.count = 0,
               .shorthand = "card",
               .resize = [&](std::size_t size) { entries.assign(size, NodeEntry{}); },
               .element = [&](config::Binder& inner, std::size_t i) { bind_entry(inner, entries[i]); }});
  reader.finish();
  if (entries.empty() && state.faults.empty()) {
    state.fault({.line = 1, .column = 1}, "nodes", "value", "there are no nodes; expected a list of cards");
  }
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const std::string path = fmt::format("nodes[{}]", i);
    const NodeEntry& entry = entries[i];
    if (entry.card.empty()) {
      state.fault(place_of(*document, i), path + ".card", "value",
                  fmt::format("{}.card is missing; expected one of {}", path, card_names()));
    }
    if (!entry.name.empty() && !names.insert(entry.name).second) {
      state.fault(state.places.at(path + ".name"), path + ".name", "value",
                  fmt::format("{}.name is {:?}, which another one has; expected another", path, entry.name));
    }
  }
  if (!state.faults.empty()) return std::unexpected(std::move(state.faults));
  Fleet fleet;
  for (const NodeEntry& entry : entries) add_entry(fleet, entry, needs);
  return fleet;
}

Result<void> change_fleet(Fleet& fleet, std::string_view text, const Needs& needs) {
  while (true) {
    const auto comma = text.find(',');
    const std::string_view part = ascii::trim(text.substr(0, comma), " ");
    const auto change = read_change(part);
    if (!change) {
      return invalid(
          fmt::format("{:?} is no change of a fleet; expected one as \"add 1 x fast\" or \"remove 2 x slow\", "
                      "with one of the cards {}",
                      part, card_names()));
    }
    for (std::size_t i = 0; i < change->count; ++i) {
      if (change->adds) {
        add_entry(fleet, {.card = change->what}, needs);
        continue;
      }
      const auto last =
          std::find_if(fleet.rbegin(), fleet.rend(), [&](const auto& node) { return change->names(node); });
      if (last == fleet.rend()) return invalid(fmt::format("{:?}: the fleet has no more of them", part));
      fleet.erase(std::next(last).base());
    }
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  if (fleet.empty()) return invalid("nothing of the fleet would be left");
  return {};
}

}  // namespace drover::replay
