// What `drover status`, `drover nodes` and the live screen show.
#include "cli/views.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "cli/human.h"
#include "cli/screen.h"
#include "cli/status_command.h"
#include "cli/status_reader.h"
#include "cli/table.h"

namespace drover::cli {
namespace {

constexpr Style kPlain{.colour = false, .unicode = true};
constexpr Style kAscii{.colour = false, .unicode = false};
constexpr Style kColour{.colour = true, .unicode = true};

// ---- statuses, as gateway::status_json writes them -----------------------------------------------------------------

Json runner(std::string_view model, int in_flight, int slots, std::int64_t size, std::int64_t vram) {
  return {{"models", {fmt::format("registry.ollama.ai/library/{}", model)}},
          {"resident", size > 0},
          {"slots", slots},
          {"automatic_slots", slots == 1},
          {"in_flight", in_flight},
          {"size", size},
          {"size_vram", vram}};
}

Json node(std::string_view name, std::vector<Json> runners = {}) {
  std::int64_t in_flight = 0;
  for (const Json& each : runners) in_flight += integer_at(each, "in_flight");
  return {{"name", name},
          {"url", fmt::format("http://{}:11434", name)},
          {"simulated", false},
          {"version", "0.34.4"},
          {"reachable", true},
          {"health", "stable"},
          {"why", "probes_passed"},
          {"draining", false},
          {"in_flight", in_flight},
          {"waiting", 0},
          {"runners", std::move(runners)}};
}

Json offline(std::string_view name) {
  Json result = node(name);
  result["version"] = "";
  result["reachable"] = false;
  result["error"] = "GET /api/version on 10.0.0.2:11434: connect_refused";
  result["health"] = "offline";
  result["why"] = "not_probed_yet";
  return result;
}

Json loading(Json node, std::string_view model) {
  node["runners"].push_back(runner(model, 0, 1, 0, 0));
  node["loading"] = {{"model", fmt::format("registry.ollama.ai/library/{}", model)}, {"for_s", 12.3}};
  return node;
}

Json simulated(Json node) {
  node["simulated"] = true;
  return node;
}

Json status(std::vector<Json> nodes) {
  return {{"version", "0.1.0"},
          {"listen", "http://127.0.0.1:11435"},
          {"admin", "http://127.0.0.1:11436"},
          {"policy", "least_connections"},
          {"uptime_s", 192.4},
          {"draining", false},
          {"nodes", std::move(nodes)},
          {"queue", {{"waiting", 0}, {"in_flight", 0}, {"retries", 0}, {"retry_limit", 3}, {"models", Json::array()}}},
          {"requests",
           {{"accepted", 1234},
            {"ended", {{"cancelled", 20}, {"failed", 1}, {"ok", 1200}, {"refused", 4}, {"truncated", 0}}}}}};
}

Json with_queue(Json status) {
  status["queue"] = {
      {"waiting", 3},
      {"in_flight", 3},
      {"retries", 1},
      {"retry_limit", 3},
      {"models",
       {{{"model", "registry.ollama.ai/library/gemma3:4b"}, {"waiting", 0}, {"in_flight", 1}},
        {{"model", "registry.ollama.ai/library/llama3.1:8b"}, {"waiting", 3}, {"in_flight", 2}, {"oldest_s", 4.21}}}}};
  return status;
}

Json busy_status() {
  return with_queue(status(
      {node("gpu-1", {runner("llama3.1:8b", 2, 4, 6'200'000'000, 6'200'000'000),
                      runner("gemma3:4b", 1, 1, 3'300'000'000, 1'980'000'000), runner("phi4:latest", 0, 1, 0, 0)}),
       offline("gpu-2"), simulated(loading(node("fast"), "qwen3:latest"))}));
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

std::string without_colours(std::string_view text) {
  std::string plain;
  while (!text.empty()) {
    if (text.starts_with("\x1b[")) {
      text.remove_prefix(text.find('m') + 1);
    } else {
      plain += text.front();
      text.remove_prefix(1);
    }
  }
  return plain;
}

// ---- drover status -------------------------------------------------------------------------------------------------

TEST(StatusText, shows_requests_queue_and_nodes) {
  EXPECT_EQ(status_text(busy_status(), kPlain), R"(Endpoint  http://127.0.0.1:11435
Admin     http://127.0.0.1:11436
Version   0.1.0
Policy    least_connections
Uptime    3m12s
Requests  1,234 accepted: 1,200 ok, 4 refused, 1 failed, 20 cancelled, 9 open
Queue     3 waiting, 3 in flight, 1 of 3 retries in use
  llama3.1:8b  3 waiting  2 in flight  oldest 4.2s
  gemma3:4b    0 waiting  1 in flight

NODE              HEALTH                    SLOTS     WAITING  MODELS IN MEMORY
gpu-1             stable                    3/5 auto        0  llama3.1:8b, gemma3:4b
gpu-2             offline (not probed yet)  -               0  -
fast (simulated)  stable                    -               0  qwen3 (loading for 12s)

Simulated nodes make their answers up. Name real ones with --node URL.
)");
}

TEST(StatusText, shows_what_makes_room_for_a_load) {
  Json busy = loading(node("gpu-1"), "qwen3:latest");
  busy["loading"]["evicts"] = "registry.ollama.ai/library/gemma3:4b";
  busy["loading"]["begun"] = false;
  EXPECT_EQ(models_text(busy), "qwen3 (waiting until gemma3:4b is idle, for 12s)");
  busy["loading"]["begun"] = true;
  EXPECT_EQ(models_text(busy), "qwen3 (loading for 12s in place of gemma3:4b)");
}

TEST(StatusText, shows_who_waits_and_for_how_long) {
  Json busy = busy_status();
  busy["queue"]["models"][1]["last_starts_in_s"] = 12.5;
  busy["queue"]["tenants"] = {{{"name", "alice"}, {"weight", 2.0}, {"waiting", 1200}},
                              {{"name", "nobody"}, {"weight", 1.0}, {"waiting", 0}},
                              {{"name", "bob"}, {"weight", 1.0}, {"waiting", 1}}};
  const std::string text = status_text(busy, kPlain);
  EXPECT_NE(text.find("oldest 4.2s, the last starts in 12s\n"), std::string::npos) << text;
  EXPECT_NE(text.find("Tenants   alice 1,200 waiting (weight 2), bob 1 waiting (weight 1)\n\n"), std::string::npos)
      << text;
}

TEST(StatusText, says_what_to_do_without_nodes) {
  const std::string text = status_text(status({}), kPlain);
  EXPECT_TRUE(text.ends_with("\n\nNo nodes. Name one: 'drover up --node URL', or `nodes:` in drover.yaml.\n")) << text;
}

TEST(StatusText, says_that_the_gateway_drains) {
  Json draining = status({node("gpu-1")});
  draining["draining"] = true;
  EXPECT_NE(status_text(draining, kPlain).find("Uptime    3m12s, draining"), std::string::npos);
}

TEST(StatusText, colours_only_when_asked_to) {
  EXPECT_EQ(status_text(busy_status(), kPlain).find('\x1b'), std::string::npos);
  const std::string coloured = status_text(busy_status(), kColour);
  EXPECT_NE(coloured.find("\x1b[32mstable\x1b[0m"), std::string::npos) << coloured;
  EXPECT_EQ(without_colours(coloured), status_text(busy_status(), kPlain));
}

// ---- drover nodes --------------------------------------------------------------------------------------------------

TEST(NodesText, shows_models_slots_and_what_is_wrong) {
  EXPECT_EQ(
      nodes_text(busy_status(), kPlain),
      R"(NAME              URL                 HEALTH                    VERSION  IN FLIGHT  WAITING  MODEL        SLOTS       SIZE  PROCESSOR
gpu-1             http://gpu-1:11434  stable                    0.34.4           3        0  llama3.1:8b  2/4       6.2 GB  100% GPU
                                                                                             gemma3:4b    1/1 auto  3.3 GB  40%/60% CPU/GPU
gpu-2             http://gpu-2:11434  offline (not probed yet)  -                0        0  -            -              -  -
fast (simulated)  http://fast:11434   stable                    0.34.4           0        0  qwen3        -              -  loading for 12s

gpu-2: GET /api/version on 10.0.0.2:11434: connect_refused

Simulated nodes make their answers up. Name real ones with --node URL.
)");
}

TEST(NodesText, is_short_when_all_is_well) {
  EXPECT_EQ(nodes_text(status({node("gpu-1", {runner("all-minilm:latest", 0, 1, 45'000'000, 0)})}), kPlain),
            R"(NAME   URL                 HEALTH  VERSION  IN FLIGHT  WAITING  MODEL       SLOTS      SIZE  PROCESSOR
gpu-1  http://gpu-1:11434  stable  0.34.4           0        0  all-minilm  0/1 auto  45 MB  100% CPU
)");
}

TEST(NodesText, tells_what_agents_report) {
  Json one = node("gpu-1"), two = node("gpu-2");
  const Json gpu{{"name", "x"}};
  one["gpu"] = {
      {"busy", 0.42}, {"memory_free", 61'000'000'000}, {"memory_total", 150'000'000'000}, {"gpus", {gpu, gpu}}};
  two["gpu"] = {
      {"busy", 0}, {"memory_free", 8'000'000'000}, {"memory_total", 8'000'000'000}, {"gpus", Json::array({gpu})}};
  const std::string_view told =
      "\n\ngpu-1: 2 GPUs 42% busy, 61 GB of 150 GB free\ngpu-2: GPU 0% busy, 8.0 GB of 8.0 GB free\n";
  for (const std::string& text : {nodes_text(status({one, two}), kPlain), status_text(status({one, two}), kPlain)}) {
    EXPECT_TRUE(text.ends_with(told)) << text;
  }
}

struct HealthCase {
  std::string_view health, why;
  bool draining;
  std::string_view shown;
};
constexpr HealthCase kHealthCases[] = {
    {"stable", "probes_passed", false, "stable"},
    {"stable", "probes_passed", true, "stable, draining"},
    {"degraded", "error_ratio", false, "degraded (too many requests failed)"},
    {"degraded", "last_capable", false, "degraded (failing, but nobody else has its model)"},
    {"offline", "probes_failed", false, "offline (does not answer)"},
    {"offline", "requests_failed", false, "offline (requests failed)"},
    {"recovering", "interval_over", false, "recovering (on trial after an outage)"},
    {"recovering", "a_reason_of_tomorrow", false, "recovering (a reason of tomorrow)"},
};

TEST(NodesText, says_why_a_node_is_not_stable) {
  for (const HealthCase& each : kHealthCases) {
    Json one = node("n");
    one["health"] = each.health;
    one["why"] = each.why;
    one["draining"] = each.draining;
    const std::string text = nodes_text(status({one}), kPlain);
    EXPECT_NE(text.find(fmt::format("  {}  0.34.4", each.shown)), std::string::npos) << each.shown << "\n" << text;
  }
}

// ---- the live screen -----------------------------------------------------------------------------------------------

TEST(ScreenLines, fill_a_common_terminal) {
  Json before = busy_status();
  before["requests"]["accepted"] = 1214;
  EXPECT_EQ(joined(screen_lines(busy_status(), &before, std::chrono::seconds(10), {80, 24}, "/tmp/x.log", kPlain)),
            R"(http://127.0.0.1:11435  up 3m12s  least_connections  drover 0.1.0
2.0 requests/s, 1,234 in all: 1,200 ok, 4 refused, 1 failed, 20 cancelled
3 waiting, 3 in flight, 1 of 3 retries in use
  llama3.1:8b  3 waiting  2 in flight  oldest 4.2s
  gemma3:4b    0 waiting  1 in flight

NODE              HEALTH   SLOTS         WAITING  MODELS
gpu-1             stable   ████░░░░ 3/5        0  llama3.1:8b, gemma3:4b
gpu-2             offline  -                   0  connect_refused
fast (simulated)  stable   -                   0  qwen3 (loading for 12s)

OLLAMA_HOST=127.0.0.1:11435 ollama run llama3.1:8b
curl 127.0.0.1:11435/api/generate -d '{"model":"llama3.1:8b","prompt":"Hi"}'
client = OpenAI(base_url="http://127.0.0.1:11435/v1", api_key="unused")
Simulated nodes make their answers up. Name real ones with --node URL.
Ctrl-C finishes what runs and ends. Access log: /tmp/x.log
)");
}

TEST(ScreenLines, keep_what_matters_most_on_the_smallest_terminal) {
  std::vector<Json> nodes;
  for (int i = 0; i < 9; ++i) nodes.push_back(i == 7 ? offline("gpu-7") : node(fmt::format("gpu-{}", i)));
  EXPECT_EQ(joined(screen_lines(with_queue(status(nodes)), nullptr, {}, {40, 10}, "/tmp/x.log", kAscii)),
            R"(http://127.0.0.1:11435  up 3m12s  leas~
1,234 in all: 1,200 ok, 4 refused, 1 f~
3 waiting, 3 in flight, 1 of 3 retries~
  llama3.1:8b  3 waiting  2 in flight
  gemma3:4b    0 waiting  1 in flight
NODE   HEALTH   SLOTS  MODELS
gpu-7  offline  -      connect_refused
gpu-0  stable   -
gpu-1  stable   -
and 6 more nodes
)");
}

TEST(ScreenLines, invite_to_name_a_node_when_there_is_none) {
  const auto lines = screen_lines(status({}), nullptr, {}, {80, 24}, "/tmp/x.log", kPlain);
  ASSERT_GE(lines.size(), 5U);
  EXPECT_EQ(lines[4], "No nodes. Name one: 'drover up --node URL', or `nodes:` in drover.yaml.");
}

// Names and errors as a node may choose them: wide, combining, broken, hostile.
Json odd_status() {
  return with_queue(
      status({node("グラボ-一号機-東京", {runner("日本語モデル:8b", 1, 4, 1, 1)}),
              node("cafe\xcc\x81-🚀🚀🚀", {runner("x", 99, 100, 5'000'000'000, 5'000'000'000)}),
              offline("\x1b[2J\x07"
                      "bad"),
              simulated(loading(node("a-name-that-is-longer-than-any-column-should-ever-have-to-be-on-a-screen"), "m")),
              node("\xff\xfe broken"), node("rtl-\xe2\x80\xae-flip")}));
}

TEST(ScreenLines, never_pass_the_edges_of_any_terminal) {
  for (const auto& [name, now] : {std::pair("busy", busy_status()), {"odd", odd_status()}}) {
    for (std::size_t columns = 40; columns <= 200; ++columns) {
      for (std::size_t rows = 10; rows <= 60; ++rows) {
        const auto lines = screen_lines(now, &now, std::chrono::seconds(1), {columns, rows}, "/tmp/x.log", kColour);
        ASSERT_LE(lines.size(), rows) << name << " at " << columns << "x" << rows;
        for (const std::string& line : lines) {
          const std::string text = without_colours(line);
          ASSERT_LT(width_of(text), columns) << name << " at " << columns << "x" << rows << ": " << text;
          ASSERT_EQ(text, printable(text, kColour)) << name << " at " << columns << "x" << rows;
        }
      }
    }
  }
}

TEST(ScreenLines, survive_terminals_without_room) {
  for (std::size_t columns = 0; columns < 40; ++columns) {
    for (std::size_t rows = 0; rows < 10; ++rows) {
      const auto lines = screen_lines(odd_status(), nullptr, {}, {columns, rows}, "/tmp/x.log", kPlain);
      ASSERT_LE(lines.size(), rows);
      for (const std::string& line : lines) ASSERT_LE(width_of(line), columns) << columns << "x" << rows << line;
    }
  }
}

TEST(ScreenLines, show_commands_whole_or_not_at_all) {
  for (std::size_t columns = 40; columns <= 120; ++columns) {
    const auto all = paste_lines(busy_status());
    for (const std::string& line : screen_lines(busy_status(), nullptr, {}, {columns, 40}, "/tmp/x.log", kPlain)) {
      for (const std::string_view command : {"OLLAMA_HOST", "curl", "client"}) {
        if (line.starts_with(command)) {
          EXPECT_TRUE(std::ranges::find(all, line) != all.end()) << line;
        }
      }
    }
  }
}

TEST(Views, show_something_for_documents_of_any_shape) {
  for (const char* text : {"{}", "[]", "null",
                           R"({"nodes":[1,null,{},{"runners":[3,{}],"loading":7}],"queue":[],)"
                           R"("requests":{"accepted":-9,"ended":"x"},"uptime_s":-1})"}) {
    const Json document = parse_json(text).value();
    EXPECT_FALSE(status_text(document, kPlain).empty()) << text;
    EXPECT_FALSE(nodes_text(document, kPlain).empty()) << text;
    EXPECT_FALSE(screen_lines(document, &document, std::chrono::seconds(1), {80, 24}, "/tmp/x.log", kPlain).empty())
        << text;
    EXPECT_FALSE(plain_line(document, &document).empty()) << text;
  }
}

// ---- lines ---------------------------------------------------------------------------------------------------------

TEST(PlainLine, says_it_all_in_one_line) {
  Json before = busy_status();
  before["uptime_s"] = 182.4;
  before["requests"]["accepted"] = 1114;
  EXPECT_EQ(plain_line(busy_status(), &before),
            "up 3m12s: 2 of 3 nodes up, 12 requests/s, 3 waiting, 3 in flight, 1,234 in all: 1,200 ok, 4 refused, "
            "1 failed, 20 cancelled");
  EXPECT_EQ(plain_line(status({}), nullptr),
            "up 3m12s: 0 of 0 nodes up, 0 waiting, 0 in flight, 1,234 in all: 1,200 ok, 4 refused, 1 failed, "
            "20 cancelled");
}

TEST(PasteLines, prefer_a_model_in_memory) {
  const Json json = status({node("a", {runner("cold:latest", 0, 1, 0, 0), runner("warm:8b", 0, 1, 9, 9)})});
  EXPECT_EQ(paste_lines(json)[0], "OLLAMA_HOST=127.0.0.1:11435 ollama run warm:8b");
}

TEST(PasteLines, name_nothing_that_a_shell_would_obey) {
  for (const char* name : {"x;reboot", "$(reboot)", "a b", "-rf", "`id`", "'", ""}) {
    Json one = node("a", {runner("m", 0, 1, 9, 9)});
    one["runners"][0]["models"] = {name};
    EXPECT_EQ(paste_lines(status({one}))[0], "OLLAMA_HOST=127.0.0.1:11435 ollama run MODEL") << name;
  }
}

TEST(PasteLines, name_an_address_that_one_can_connect_to) {
  Json json = status({});
  json["listen"] = "http://0.0.0.0:11435";
  EXPECT_EQ(paste_lines(json)[2], R"(client = OpenAI(base_url="http://127.0.0.1:11435/v1", api_key="unused"))");
  json["listen"] = "http://[::]:11435";
  EXPECT_EQ(paste_lines(json)[0], "OLLAMA_HOST=[::1]:11435 ollama run MODEL");
}

// ---- numbers -------------------------------------------------------------------------------------------------------

TEST(Human, reads_numbers_as_people_say_them) {
  for (const auto& [count, text] :
       {std::pair(0, "0"), {999, "999"}, {1000, "1,000"}, {1234567, "1,234,567"}, {-1234, "-1,234"}, {-123, "-123"}}) {
    EXPECT_EQ(human_count(count), text);
  }
  for (const auto& [size, text] : {std::pair(0LL, "0 B"),
                                   {999LL, "999 B"},
                                   {1000LL, "1.0 KB"},
                                   {45'000'000LL, "45 MB"},
                                   {5'240'000'000LL, "5.2 GB"},
                                   {9'960'000'000LL, "10 GB"},
                                   {2'500'000'000'000LL, "2.5 TB"}}) {
    EXPECT_EQ(human_size(size), text);
  }
  for (const auto& [duration, text] : {std::pair(0.0, "0.0s"),
                                       {0.44, "0.4s"},
                                       {9.96, "9.9s"},
                                       {10.9, "10s"},
                                       {59.9, "59s"},
                                       {60.0, "1m00s"},
                                       {192.4, "3m12s"},
                                       {7500.0, "2h05m"},
                                       {273600.0, "3d4h"},
                                       {-1.0, "0.0s"},
                                       {1e300, "0.0s"}}) {
    EXPECT_EQ(human_duration(duration), text);
  }
  for (const auto& [rate, text] : {std::pair(0.0, "0"), {0.52, "0.5"}, {12.4, "12"}, {1234.0, "1,234"}, {-1.0, "0"}}) {
    EXPECT_EQ(human_rate(rate), text);
  }
}

// ---- text on a terminal --------------------------------------------------------------------------------------------

struct WidthCase {
  std::string_view text;
  std::size_t columns;
};
constexpr WidthCase kWidthCases[] = {{"", 0},     {"abc", 3}, {"é", 1},  {"e\xcc\x81", 1}, {"日本", 4},
                                     {"한국", 4}, {"🚀", 2},  {"█░", 2}, {"…", 1},         {"ﬁ", 1}};

TEST(Text, fills_columns_not_bytes) {
  for (const WidthCase& each : kWidthCases) EXPECT_EQ(width_of(each.text), each.columns) << each.text;
}

TEST(Text, is_cut_between_characters_and_shows_it) {
  EXPECT_EQ(fit("abcdef", 6, kPlain), "abcdef");
  EXPECT_EQ(fit("abcdef", 5, kPlain), "abcd…");
  EXPECT_EQ(fit("abcdef", 5, kAscii), "abcd~");
  EXPECT_EQ(fit("日本語", 5, kPlain), "日本…");
  EXPECT_EQ(fit("日本語", 4, kPlain), "日…");  // half of a character is none
  EXPECT_EQ(fit("cafe\xcc\x81s", 5, kPlain), "cafe\xcc\x81s");
  EXPECT_EQ(fit("abc", 1, kPlain), "…");
  EXPECT_EQ(fit("abc", 0, kPlain), "");
}

TEST(Text, cannot_command_the_terminal) {
  EXPECT_EQ(printable("a\x1b[2J\r\n\x7f"
                      "b",
                      kPlain),
            "a\ufffd[2J\ufffd\ufffd\ufffdb");
  EXPECT_EQ(printable("a\xc2\x9b"
                      "31m",
                      kPlain),
            "a\ufffd31m");  // C1: the one-byte CSI
  EXPECT_EQ(printable("a\xe2\x80\xae"
                      "b",
                      kPlain),
            "a\ufffdb");  // right-to-left override
  EXPECT_EQ(printable("\xff\xc0\x80\xe3\x81", kPlain), "\ufffd\ufffd\ufffd\ufffd\ufffd");
  EXPECT_EQ(printable("\xed\xa0\x80", kPlain), "\ufffd\ufffd\ufffd");  // a surrogate
  EXPECT_EQ(printable("日本 é", kPlain), "日本 é");
  EXPECT_EQ(printable("日本 é", kAscii), "?? ?");
}

TEST(Line, shows_where_it_is_cut_even_between_pieces) {
  const Piece pieces[] = {{"abc"}, {"def"}};
  EXPECT_EQ(line_of(pieces, 6, kPlain), "abcdef");
  EXPECT_EQ(line_of(pieces, 5, kPlain), "abcd…");
  EXPECT_EQ(line_of(pieces, 3, kPlain), "ab…");
  EXPECT_EQ(line_of(pieces, 0, kPlain), "");
}

TEST(Table, gives_up_its_last_columns_first) {
  Table table({{.title = "NAME", .least = 4}, {.title = "N", .right = true}, {.title = "MORE", .least = 4}}, kPlain);
  table.add({{"long-name"}, {"12"}, {"what else"}});
  table.add({{"b"}, {"3"}, {""}});
  const auto at = [&](std::size_t room) { return table.titles(room) + "\n" + joined(table.lines(room)); };
  EXPECT_EQ(at(30), "NAME        N  MORE\nlong-name  12  what else\nb           3\n");
  EXPECT_EQ(at(20), "NAME        N  MORE\nlong-name  12  what…\nb           3\n");
  EXPECT_EQ(at(14), "NAME   N  MORE\nlon…  12  wha…\nb      3\n");
  EXPECT_EQ(at(13), "NAME        N\nlong-name  12\nb           3\n");
  EXPECT_EQ(at(3), "NA…\nlo…\nb\n");
}

struct StyleCase {
  std::string_view name;
  bool terminal;
  TerminalVariables variables;
  bool colour, unicode;
};
const StyleCase kStyleCases[] = {
    {"a_terminal", true, {"", "xterm-256color", "de_DE.UTF-8"}, true, true},
    {"a_pipe", false, {"", "xterm-256color", "C"}, false, true},
    {"no_color", true, {"1", "xterm", "C.utf8"}, false, true},
    {"a_dumb_terminal", true, {"", "dumb", "C.UTF-8"}, false, true},
    {"no_term", true, {"", "", "C.UTF-8"}, false, true},
    {"the_c_locale", true, {"", "xterm", "C"}, true, false},
    {"no_locale", true, {"", "xterm", ""}, true, false},
};

TEST(Style, follows_terminal_and_environment) {
  for (const StyleCase& each : kStyleCases) {
    const Style style = style_of(each.terminal, each.variables);
    EXPECT_EQ(style.colour, each.colour) << each.name;
    EXPECT_EQ(style.unicode, each.unicode) << each.name;
  }
}

// ---- a terminal ----------------------------------------------------------------------------------------------------

// A pseudo-terminal of 30x12: `descriptor` is what a program has, and what it writes can be read.
class FakeTerminal {
 public:
  FakeTerminal() : ours_(::posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK)) {
    char path[64] = "";
    if (::grantpt(ours_) != 0 || ::unlockpt(ours_) != 0 || ::ptsname_r(ours_, path, sizeof path) != 0) return;
    descriptor = ::open(path, O_RDWR | O_NOCTTY);
    resize(30, 12);
  }
  ~FakeTerminal() {
    ::close(descriptor);
    ::close(ours_);
  }
  void resize(unsigned short columns, unsigned short rows) {
    const winsize window{.ws_row = rows, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
    EXPECT_EQ(::ioctl(descriptor, TIOCSWINSZ, &window), 0);
  }
  std::string shown() {
    std::string text;
    char buffer[4096];
    for (ssize_t size; (size = ::read(ours_, buffer, sizeof buffer)) > 0;) {
      text.append(buffer, static_cast<std::size_t>(size));
    }
    return text;
  }
  bool echoes() const {
    termios keys{};
    return ::tcgetattr(descriptor, &keys) == 0 && (keys.c_lflag & ECHO) != 0;
  }
  int descriptor = -1;

 private:
  int ours_;
};

TEST(LiveScreen, draws_in_place_and_gives_the_terminal_back) {
  FakeTerminal terminal;
  ASSERT_TRUE(is_terminal(terminal.descriptor));
  ASSERT_TRUE(terminal.echoes());
  {
    LiveScreen screen(terminal.descriptor);
    EXPECT_FALSE(terminal.echoes());
    const std::string taken = terminal.shown();
    EXPECT_TRUE(taken.starts_with("\x1b[?25l")) << "the cursor is hidden";
    EXPECT_EQ(std::ranges::count(taken, '\n'), 12) << "what was there is pushed up";

    const std::vector<std::string> lines{"one", "two"};
    screen.draw(lines);
    EXPECT_EQ(terminal.shown(), "\x1b[Hone\x1b[K\r\r\ntwo\x1b[K\x1b[J") << "one \\r is the terminal's own";

    EXPECT_EQ(screen.size().columns, 30U);
    terminal.resize(100, 50);
    EXPECT_EQ(screen.size().columns, 100U);
    EXPECT_EQ(screen.size().rows, 50U);
  }
  EXPECT_NE(terminal.shown().find("\x1b[?25h"), std::string::npos) << "the cursor is back";
  EXPECT_TRUE(terminal.echoes());
}

TEST(LiveScreen, gives_the_terminal_back_once_however_often_it_is_told_to) {
  FakeTerminal terminal;
  LiveScreen screen(terminal.descriptor);
  terminal.shown();
  LiveScreen::give_back();
  EXPECT_NE(terminal.shown().find("\x1b[?25h"), std::string::npos);
  LiveScreen::give_back();
  EXPECT_EQ(terminal.shown(), "");
}

TEST(LiveScreen, never_waits_for_a_terminal_that_takes_nothing) {
  FakeTerminal terminal;
  LiveScreen screen(terminal.descriptor);
  const std::vector<std::string> lines(50, std::string(200, 'x'));
  for (int i = 0; i < 100; ++i) screen.draw(lines);  // a megabyte; this test ends, or it hangs
  EXPECT_FALSE(terminal.shown().empty());
  screen.draw(lines);
  EXPECT_NE(terminal.shown().find("\x1b[Hx"), std::string::npos) << "it takes up again";
}

TEST(Terminal, is_of_a_common_size_when_it_does_not_say) {
  const int file = ::open("/dev/null", O_RDWR);
  EXPECT_FALSE(is_terminal(file));
  EXPECT_FALSE(can_draw(file));
  EXPECT_EQ(terminal_size(file).columns, 80U);
  EXPECT_EQ(terminal_size(file).rows, 24U);
  ::close(file);
}

// ---- the commands --------------------------------------------------------------------------------------------------

// An address of this machine; answers one request with `answer`, or refuses connections when that is empty.
class FakeAdmin {
 public:
  explicit FakeAdmin(std::string answer) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&at), size), 0);
    EXPECT_EQ(::getsockname(socket_, reinterpret_cast<sockaddr*>(&at), &size), 0);
    address = fmt::format("127.0.0.1:{}", ntohs(at.sin_port));
    if (answer.empty()) return;
    EXPECT_EQ(::listen(socket_, 1), 0);
    thread_ = std::thread([this, text = std::move(answer)] {
      const int client = ::accept(socket_, nullptr, nullptr);
      char buffer[4096];
      EXPECT_GT(::read(client, buffer, sizeof buffer), 0);
      EXPECT_EQ(::write(client, text.data(), text.size()), static_cast<ssize_t>(text.size()));
      ::close(client);
    });
  }
  ~FakeAdmin() {
    if (thread_.joinable()) thread_.join();
    ::close(socket_);
  }
  std::string address;

 private:
  int socket_;
  std::thread thread_;
};

std::string http_answer(std::string_view status_line, std::string_view body) {
  return fmt::format("HTTP/1.1 {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}", status_line,
                     body.size(), body);
}

struct Ran {
  int code;
  std::string out, err;
};

Ran run(int (*command)(const std::string&, bool), const std::string& admin, bool json) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int code = command(admin, json);
  return {code, testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr()};
}

TEST(StatusCommand, prints_text_for_people) {
  const FakeAdmin admin(http_answer("200 OK", to_text(busy_status())));
  const Ran ran = run(run_status, admin.address, false);
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out, status_text(busy_status(), kPlain));
}

