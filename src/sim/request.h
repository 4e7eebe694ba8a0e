#pragma once
// A request for inference as a node understands it, whichever dialect it came in. Like a real node, OpenAI's requests
// become native ones first.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/route.h"
#include "base/clock.h"
#include "base/json.h"

namespace drover::sim {

// Why a node refuses: status and text. `early`: OpenAI's layer refused before the handler saw the request, which shows
// in the framing of the answer.
struct Failure {
  int status = 400;
  std::string message;
  bool early = false;
};

struct Message {
  std::string role;
  std::string content;
  std::size_t images = 0;
};

enum class Think : std::uint8_t { absent, off, on };

// Options that decide whether a loaded runner will do. An absent one matches whatever is loaded, by the rules of 4.4.
struct RunnerOptions {
  std::optional<std::int64_t> num_ctx{};
  std::optional<std::int64_t> num_batch{};
  std::optional<std::int64_t> num_gpu{};
  std::optional<std::int64_t> main_gpu{};
  std::optional<std::int64_t> num_thread{};
  std::optional<std::int64_t> draft_num_predict{};
  std::optional<bool> use_mmap{};
  bool shift = true;
  friend bool operator==(const RunnerOptions&, const RunnerOptions&) = default;
};

inline constexpr Duration kForever = Duration::max();

struct Request {
  api::Route route;
  std::string model;
  bool stream = false;
  bool include_usage = false;
  std::string prompt{};
  std::string suffix{};
  std::string system{};
  bool raw = false;
  bool templated = false;  // template, system or context given: not together with raw
  std::vector<Message> messages{};
  Json tools = Json::array();
  std::vector<std::string> inputs{};  // of the embedding routes
  std::optional<std::int64_t> dimensions{};
  bool base64 = false;
  std::size_t images = 0;  // of the prompt and all messages
  std::optional<Duration> keep_alive{};
  Think think = Think::absent;
  std::string think_level{};  // the string, if it was one
  std::optional<Json> format{};
  bool truncate = true;
  bool logprobs = false;
  std::size_t top_logprobs = 0;
  bool debug_render_only = false;
  Json options = Json::object();
  // Of the options, once read_options has looked at them:
  RunnerOptions runner{};
  std::optional<std::int64_t> num_predict{};
  std::int64_t seed = 0;
  std::vector<std::string> stop{};

  bool is_embedding() const {
    return route == api::Route::embed || route == api::Route::embeddings || route == api::Route::openai_embeddings;
  }
  bool is_chat() const { return route == api::Route::chat || route == api::Route::chat_completions; }
};

// `route` is one of inference. The failures are those that a node finds before it looks at its models.
std::expected<Request, Failure> read_request(api::Route route, std::string_view body);

// The types of the options, which a node checks after it has found the model: 500 where they are wrong.
std::optional<Failure> read_options(Request& request);

}  // namespace drover::sim
