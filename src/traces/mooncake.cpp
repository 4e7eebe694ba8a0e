// Mooncake's JSON lines: `{"timestamp": 0, "input_length": 600, "output_length": 50, "hash_ids": [0, 1]}`.
#include <fmt/format.h>

#include "base/json.h"
#include "traces/counts.h"
#include "traces/reader.h"

namespace drover::traces {
namespace {

constexpr std::int64_t kMaxMilliseconds = std::int64_t{1000} * 60 * 60 * 24 * 365 * 200;

Error invalid(std::string what) { return Error{ErrorCode::invalid, Side::gateway, std::move(what)}; }

class MooncakeFormat final : public Format {
 public:
  Form form() const override { return Form::mooncake; }
  Result<std::optional<Request>> parse(std::string_view line, LeftOut&) const override {
    const auto object = parse_json(line);
    if (!object) return object.error();
    const Json* time = member(*object, "timestamp");
    if (time == nullptr || !time->is_number() || time->get<double>() < 0 || time->get<double>() > kMaxMilliseconds) {
      return invalid("timestamp is missing or no number of milliseconds");
    }
    const auto prompt = tokens_at(*object, "input_length");
    if (!prompt) return prompt.error();
    const auto answer = tokens_at(*object, "output_length");
    if (!answer) return answer.error();
    Request request{
        .at = std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::milli>(time->get<double>())),
        .prompt = *prompt,
        .answer = *answer,
        .tenant = std::string(text_at(*object, "tenant")),
        .session = std::string(text_at(*object, "session"))};
    if (const Json* ids = member(*object, "hash_ids")) {
      if (auto read = read_blocks(*ids, request); !read) return read.error();
    }
    return std::optional(std::move(request));
  }

 private:
  static Result<void> read_blocks(const Json& ids, Request& request) {
    const std::uint64_t wanted = (request.prompt.value + kMooncakeBlock.value - 1) / kMooncakeBlock.value;
    if (!ids.is_array() || ids.size() != wanted) {
      return invalid(fmt::format("hash_ids has {} ids; expected {}, one for each {} of {} tokens", ids.size(), wanted,
                                 kMooncakeBlock.value, request.prompt.value));
    }
    request.block_tokens = kMooncakeBlock;
    request.blocks.reserve(ids.size());
    for (const Json& id : ids) {
      if (!id.is_number_unsigned()) return invalid(fmt::format("hash_ids has {}; expected whole numbers", to_text(id)));
      request.blocks.push_back(id.get<BlockId>());
    }
    return {};
  }
};

}  // namespace

std::unique_ptr<Format> mooncake_format() { return std::make_unique<MooncakeFormat>(); }

}  // namespace drover::traces
