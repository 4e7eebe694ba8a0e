// The first drover.yaml, right and wrong.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/random.h"
#include "config/document.h"
#include "config/settings.h"

namespace drover::config {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kGood = R"(# a fleet of three
listen: 0.0.0.0:11435
admin: 127.0.0.1:11436
insecure: true
allow_cloud: false
workers: 4
policy: round_robin
routes:
  - model: llama3.3:70b
    policy: manual
    nodes: [big, gpu-2-11434]
    context: as_sent
    fallback: llama3.2:3b
  - "qwen3*"
aliases:
  - name: gpt-4o
    models: [llama3.3:70b]
  - name: assistant
    models:
      - { model: "llama3.3:70b", weight: 9 }
      - assistant
nodes:
  - url: http://gpu-1:11434
    name: big
    slots: 4
    max_loaded: 2
    gpu: NVIDIA GeForce RTX 4090
    weight: 3
  - { url: "gpu-2:11434", slots: auto }
  - 10.0.0.3
hosts: [gateway.example.org, "*.models.example.org"]
origins:
  - https://ui.example.org
access_log: /var/log/drover/access.log
limits:
  request_body: 32MiB
  buffers: 512MiB
  queue: 50
  connections: auto
timeouts:
  silence: 1m30s
  drain: 0s
retry:
  attempts: 2
health:
  open: 10s
)";

DroverSettings good(std::string_view text) {
  auto settings = parse_settings(text, "drover.yaml");
  if (!settings) ADD_FAILURE() << to_blocks(settings.error());
  return settings.value_or(DroverSettings());
}

// The faults as one text, a line each.
std::string faults_of(std::string_view text) {
  const auto settings = parse_settings(text, "drover.yaml");
  std::string lines;
  if (!settings) {
    for (const ConfigError& error : settings.error()) lines += to_text(error) + '\n';
  }
  return lines;
}

TEST(Settings, of_an_empty_file_are_the_defaults) {
  EXPECT_EQ(good(""), DroverSettings());
  EXPECT_EQ(good("limits:\nnodes:\nhosts:\n"), DroverSettings());
  EXPECT_TRUE(check_settings(DroverSettings()).empty());
}

TEST(Settings, are_read) {
  const DroverSettings settings = good(kGood);
  EXPECT_EQ(net::to_text(settings.listen), "0.0.0.0:11435");
  EXPECT_TRUE(settings.insecure);
  EXPECT_EQ(settings.workers, 4U);
  EXPECT_EQ(settings.policy, balance::PolicyKind::round_robin);
  ASSERT_EQ(settings.routes.size(), 2U);
  EXPECT_EQ(settings.routes[0], (balance::RouteSettings{.model = "llama3.3:70b",
                                                        .policy = balance::PolicyKind::manual,
                                                        .nodes = {"big", "gpu-2-11434"},
                                                        .context = balance::ContextRule::as_sent,
                                                        .fallback = "llama3.2:3b"}));
  EXPECT_EQ(settings.routes[1], (balance::RouteSettings{.model = "qwen3*"}));
  EXPECT_EQ(settings.aliases,
            (std::vector<fleet::AliasSettings>{{"gpt-4o", {{"llama3.3:70b", 1}}},
                                               {"assistant", {{"llama3.3:70b", 9}, {"assistant", 1}}}}));
  ASSERT_EQ(settings.nodes.size(), 3U);
  EXPECT_EQ(settings.nodes[0].name, "big");
  EXPECT_EQ(settings.nodes[0].slots, 4U);
  EXPECT_EQ(settings.nodes[0].max_loaded, 2U);
  EXPECT_EQ(settings.nodes[0].gpu, "NVIDIA GeForce RTX 4090");
  EXPECT_EQ(settings.nodes[0].weight, 3U);
  EXPECT_EQ(settings.nodes[1].max_loaded, std::nullopt);
  EXPECT_EQ(settings.nodes[1].id, NodeId{1});
  EXPECT_EQ(settings.nodes[1].name, "gpu-2-11434");
  EXPECT_EQ(settings.nodes[1].slots, std::nullopt);
  EXPECT_EQ(http::to_text(settings.nodes[2].url), "http://10.0.0.3:11434");
  EXPECT_EQ(settings.hosts, (std::vector<std::string>{"gateway.example.org", "*.models.example.org"}));
  EXPECT_EQ(settings.origins, (std::vector<std::string>{"https://ui.example.org"}));
  EXPECT_EQ(settings.access_log.target, LogTarget::file);
  EXPECT_EQ(settings.access_log.path, "/var/log/drover/access.log");
  EXPECT_FALSE(settings.access_log.defaulted);
  EXPECT_EQ(settings.limits.request_body, 32_MiB);
  EXPECT_EQ(settings.limits.buffers, 512_MiB);
  EXPECT_EQ(settings.limits.queue, 50U);
  EXPECT_EQ(settings.limits.connections, std::nullopt);
  EXPECT_EQ(settings.timeouts.silence, 90s);
  EXPECT_EQ(settings.timeouts.drain, 0s);
  EXPECT_EQ(settings.retry.attempts, 2U);
  EXPECT_EQ(settings.health.open, 10s);
}

