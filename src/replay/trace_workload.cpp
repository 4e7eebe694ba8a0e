#include <algorithm>
#include <cmath>

#include "replay/workload.h"
#include "traces/reader.h"

namespace drover::replay {
namespace {

// Pieces without a name in the trace get one that nobody else has.
constexpr engine::TokenHash kUnnamed = engine::TokenHash{1} << 63;

class TraceWorkload final : public Workload {
 public:
  explicit TraceWorkload(const Trace& trace) : trace_(trace) {}

  const std::vector<std::string>& models() const override {
    static const std::vector<std::string> names{"llama3.2:3b"};
    return names;
  }

  bool tells_reuse() const override { return trace_.has_blocks; }

  Mono next() const override { return next_ == trace_.requests.size() ? kNever : Mono{trace_.requests[next_].at}; }

  Question take() override {
    const traces::Request& request = trace_.requests[next_];
    Question question{.prompt = {}, .answer = static_cast<std::uint32_t>(request.answer.value)};
    std::uint64_t left = request.prompt.value;
    for (const traces::BlockId block : request.blocks) {
      const std::uint64_t tokens = std::min(left, request.block_tokens.value);
      question.prompt.emplace_back(block, static_cast<std::uint32_t>(tokens));
      left -= tokens;
    }
    if (left > 0) question.prompt.emplace_back(kUnnamed + next_, static_cast<std::uint32_t>(left));
    ++next_;
    return question;
  }

 private:
  const Trace& trace_;
  std::size_t next_ = 0;
};

}  // namespace

Result<Trace> read_trace(const TraceSettings& settings) {
  auto reader = traces::Reader::open(settings.path);
  if (!reader) return reader.error();
  Trace trace;
  while (trace.requests.size() < settings.limit) {
    auto request = reader->next();
    if (!request) return request.error();
    if (!*request) break;
    trace.has_blocks |= !(*request)->blocks.empty();
    trace.requests.push_back(std::move(**request));
  }
  double speed = settings.speed;
  const double span = seconds(trace.requests.back().at);
  if (settings.rate && span > 0) speed = *settings.rate * span / static_cast<double>(trace.requests.size());
  for (traces::Request& request : trace.requests) {
    request.at = Duration(std::llround(static_cast<double>(request.at.count()) / speed));
  }
  return trace;
}

std::unique_ptr<Workload> trace_workload(const Trace& trace) { return std::make_unique<TraceWorkload>(trace); }

}  // namespace drover::replay
