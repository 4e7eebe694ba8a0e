#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>
#include <optional>
#include <utility>

#include "stub/stub.h"
#include "talk/arguments.h"

namespace drover::bench {
namespace {

constexpr std::string_view kHelp =
    R"(drover_bench_stub: nodes that hold the model `m` and answer at once.

  --port N      the first node's port; the others have the following ones. 0: any free ones [0]
  --nodes N     how many nodes [8]
  --tick S      seconds between two looks at the streams: chunks that are due leave then [0.001]
  --lie KIND    does wrong on purpose, to test the load tool:
                flip, cut, mix, skip, twice, body, close

When all listen on 127.0.0.1 it prints one line, {"ports":[...]}, and serves until it is told to end or its parent ends.

Answers: what Ollama's probes ask (/api/version, /api/tags, /api/ps, /api/show, /v1/models), and POST /api/chat and
/v1/chat/completions. A request says in its first 4 KiB what it wants, as `[bench ID CHUNKS INTERVAL]`, each eight
hexadecimal digits: its own number; how many chunks to stream, or 0 for one JSON answer; microseconds between two
chunks, or 0 for as fast as they are taken. Every piece of the answer echoes the number, its place in the stream and when
it was sent; the end echoes size and digest of the request's body. Without a tag the answer is whole.
)";

std::optional<Lie> lie_named(std::string_view name) {
  constexpr std::pair<std::string_view, Lie> kLies[] = {
      {"", Lie::none},     {"flip", Lie::flip},   {"cut", Lie::cut},   {"mix", Lie::mix},
      {"skip", Lie::skip}, {"twice", Lie::twice}, {"body", Lie::body}, {"close", Lie::close}};
  for (const auto& [text, lie] : kLies) {
    if (text == name) return lie;
  }
  return std::nullopt;
}

int main(int count, char** values) {
  Arguments arguments(count, values, kHelp);
  StubSettings settings{
      .first_port = static_cast<std::uint16_t>(arguments.number("port", 0, 0, 65000)),
      .nodes = static_cast<unsigned>(arguments.number("nodes", 8, 1, 100)),
      .tick_ns = arguments.seconds("tick", 0.001),
  };
  const auto lie = lie_named(arguments.text("lie", ""));
  if (!lie) arguments.fail("--lie: no such lie; --help lists them");
  settings.lie = *lie;
  if (settings.tick_ns < 1000) arguments.fail("--tick is below a microsecond");
  arguments.check_all_used();

  end_with_parent();
  raise_descriptor_limit();
  sharpen_timers();
  Stub stub(settings);
  const auto ports = stub.listen();
  if (!ports) {
    fmt::print(stderr, "{}\n", ports.error().detail);
    return 1;
  }
  fmt::print("{{\"ports\":[{}]}}\n", fmt::join(*ports, ","));
  std::fflush(stdout);
  stub.run();
}

}  // namespace
}  // namespace drover::bench

int main(int count, char** values) { return drover::bench::main(count, values); }