TEST(Settings, tenants_and_who_may_name_them) {
  const DroverSettings settings = good(R"(
trusted_proxies: [10.0.0.0/8, "::1"]
tenant_header: X-Forwarded-User
separate_caches: true
tenants:
  - research
  - {name: night-batch, weight: 3, priority: low}
limits: {queue_per_tenant: 7}
timeouts: {aging: 1m}
)");
  ASSERT_EQ(settings.trusted_proxies.size(), 2U);
  EXPECT_EQ(net::to_text(settings.trusted_proxies[0]), "10.0.0.0/8");
  EXPECT_EQ(settings.tenant_header, "X-Forwarded-User");
  const balance::SchedulerSettings scheduler = scheduler_settings(settings);
  EXPECT_EQ(scheduler.tenants,
            (std::vector<balance::TenantSettings>{
                {.name = "research"}, {.name = "night-batch", .weight = 3, .priority = balance::Priority::low}}));
  EXPECT_TRUE(scheduler.tenant_caches);
  EXPECT_EQ(scheduler.max_queue_each, 7U);
  EXPECT_EQ(scheduler.line.aging, 1min);
  EXPECT_EQ(good(to_yaml(settings)).tenants, settings.tenants);
  EXPECT_EQ(good(to_yaml(settings)).trusted_proxies, settings.trusted_proxies);
}

TEST(Settings, the_access_log_is_a_place_or_a_map) {
  const auto log = [](std::string_view text) { return good(text).access_log; };
  const AccessLogSettings file{.target = LogTarget::file, .path = "./a.log", .defaulted = false};
  EXPECT_EQ(log("access_log: ./a.log"), file);
  EXPECT_EQ(log("access_log: {to: ./a.log}"), file);
  EXPECT_EQ(log("access_log: off").target, LogTarget::off);
  AccessLogSettings hashed = file;
  hashed.prefix_hashes = true;
  EXPECT_EQ(log("access_log:\n  prefix_hashes: true\n  to: ./a.log\n"), hashed);
  EXPECT_EQ(log("access_log: {prefix_hashes: true}"), (AccessLogSettings{.path = {}, .prefix_hashes = true}))
      << "nobody chose where";
}

TEST(Settings, survive_being_written_and_read_again) {
  for (const DroverSettings& settings : {DroverSettings(), good(kGood)}) {
    DroverSettings again = good(to_yaml(settings));
    again.access_log.defaulted = settings.access_log.defaulted;  // what is written was chosen
    EXPECT_EQ(again, settings) << to_yaml(settings);
  }
}

