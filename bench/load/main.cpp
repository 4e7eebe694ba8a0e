#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <optional>

#include "load/load.h"
#include "talk/arguments.h"

namespace drover::bench {
namespace {

constexpr std::string_view kHelp =
    R"(drover_bench_load MODE --target IP:PORT: load on drover_bench_stub, directly or through a proxy.

modes
  closed        each connection sends its next request when its answer has come
  open          --rate requests a second over all connections; latency from when each should have been sent
  streams       one stream on each connection, one chunk every 1/--chunk-rate seconds
  slow          as streams, as fast as they are taken; the reader takes nothing for a second, then little
  idle          each connection asks once and is kept open; implies --hold

  --target IP:PORT     [required]
  --api NAME           ollama: /api/chat; openai: /v1/chat/completions [ollama]
  --connections N      [64; slow: 8]
  --body BYTES         of a request: chat messages, `model` last [200]
  --any-body           the server may write the body anew: what the node saw of it is not compared
  --any-answer         the server may write the answer anew: only its echoes are looked for, each in its turn
  --rate N             open: requests a second [5000]
  --requests N         closed: end after N requests; the window is all of them [0: by time]
  --chunk-rate N       streams: chunks a second of each stream [20]
  --chunks N           of each stream [streams: as many as the time needs; slow: 32768, which are 4 MiB]
  --warmup S           seconds between everything running and the window [1]
  --seconds S          of the window; 0: from the first request to the last answer
                       [4; with --requests, --chunks or --hold: 0; slow: 0]
  --limit S            seconds after which the run has failed [warmup + seconds + 60]
  --hold               prints {"event":"holding"} when all is open (streams: running), ends when a line or the end comes on
                       standard input and the streams are over
  --watch NAME=PID     counts the processor time of a process in the window; several times for several, the same name
                       adds up

Every byte of every answer is compared with what the stub must have sent. At the first that differs, at an answer other
than 200, or when a connection breaks, the run ends: `valid` is false, `fault` says why, and the exit code is 1.
The last line on standard output is the report, as JSON. Exit codes: 0 valid; 1 void; 2 wrong arguments.
)";

std::optional<Mode> mode_named(std::string_view name) {
  if (name == "closed") return Mode::closed;
  if (name == "open") return Mode::open;
  if (name == "streams") return Mode::streams;
  if (name == "slow") return Mode::slow;
  if (name == "idle") return Mode::idle;
  return std::nullopt;
}

Watched read_watched(const Arguments& arguments, const std::string& text) {
  const auto equals = text.find('=');
  const int pid = equals == std::string::npos ? 0 : std::atoi(text.c_str() + equals + 1);
  if (pid <= 0) arguments.fail(fmt::format("--watch is {}; expected NAME=PID", text));
  return {text.substr(0, equals), pid};
}

// As many chunks as keep every stream alive until the window is over.
std::uint32_t chunks_needed(const LoadSettings& settings, double chunk_rate) {
  const double opening = 1.0 + settings.connections / 2000.0 + 1 / chunk_rate;
  const double seconds = opening + static_cast<double>(settings.warmup_ns + settings.seconds_ns) / 1e9;
  return static_cast<std::uint32_t>(std::ceil(seconds * chunk_rate)) + 1;
}

LoadSettings read_settings(Arguments& arguments) {
  LoadSettings settings;
  const auto mode = mode_named(arguments.word());
  if (!mode) arguments.fail("which mode? closed, open, streams, slow or idle; --help tells more");
  settings.mode = *mode;
  const auto target = parse_address(arguments.text("target", ""));
  if (!target) arguments.fail("--target: " + target.error().detail);
  settings.target = *target;
  const std::string api = arguments.text("api", "ollama");
  if (api != "ollama" && api != "openai") arguments.fail("--api is neither ollama nor openai");
  settings.dialect = api == "ollama" ? Dialect::ollama : Dialect::openai;
  const bool slow = *mode == Mode::slow, streams = *mode == Mode::streams;
  settings.connections = static_cast<unsigned>(arguments.number("connections", slow ? 8 : 64, 1, 20'000));
  settings.body_bytes = arguments.number("body", 200, 100, 64 << 20);
  settings.leniency = {.any_body = arguments.flag("any-body"), .any_answer = arguments.flag("any-answer")};
  settings.rate = static_cast<double>(arguments.number("rate", 5000, 1, 1'000'000));
  settings.requests = arguments.number("requests", 0, 0, 1'000'000'000);
  settings.hold = arguments.flag("hold") || *mode == Mode::idle;
  settings.warmup_ns = arguments.seconds("warmup", 1);
  const auto chunk_rate = static_cast<double>(arguments.number("chunk-rate", 20, 1, 100'000));
  const auto chunks = static_cast<std::uint32_t>(arguments.number("chunks", 0, 0, 1'000'000));
  const bool by_count = settings.requests > 0 || chunks > 0 || settings.hold || slow;
  settings.seconds_ns = arguments.seconds("seconds", by_count ? 0 : 4);
  const double span = static_cast<double>(settings.warmup_ns + settings.seconds_ns) / 1e9;
  settings.limit_ns = arguments.seconds("limit", span + 60);
  if (streams) {
    settings.interval_us = static_cast<std::uint32_t>(1e6 / chunk_rate);
    settings.chunks = chunks > 0 ? chunks : chunks_needed(settings, chunk_rate);
  }
  if (slow) settings.chunks = chunks > 0 ? chunks : 32'768;
  for (const std::string& watched : arguments.all("watch"))
    settings.watched.push_back(read_watched(arguments, watched));
  arguments.check_all_used();
  return settings;
}

std::string latency_json(const Histogram& latency) {
  return fmt::format(R"({{"count":{},"p50":{:.2f},"p90":{:.2f},"p99":{:.2f},"max":{:.2f}}})", latency.count(),
                     latency.quantile(0.5), latency.quantile(0.9), latency.quantile(0.99), latency.longest());
}

std::string json_string(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    if (static_cast<unsigned char>(c) < ' ') {
      result += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      result += c;
    }
  }
  return result + '"';
}

void print(const Report& report) {
  std::string cpu;
  for (const auto& [name, time] : report.cpu_ns) {
    cpu += fmt::format("{}{}:{}", cpu.empty() ? "" : ",", json_string(name), time);
  }
  fmt::print(R"({{"valid":{},"fault":{},"seconds":{:.6f},"requests":{},"chunks":{},"all_requests":{},"all_chunks":{},)"
             R"("reconnects":{},"latest_send_us":{:.1f},"latency_us":{},"chunk_latency_us":{},"cpu_ns":{{{}}}}})"
             "\n",
             !report.fault, report.fault ? json_string(*report.fault) : "null", report.seconds, report.requests,
             report.chunks, report.all_requests, report.all_chunks, report.reconnects, report.latest_send_us,
             latency_json(report.latency), latency_json(report.chunk_latency), cpu);
}

int main(int count, char** values) {
  Arguments arguments(count, values, kHelp);
  LoadSettings settings = read_settings(arguments);
  end_with_parent();
  raise_descriptor_limit();
  sharpen_timers();
  const Report report = Load(std::move(settings)).run();
  print(report);
  return report.fault ? 1 : 0;
}

}  // namespace
}  // namespace drover::bench

int main(int count, char** values) { return drover::bench::main(count, values); }