TEST(StatusCommand, prints_the_document_for_scripts) {
  const FakeAdmin admin(http_answer("200 OK", to_text(busy_status())));
  EXPECT_EQ(parse_json(run(run_status, "http://" + admin.address + "/", true).out).value(), busy_status());
}

TEST(NodesCommand, prints_the_nodes_alone_for_scripts) {
  const FakeAdmin admin(http_answer("200 OK", to_text(busy_status())));
  EXPECT_EQ(parse_json(run(run_nodes, admin.address, true).out).value(), busy_status()["nodes"]);
}

TEST(StatusCommand, says_what_to_do_when_nobody_answers) {
  const FakeAdmin admin("");
  const Ran ran = run(run_status, admin.address, false);
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(ran.err, fmt::format("drover: no gateway answers on http://{} (connection refused). Start one with "
                                 "'drover up', or name its admin address with --admin.\n",
                                 admin.address));
}

TEST(StatusCommand, doubts_who_answers_something_else) {
  const std::pair<std::string, std::string_view> cases[] = {
      {http_answer("404 Not Found", "\x1b[2J404 page"), "answered 404: \ufffd[2J404 page. Is this a gateway's admin"},
      {http_answer("200 OK", "Ollama is running"), "answered with no status of a gateway"},
      {http_answer("200 OK", R"({"nodes":7})"), "answered with no status of a gateway"},
      {"SSH-2.0-OpenSSH_9.2\r\n", "(protocol)"},
  };
  for (const auto& [answer, expected] : cases) {
    const FakeAdmin admin(answer);
    const Ran ran = run(run_nodes, admin.address, false);
    EXPECT_EQ(ran.code, 1) << answer;
    EXPECT_NE(ran.err.find(expected), std::string::npos) << ran.err;
  }
}

TEST(StatusCommand, refuses_an_address_that_is_none) {
  for (const char* address : {"", "example.com:1", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:99999"}) {
    const Ran ran = run(run_status, address, false);
    EXPECT_EQ(ran.code, 2) << address;
    EXPECT_EQ(ran.err, fmt::format("drover: --admin is \"{}\"; expected an address as IP:PORT, for example "
                                   "127.0.0.1:11436\n",
                                   address));
  }
}

}  // namespace
}  // namespace drover::cli