struct FaultCase {
  std::string_view text, fault;
};
constexpr FaultCase kFaults[] = {
    {"nodes:\n  - url: a\n  - url: b\n    weight: -1\n",
     "drover.yaml:4:13: nodes[1].weight is -1; expected a whole number from 1 to 100\n"},
    {"nodes: [{url: a, slots: 0}]",
     "drover.yaml:1:25: nodes[0].slots is 0; expected auto or a whole number from 1 to 1024\n"},
    {"nodes: [{url: a, slots: \"4\"}]",
     "drover.yaml:1:25: nodes[0].slots is \"4\"; expected auto or a whole number from 1 to 1024\n"},
    {"nodes: [{name: a}]", "drover.yaml:1:9: nodes[0].url is missing; expected [http://]host[:port][/prefix]\n"},
    {"nodes: [https://a]", "drover.yaml:1:9: nodes[0].url: TLS to nodes is not there yet; expected http://...\n"},
    {"nodes: [[a]]", "drover.yaml:1:9: nodes[0] is a list; expected settings such as `url: ...`\n"},
    {"nodes: a", "drover.yaml:1:8: nodes is a; expected a list\n"},
    {"nodes: [{url: a, name: \"a b\"}]",
     "drover.yaml:1:24: nodes[0].name: expected a name of letters, digits and . _ - that begins with a letter or "
     "digit, "
     "63 bytes at most\n"},
    {"nodes: [{url: a, gpu: RTX 9999}]\n",
     "drover.yaml:1:23: nodes[0].gpu: nothing is known of a GPU \"RTX 9999\"; expected a name as RTX 4090 or H100 "
     "(docs/configuration.md has them all)\n"},
    {"nodes: [{url: a, gpu: rtx 4099}]\n",
     "drover.yaml:1:23: nodes[0].gpu: nothing is known of a GPU \"rtx 4099\"; did you mean \"RTX 4090\"?\n"},
    {"policy: manual\n",
     "drover.yaml:1:9: policy is manual, which is for a route with `nodes`; expected another one for all other "
     "models\n"},
    {"routes: [{model: x, policy: manual}]\n",
     "drover.yaml:1:29: routes[0].policy is manual, which needs the route's `nodes`, the preferred one first\n"},
    {"nodes: [gpu-1]\nroutes: [{model: x, nodes: [gpu-2]}]\n",
     "drover.yaml:2:28: routes[0].nodes[0] is gpu-2, and no node has that name; expected one of gpu-1-11434\n"},
    {"routes: [{model: x, context: fitt}]\n",
     "drover.yaml:1:30: routes[0].context is fitt; expected fit or as_sent; did you mean \"fit\"?\n"},
    {"routes: [{model: x, fallback: \"X:latest\"}]\n",
     "drover.yaml:1:31: routes[0].fallback is X:latest, the route's own model; expected another one\n"},
    {"routes: [{model: x, fallback: y}]\naliases: [{name: y, models: [z]}]\n",
     "drover.yaml:1:31: routes[0].fallback is y, an alias (aliases[0]); expected a model that nodes have\n"},
    {"routes: [x, y, x]\n",
     "drover.yaml:1:16: routes[2].model is x, which routes[0] takes already; it is never reached\n"},
    {"aliases: [{name: a, models: [b]}, {name: A:latest, models: [c]}]\n",
     "drover.yaml:1:42: aliases[1].name is A:latest, the name of aliases[0] already\n"},
    {"aliases: [a]\n", "drover.yaml:1:11: aliases[0].models are 0; expected 1 to 16 models for a to stand for\n"},
    {"aliases: [{name: a, models: []}]\n",
     "drover.yaml:1:18: aliases[0].models are 0; expected 1 to 16 models for a to stand for\n"},
    {"aliases: [{models: [a]}]\n",
     "drover.yaml:1:11: aliases[0].name is missing; expected the name by which clients ask\n"},
    {"aliases: [{name: a, models: [b]}, {name: b, models: [a]}]\n",
     "drover.yaml:1:30: aliases[0].models[0].model is b, an alias itself (aliases[1]); expected a model that nodes "
     "have\n"
     "drover.yaml:1:54: aliases[1].models[0].model is a, an alias itself (aliases[0]); expected a model that nodes "
     "have\n"},
    {"aliases: [{name: a, models: [\"A:latest\"]}]\n",
     "drover.yaml:1:30: aliases[0].models[0].model is A:latest, the alias itself; expected a model that nodes have\n"},
    {"aliases: [{name: a, models: [b, {weight: 2}]}]\n",
     "drover.yaml:1:29: aliases[0].models[1].model is missing; expected the name of a model\n"},
    {"aliases: [{name: a, models: [b, c, b]}]\n",
     "drover.yaml:1:36: aliases[0].models[2].model is b, which aliases[0].models[0] is already\n"},
    {"aliases: [{name: \"a*\", models: [b]}]\n",
     "drover.yaml:1:18: aliases[0].name: \"a*\" is a pattern; expected the name of one model, for example "
     "llama3.2:3b\n"},
    {"aliases: [{name: a, models: [{model: b, weight: 0}]}]\n",
     "drover.yaml:1:49: aliases[0].models[0].weight is 0; expected a whole number from 1 to 1000\n"},
    {"routes: [{policy: random}]\n",
     "drover.yaml:1:10: routes[0].model is missing; expected a name or a pattern such as llama3.2:* or *\n"},
    {"policy: least_connection\n",
     "drover.yaml:1:9: policy is least_connection; expected earliest_finish, least_connections, least_loaded, "
     "round_robin, random, two_choices, consistent_hash, gpu_score or manual; did you mean "
     "\"least_connections\"?\n"},
    {"limits: {quue: 5}", "drover.yaml:1:10: unknown key \"quue\" in limits; did you mean \"queue\"?\n"},
    {"retry: {tries: 5}",
     "drover.yaml:1:9: unknown key \"tries\" in retry; expected attempts, budget_percent or budget_floor\n"},
    {"workers: 2\nworkers: 3\n", "drover.yaml:2:1: workers is given twice, first in line 1\n"},
    {"limits: {queue: 1, queue: 1}", "drover.yaml:1:20: limits.queue is given twice, first in line 1\n"},
    {"workers: 1.5", "drover.yaml:1:10: workers is 1.5; expected a whole number from 0 to 1024\n"},
    {"workers:", "drover.yaml:1:1: workers is empty; expected a whole number from 0 to 1024\n"},
    {"insecure: yes", "drover.yaml:1:11: insecure is yes; expected true or false\n"},
    {"timeouts: {drain: 30}",
     "drover.yaml:1:19: timeouts.drain is 30; expected a duration from 0s to 1d, for example 30s\n"},
    {"limits: {request_body: 64}",
     "drover.yaml:1:24: limits.request_body is 64; expected a size from 1KiB to 4GiB, for example 64MiB\n"},
    {"limits: 7", "drover.yaml:1:9: limits is 7; expected settings below it, one `name: value` a line\n"},
    {"listen: 11435",
     "drover.yaml:1:9: listen: \"11435\" is no address to listen on; expected IP:PORT, for example 127.0.0.1:11435\n"},
    {"hosts: [\"a:80\"]",
     "drover.yaml:1:9: hosts[0]: expected a host name without port, for example gateway.example.org or "
     "*.example.org\n"},
    {"origins: [localhost]",
     "drover.yaml:1:11: origins[0]: \"localhost\" is no origin; expected for example https://app.example.org, "
     "http://localhost:* or *\n"},
    {"trusted_proxies: [10.0.0.1/8]",
     "drover.yaml:1:19: trusted_proxies[0]: \"10.0.0.1/8\" has bits behind its first 8; expected an address or a range "
     "such as 10.0.0.0/8 or fd00::/8\n"},
    {"tenant_header: a b",
     "drover.yaml:1:16: tenant_header: expected the name of a header field, such as x-forwarded-user, 63 bytes at "
     "most\n"},
    {"tenants: [{name: a, priority: urgent}]",
     "drover.yaml:1:31: tenants[0].priority is urgent; expected high, normal or low\n"},
    {"access_log: file",
     "drover.yaml:1:13: access_log.to: \"file\" is no path; expected stdout, off, or a path such as "
     "/var/log/drover/access.log or ./file\n"},
    {"access_log: {to: off, prefix_hashes: 1}",
     "drover.yaml:1:38: access_log.prefix_hashes is 1; expected true or false\n"},
    {"access_log: [stdout]",
     "drover.yaml:1:13: access_log is a list; expected settings below it, one `name: value` a line\n"},
    // between settings
    {"listen: 0.0.0.0:11435",
     "drover.yaml:1:9: listen is 0.0.0.0:11435, which other machines can reach, and keys and TLS are not there yet: "
     "everybody who reaches it could use it; write listen: 127.0.0.1:11435, or insecure: true if that is meant\n"},
    {"admin: 127.0.0.1:11435",
     "drover.yaml:1:8: admin is 127.0.0.1:11435, which is taken by listen; give it another port\n"},
    {"nodes: [localhost:11435]",
     "drover.yaml:1:9: nodes[0].url is http://localhost:11435, which is this gateway itself (listen: 127.0.0.1:11435); "
     "a "
     "node must be another server\n"},
    {"insecure: true\nlisten: :8000\nnodes: [127.0.0.7:8000]",
     "drover.yaml:3:9: nodes[0].url is http://127.0.0.7:8000, which is this gateway itself (listen: 0.0.0.0:8000); a "
     "node "
     "must be another server\n"},
    {"nodes: ['[::1]:11436']",
     "drover.yaml:1:9: nodes[0].url is http://[::1]:11436, which is this gateway itself (admin: 127.0.0.1:11436); a "
     "node "
     "must be another server\n"},
    {"nodes:\n- localhost\n- 127.0.0.1:11434\n",
     "drover.yaml:3:3: nodes[1].url is http://127.0.0.1:11434, the same node as nodes[0]\n"},
    {"nodes: [{url: a, name: x}, {url: b, name: x}]",
     "drover.yaml:1:43: nodes[1].name is x, the name of nodes[0] already; give it another\n"},
    {"limits: {buffers: 32MiB}",
     "drover.yaml:1:9: limits.request_body is 64MiB, more than limits.buffers, which is 32MiB\n"},
    {"timeouts: {agent_report: 500ms}",
     "drover.yaml:1:26: timeouts.agent_report is 500ms, shorter than timeouts.agent_interval, which is 1s\n"},
    {"nodes: [{url: a, agent: 'https://b'}]",
     "drover.yaml:1:25: nodes[0].agent: TLS to agents is not there yet; expected http://...\n"},
    {"health: {open: 2m}", "drover.yaml:1:16: health.open is 2m, longer than health.longest_open, which is 1m\n"},
};

