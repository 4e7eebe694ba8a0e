#pragma once
// The bytes of answers, as of Ollama v0.34.4: field order, escapes, omitted zeros, terminators, newlines.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "sim/handler.h"
#include "sim/node.h"
#include "sim/script.h"
#include "sim/store.h"

namespace drover::sim {

// Of a stream. Plain answers are `application/json; charset=utf-8`, those of OpenAI's routes `application/json`.
inline constexpr std::string_view kNdjson = "application/x-ndjson";
inline constexpr std::string_view kEvents = "text/event-stream";
inline constexpr std::string_view kJson = "application/json; charset=utf-8";
inline constexpr std::string_view kBareJson = "application/json";

// How an answer ended.
struct Ending {
  bool done = true;  // false: it broke off; the last object has neither reason nor figures
  std::string_view reason{};
  std::uint32_t tokens = 0;  // of the script that were given
  engine::JobUsage usage{};
  Duration total{};
  Duration load{};
};

// Writes one answer. Pieces of text, then perhaps calls, then last() or error(); or only whole().
class AnswerWriter {
 public:
  virtual ~AnswerWriter() = default;
  // What a token's piece adds to the stream; may be empty.
  virtual std::string piece(const Piece& piece, Wall now) = 0;
  // Tool calls on a line of their own.
  virtual std::string calls(const std::vector<ToolCall>& calls, Wall now) = 0;
  virtual std::string last(const Ending& ending, const Work& work, Wall now) = 0;
  // A failure after the first byte.
  virtual std::string error(std::string_view message) = 0;
  // The answer that is not streamed; also that of a load command, which never is.
  virtual std::string whole(const Ending& ending, const Work& work, Wall now) = 0;
  virtual std::string_view stream_type() const { return kNdjson; }
  virtual std::string_view whole_type() const { return kJson; }
};

// `request` must outlive the writer. `id`: what makes ids; only its low digits show.
std::unique_ptr<AnswerWriter> make_writer(const Request& request, std::uint64_t id);

// An object `{"model":…,"done":true,"done_reason":"unload"}` in the route's shape.
std::string unload_answer(const Request& request, Wall now);
// `{"model":…,"done":false,"_debug_info":…}`.
std::string debug_answer(const Request& request, const std::string& rendered, Wall now);

struct ErrorAnswer {
  std::string content_type;
  std::string body;
};
// `streamed`: the route would have answered with a stream.
ErrorAnswer error_answer(api::Route route, const Failure& failure, bool streamed);

// Metadata.
std::string tags_answer(const Store& store);
std::string ps_answer(const std::vector<Running>& running, Mono now, Wall wall);
std::string version_answer(std::string_view version);
// What an agent beside the node would report of its GPU (fleet/agent_report.h).
std::string agent_answer(const Node& node, std::string_view card);
std::string models_answer(const Store& store);
std::string model_answer(const Store& store, const ModelSettings& model, std::string_view asked);
std::string show_answer(const Store& store, const ModelSettings& model, bool verbose);

}  // namespace drover::sim
