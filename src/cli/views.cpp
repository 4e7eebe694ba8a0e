#include "cli/views.h"

#include <map>

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/ascii.h"
#include "cli/human.h"
#include "cli/status_reader.h"
#include "cli/table.h"

namespace drover::cli {
namespace {

std::string text_or_none(std::string_view text) { return std::string(text.empty() ? kNone : text); }

void append_lines(std::string& text, const std::vector<std::string>& lines) {
  for (const std::string& line : lines) text.append(line).append("\n");
}

// The first model that a command can name: one in memory, else one on the disk of a node that is up. Only what a shell
// takes literally: the name comes from a node, and somebody will paste it.
std::string model_to_paste(const Json& status) {
  std::map<std::string, std::size_t> holders;  // of each model that is on a disk
  for (const Json* node : elements(status, "nodes")) {
    if (!is_up(*node)) continue;
    for (const Json* runner : elements(*node, "runners")) {
      for (const Json* model : elements(*runner, "models")) {
        if (!model->is_string()) continue;
        const std::string name = short_model(model->get_ref<const std::string&>());
        const bool literal = !name.empty() && ascii::is_alnum(name.front()) && std::ranges::all_of(name, [](char c) {
          return ascii::is_alnum(c) || std::string_view("._:/-").contains(c);
        });
        if (!literal) continue;
        if (flag_at(*runner, "resident")) return name;
        ++holders[name];
      }
    }
  }
  // Not in memory anywhere: what most nodes hold is rarely the one giant that takes minutes to load.
  const auto most = std::ranges::max_element(holders, {}, [](const auto& entry) { return entry.second; });
  return most == holders.end() ? "MODEL" : most->first;
}

// Where a client on this machine reaches it: an address to listen on everywhere is none to connect to.
std::string endpoint_to_paste(const Json& status) {
  std::string url(text_at(status, "listen", "http://127.0.0.1:11435"));
  for (const auto& [everywhere, here] : {std::pair("//0.0.0.0:", "//127.0.0.1:"), std::pair("//[::]:", "//[::1]:")}) {
    if (const auto at = url.find(everywhere); at != std::string::npos) {
      url.replace(at, std::string_view(everywhere).size(), here);
    }
  }
  return url;
}

// ---- the table of nodes: first what is one per node, then what is one per model -----------------------------------

constexpr std::size_t kNodeCells = 6;

std::vector<Piece> node_cells(const Json& node) {
  return {{name_of(node)},
          {std::string(text_at(node, "url", kNone))},
          health_and_why(node),
          {text_or_none(text_at(node, "version"))},
          {human_count(count_at(node, "in_flight"))},
          {human_count(count_at(node, "waiting"))}};
}

// What its agent reported: `2 GPUs 42% busy, 61 GB of 150 GB free`.
std::string gpu_text(const Json& gpu) {
  const std::size_t count = elements(gpu, "gpus").size();
  return fmt::format("{} {:.0f}% busy, {} of {} free", count == 1 ? "GPU" : fmt::format("{} GPUs", count),
                     100 * number_at(gpu, "busy"), human_size(count_at(gpu, "memory_free")),
                     human_size(count_at(gpu, "memory_total")));
}

void append_gpus(std::string& text, const std::vector<const Json*>& nodes, const Style& style) {
  std::string gpus;
  for (const Json* node : nodes) {
    const Json* gpu = member(*node, "gpu");
    if (gpu == nullptr) continue;
    const Piece pieces[] = {{fmt::format("{}: {}", text_at(*node, "name", "?"), gpu_text(*gpu))}};
    gpus.append(line_of(pieces, kAnyWidth, style)).append("\n");
  }
  if (!gpus.empty()) text.append("\n").append(gpus);
}

std::vector<std::vector<Piece>> model_cells(const Json& node) {
  std::vector<std::vector<Piece>> rows;
  for (const Json* runner : runners_in_use(node)) {
    const SlotUse use{.used = count_at(*runner, "in_flight"),
                      .slots = count_at(*runner, "slots"),
                      .automatic = flag_at(*runner, "automatic_slots")};
    const std::int64_t size = count_at(*runner, "size");
    rows.push_back({{models_of(*runner)},
                    {slots_text(use)},
                    {text_or_none(size > 0 ? human_size(size) : "")},
                    {processor_text(*runner)}});
  }
  const Piece none{std::string(kNone)};
  if (const auto loading = loading_of(node)) {
    rows.push_back({{loading->first}, none, none, {loading->second, Paint::warning}});
  }
  if (rows.empty()) rows.push_back({none, none, none, none});
  return rows;
}

}  // namespace

std::string status_text(const Json& status, const Style& style) {
  const Requests requests = requests_of(status);
  const auto nodes = elements(status, "nodes");
  std::string text;
  const auto add = [&](std::string_view what, std::string value) {
    const Piece pieces[] = {{fmt::format("{:<10}", what), Paint::dim}, {std::move(value)}};
    text.append(line_of(pieces, kAnyWidth, style)).append("\n");
  };
  add("Endpoint", std::string(text_at(status, "listen", kNone)));
  add("Admin", std::string(text_at(status, "admin", kNone)));
  add("Version", std::string(text_at(status, "version", kNone)));
  add("Policy", std::string(text_at(status, "policy", kNone)));
  add("Uptime", human_duration(number_at(status, "uptime_s")) +
                    (flag_at(status, "draining") ? ", draining: it takes no new requests and will end" : ""));
  add("Requests", fmt::format("{} accepted: {}, {} open", human_count(requests.accepted), outcome_text(requests),
                              human_count(requests.open)));
  add("Queue", fmt::format("{}, {}", queue_text(status), retries_text(status)));
  append_lines(text, model_table(status, style).lines(kAnyWidth));
  if (std::string tenants = tenants_text(status); !tenants.empty()) add("Tenants", std::move(tenants));
  text += "\n";
  if (nodes.empty()) return text.append(kNoNodes).append("\n");

  Table table({{.title = "NODE"},
               {.title = "HEALTH"},
               {.title = "SLOTS"},
               {.title = "WAITING", .right = true},
               {.title = "MODELS IN MEMORY"}},
              style);
  for (const Json* node : nodes) {
    table.add({{name_of(*node)},
               health_and_why(*node),
               {slots_text(slots_of(*node))},
               {human_count(count_at(*node, "waiting"))},
               {text_or_none(models_text(*node))}});
  }
  text.append(table.titles(kAnyWidth)).append("\n");
  append_lines(text, table.lines(kAnyWidth));
  append_gpus(text, nodes, style);
  if (has_simulated(nodes)) text.append("\n").append(kSimulated).append("\n");
  return text;
}

std::string nodes_text(const Json& status, const Style& style) {
  const auto nodes = elements(status, "nodes");
  if (nodes.empty()) return std::string(kNoNodes) + "\n";
  Table table({{.title = "NAME"},
               {.title = "URL"},
               {.title = "HEALTH"},
               {.title = "VERSION"},
               {.title = "IN FLIGHT", .right = true},
               {.title = "WAITING", .right = true},
               {.title = "MODEL"},
               {.title = "SLOTS"},
               {.title = "SIZE", .right = true},
               {.title = "PROCESSOR"}},
              style);
  std::string errors;
  for (const Json* node : nodes) {
    std::vector<Piece> row = node_cells(*node);
    for (auto& model : model_cells(*node)) {
      std::ranges::move(model, std::back_inserter(row));
      table.add(std::exchange(row, std::vector<Piece>(kNodeCells)));
    }
    if (const auto error = text_at(*node, "error"); !error.empty()) {
      const Piece pieces[] = {{fmt::format("{}: {}", text_at(*node, "name", "?"), error), Paint::bad}};
      errors.append(line_of(pieces, kAnyWidth, style)).append("\n");
    }
  }
  std::string text = table.titles(kAnyWidth) + "\n";
  append_lines(text, table.lines(kAnyWidth));
  append_gpus(text, nodes, style);
  if (!errors.empty()) text.append("\n").append(errors);
  if (has_simulated(nodes)) text.append("\n").append(kSimulated).append("\n");
  return text;
}

std::vector<std::string> paste_lines(const Json& status) {
  const std::string model = model_to_paste(status), url = endpoint_to_paste(status);
  const auto scheme = url.find("//");
  const std::string authority = scheme == std::string::npos ? url : url.substr(scheme + 2);
  return {fmt::format("OLLAMA_HOST={} ollama run {}", authority, model),
          fmt::format(R"(curl {}/api/generate -d '{{"model":"{}","prompt":"Hi"}}')", authority, model),
          fmt::format(R"(client = OpenAI(base_url="{}/v1", api_key="unused"))", url)};
}

std::string plain_line(const Json& now, const Json* before) {
  const Requests requests = requests_of(now);
  const auto nodes = elements(now, "nodes");
  const auto up = std::ranges::count_if(nodes, [](const Json* node) { return is_up(*node); });
  std::string text =
      fmt::format("up {}: {} of {} nodes up, ", human_duration(number_at(now, "uptime_s")), up, nodes.size());
  const double between = before == nullptr ? 0 : number_at(now, "uptime_s") - number_at(*before, "uptime_s");
  if (const auto rate = request_rate(now, before, between)) text += human_rate(*rate) + " requests/s, ";
  text += fmt::format("{}, {} in all: {}", queue_text(now), human_count(requests.accepted), outcome_text(requests));
  if (flag_at(now, "draining")) text += ", draining";
  return printable(text, Style{});
}

}  // namespace drover::cli