TEST(Settings, an_agent_has_a_port_of_its_own_by_default) {
  struct Case {
    std::string_view written, meant;
  };
  for (const auto& [written, meant] :
       {Case{"gpu-1", "http://gpu-1:11437"}, Case{"http://gpu-1", "http://gpu-1"},
        Case{"gpu-1:11434", "http://gpu-1:11434"}, Case{"http://gpu-1:80", "http://gpu-1"},
        Case{"[::1]/x", "http://[::1]:11437/x"}}) {
    const auto settings = parse_settings(fmt::format("nodes: [{{url: a, agent: '{}'}}]", written), "drover.yaml");
    ASSERT_TRUE(settings) << written;
    EXPECT_EQ(http::to_text(settings->nodes[0].agent.value()), meant);
    EXPECT_EQ(parse_settings(to_yaml(*settings), "again")->nodes, settings->nodes);
  }
  EXPECT_FALSE(parse_settings("nodes: [a]", "drover.yaml")->nodes[0].agent);
}

TEST(Settings, that_are_wrong_say_what_where_and_what_to_do) {
  for (const auto& test : kFaults) EXPECT_EQ(faults_of(test.text), test.fault) << test.text;
}

TEST(Settings, show_all_faults_in_one_run_in_the_order_of_the_file) {
  EXPECT_EQ(faults_of("nods: []\nworkers: x\nlimits:\n  queue: -5\n  quee: 7\n"),
            "drover.yaml:1:1: unknown key \"nods\"; did you mean \"nodes\"?\n"
            "drover.yaml:2:10: workers is x; expected a whole number from 0 to 1024\n"
            "drover.yaml:4:10: limits.queue is -5; expected a whole number from 0 to 1000000\n"
            "drover.yaml:5:3: unknown key \"quee\" in limits; did you mean \"queue\"?\n");
}

