// Drover's access log (observe/access_log.h): a request a line, in the order in which they ended.
#include <fmt/format.h>

#include <charconv>

#include "base/json.h"
#include "traces/counts.h"
#include "traces/reader.h"
#include "traces/times.h"

namespace drover::traces {
namespace {

constexpr std::string_view kTime = "@timestamp";
constexpr std::string_view kAsked = "gen_ai.request.model";
constexpr std::string_view kServed = "gen_ai.response.model";
constexpr std::string_view kPrompt = "gen_ai.usage.input_tokens";
constexpr std::string_view kAnswer = "gen_ai.usage.output_tokens";
constexpr std::string_view kHashes = "drover.prefix_hashes";

Error invalid(std::string what) { return Error{ErrorCode::invalid, Side::gateway, std::move(what)}; }

std::uint64_t& count_of(LeftOut& left_out, std::string_view outcome) {
  if (outcome == "refused") return left_out.refused;
  if (outcome == "failed") return left_out.failed;
  if (outcome == "cancelled") return left_out.cancelled;
  if (outcome == "truncated") return left_out.truncated;
  return left_out.other;
}

class AccessLogFormat final : public Format {
 public:
  Form form() const override { return Form::access_log; }

  // A line with both counts is a request, however it ended: what was read and written was work.
  Result<std::optional<Request>> parse(std::string_view line, LeftOut& left_out) const override {
    const auto object = parse_json(line);
    if (!object) return object.error();
    const auto at = read_time(text_at(*object, kTime));
    if (!at) return invalid(fmt::format("{} is missing or no time", kTime));
    if (integer_at(*object, kPrompt) == 0 || integer_at(*object, kAnswer) == 0) {
      ++count_of(left_out, text_at(*object, "drover.outcome"));
      return std::nullopt;
    }
    const auto prompt = tokens_at(*object, kPrompt);
    if (!prompt) return prompt.error();
    const auto answer = tokens_at(*object, kAnswer);
    if (!answer) return answer.error();
    const bool served = member(*object, kServed) != nullptr;  // another one than was asked for
    Request request{.at = *at,
                    .prompt = *prompt,
                    .answer = *answer,
                    .model = std::string(text_at(*object, served ? kServed : kAsked)),
                    .tenant = std::string(text_at(*object, "drover.tenant")),
                    .session = std::string(text_at(*object, "drover.session"))};
    if (const Json* hashes = member(*object, kHashes)) {
      if (auto read = read_hashes(*hashes, request); !read) return read.error();
    }
    return std::optional(std::move(request));
  }

 private:
  static Result<void> read_hashes(const Json& hashes, Request& request) {
    if (!hashes.is_array()) return invalid(fmt::format("{} is no list", kHashes));
    request.block_tokens = kLoggedBlock;
    request.blocks.reserve(hashes.size());
    for (const Json& hash : hashes) {
      const auto* text = hash.get_ptr<const std::string*>();
      BlockId block = 0;
      constexpr int kHex = 16;
      if (text == nullptr || text->empty() ||
          std::from_chars(text->data(), text->data() + text->size(), block, kHex).ptr != text->data() + text->size()) {
        return invalid(fmt::format("{} has {}; expected hexadecimal numbers in quotes", kHashes, to_text(hash)));
      }
      request.blocks.push_back(block);
    }
    return {};
  }
};

}  // namespace

std::unique_ptr<Format> access_log_format(std::string_view line) {
  const auto object = parse_json(line);
  const bool is_ours = object && member(*object, kTime) != nullptr && member(*object, "drover.outcome") != nullptr;
  return is_ours ? std::make_unique<AccessLogFormat>() : nullptr;
}

}  // namespace drover::traces