TEST(Settings, never_show_a_password) {
  const auto settings = parse_settings("nodes: [\"http://me:secret@gpu:11434\"]", "drover.yaml");
  ASSERT_FALSE(settings);
  EXPECT_EQ(to_blocks(settings.error()).find("secret"), std::string::npos) << to_blocks(settings.error());
  EXPECT_EQ(to_json(settings.error()).find("secret"), std::string::npos);
}

TEST(ConfigError, points_at_the_place) {
  const auto settings = parse_settings("limits:\n\tqueue: 1\n", "drover.yaml");
  ASSERT_FALSE(settings);
  const auto bad = parse_settings("nodes:\n  - url: a\n    weight: 1000 # too much\n", "drover.yaml");
  ASSERT_FALSE(bad);
  EXPECT_EQ(to_blocks(bad.error()),
            "drover.yaml:3:13: nodes[0].weight is 1000; expected a whole number from 1 to 100\n"
            "    3 |     weight: 1000 # too much\n"
            "      |             ^^^^\n");
  EXPECT_EQ(to_json(bad.error()),
            R"([{"path":"nodes[0].weight","file":"drover.yaml","line":3,"column":13,"code":"value",)"
            R"("message":"nodes[0].weight is 1000; expected a whole number from 1 to 100"}])");
}

TEST(Settings, bound_how_many_faults_they_tell) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += fmt::format("unknown_{}: 1\n", i);
  const auto settings = parse_settings(text, "drover.yaml");
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.error().size(), 100U);
}

TEST(LoadSettings, reads_a_file_or_says_why_not) {
  std::string pattern = testing::TempDir() + "drover-config-XXXXXX";
  ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
  const std::filesystem::path folder = pattern;
  const std::string path = (folder / "drover.yaml").string();
  std::ofstream(path) << kGood;
  EXPECT_TRUE(load_settings(path));

  const auto absent = load_settings((folder / "absent").string());
  ASSERT_FALSE(absent);
  EXPECT_NE(to_text(absent.error().at(0)).find("absent: cannot be read: No such file"), std::string::npos);
  EXPECT_FALSE(load_settings(folder.string()));

  std::ofstream(path) << std::string(2 * kMaxFileBytes, '#');
  EXPECT_FALSE(load_settings(path));
  std::filesystem::remove_all(folder);
}

TEST(Settings, turn_into_those_of_the_scheduler) {
  DroverSettings settings;
  const auto scheduler = scheduler_settings(settings);
  const balance::SchedulerSettings defaults;
  EXPECT_EQ(scheduler.max_queue, defaults.max_queue);
  EXPECT_EQ(scheduler.queue_timeout, defaults.queue_timeout);
  EXPECT_EQ(scheduler.spill_delay, defaults.spill_delay);
  EXPECT_EQ(scheduler.prefix_entries, defaults.prefix_entries);
  EXPECT_EQ(scheduler.decisions, defaults.decisions);
  EXPECT_EQ(scheduler.attempts, defaults.attempts);
  EXPECT_DOUBLE_EQ(scheduler.retry_budget.share, defaults.retry_budget.share);
  EXPECT_EQ(scheduler.retry_budget.least, defaults.retry_budget.least);
  EXPECT_EQ(scheduler.health.fall, defaults.health.fall);
  EXPECT_DOUBLE_EQ(scheduler.health.offline_ratio, defaults.health.offline_ratio);
  EXPECT_EQ(scheduler.health.open_interval, defaults.health.open_interval);
  EXPECT_EQ(scheduler.policy, defaults.policy);
}

TEST(Limits, follow_the_machine_where_they_are_automatic) {
  Limits limits;
  EXPECT_EQ(buffer_budget(limits, 1_GiB), 256_MiB);
  EXPECT_EQ(buffer_budget(limits, Bytes{64ULL << 30}), 1_GiB);
  EXPECT_EQ(connection_limit(limits, 1024), 412U);
  EXPECT_EQ(connection_limit(limits, 64), 16U);
  limits.buffers = 3_MiB;
  limits.connections = 17;
  EXPECT_EQ(buffer_budget(limits, 1_GiB), 3_MiB);
  EXPECT_EQ(connection_limit(limits, 1024), 17U);
}

TEST(Settings, of_a_mutated_file_load_or_have_faults_with_a_place) {
  constexpr std::uint64_t kSeed = 3;
  constexpr std::string_view kPieces[] = {
      ":",    "-",    "[",      "]", "{", "}",  "\"", "'",  "#",  "&a",
      "*a",   "!",    "|",      ">", "%", "\t", "\n", "  ", "? ", "99999999999999999999",
      "\xff", "\x00", "nodes:", "~"};
  Random random(kSeed);
  for (int round = 0; round < 2000; ++round) {
    std::string text(kGood);
    for (std::uint64_t edits = 1 + random.below(4); edits > 0; --edits) {
      const auto at = random.below(text.size());
      switch (random.below(4)) {
        case 0: text.erase(at, 1 + random.below(20)); break;
        case 1: text.insert(at, kPieces[random.below(std::size(kPieces))]); break;
        case 2: text[at] = static_cast<char>(random.next()); break;
        default: text.insert(at, text.substr(random.below(text.size()), random.below(40)));
      }
      if (text.empty()) text = " ";
    }
    const auto settings = parse_settings(text, "drover.yaml");
    if (settings) continue;
    ASSERT_FALSE(settings.error().empty()) << "seed " << kSeed << " round " << round;
    for (const ConfigError& error : settings.error()) {
      const bool whole_file = error.message.find("more than one document") != std::string::npos;
      EXPECT_TRUE(error.line > 0 || whole_file) << "seed " << kSeed << " round " << round << ": " << to_text(error);
      EXPECT_FALSE(error.message.empty());
      EXPECT_FALSE(to_block(error).empty());
    }
  }
}

}  // namespace
}  // namespace drover::config
