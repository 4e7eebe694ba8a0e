#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <unordered_map>

#include "api/model_name.h"
#include "replay/models.h"
#include "replay/workload.h"

namespace drover::replay {
namespace {

// Pieces without a name in the trace get one that nobody else has.
constexpr engine::TokenHash kUnnamed = engine::TokenHash{1} << 63;

class TraceWorkload final : public Workload {
 public:
  explicit TraceWorkload(const Trace& trace) : trace_(trace) {
    for (const std::string& name : trace.models) models_.try_emplace(name, models_.size());
    for (const std::string& name : trace.tenants) tenants_.try_emplace(name, tenants_.size());
  }

  const std::vector<std::string>& models() const override { return trace_.models; }
  const std::vector<std::string>& tenants() const override { return trace_.tenants; }
  bool tells_reuse() const override { return trace_.has_blocks; }

  Mono next() const override { return next_ == trace_.requests.size() ? kNever : Mono{trace_.requests[next_].at}; }

  Question take() override {
    const traces::Request& request = trace_.requests[next_];
    Question question{
        .model = models_.at(request.model), .prompt = {}, .answer = static_cast<std::uint32_t>(request.answer.value)};
    if (!tenants_.empty()) question.tenant = tenants_.at(request.tenant);
    if (!request.session.empty())
      question.program = sessions_.try_emplace(request.session, sessions_.size()).first->second;
    std::uint64_t left = request.prompt.value;
    for (const traces::BlockId block : request.blocks) {
      if (left == 0) break;
      const std::uint64_t tokens = std::min(left, request.block_tokens.value);
      question.prompt.emplace_back(block, static_cast<std::uint32_t>(tokens));
      left -= tokens;
    }
    if (left > 0) question.prompt.emplace_back(kUnnamed + next_, static_cast<std::uint32_t>(left));
    ++next_;
    return question;
  }

 private:
  using Numbers = std::unordered_map<std::string_view, std::size_t>;  // by names of the trace
  const Trace& trace_;
  Numbers models_, tenants_, sessions_;
  std::size_t next_ = 0;
};

// ---- models

// Replay's own names of the models that a trace names.
class Names {
 public:
  static Result<Names> make(std::span<const std::string> like) {
    Names names;
    for (const std::string& each : like) {
      const auto equals = each.find('=');
      const auto* known = equals == std::string::npos ? nullptr : model_named(each.substr(equals + 1));
      if (known == nullptr) {
        return Error{ErrorCode::invalid, Side::gateway,
                     fmt::format("--like is {:?}; expected NAME=KNOWN with one of {}", each, known_names())};
      }
      names.like_[api::model_key(each.substr(0, equals))] = known->spec.name;
    }
    return names;
  }

  // Empty: unknown, and remembered as such.
  std::string_view of(const std::string& name) {
    const auto [found, is_new] = found_.try_emplace(name);
    if (!is_new) return found->second;
    const auto like = like_.find(api::model_key(name));
    const auto* known = model_named(name.empty() ? kUsual : name);
    if (like != like_.end()) {
      found->second = like->second;
    } else if (known != nullptr) {
      found->second = known->spec.name;
    } else {
      unknown_.push_back(name);
    }
    return found->second;
  }

  Result<void> fault() const {
    if (unknown_.empty()) return {};
    return Error{ErrorCode::invalid, Side::gateway,
                 fmt::format("the trace asks for {}, which replay does not know; say which model each is like, as "
                             "--like {}=llama3.1:8b, with one of {}",
                             fmt::join(unknown_, ", "), unknown_.front(), known_names())};
  }

 private:
  static constexpr std::string_view kUsual = "llama3.2:3b";  // where a trace names none
  static std::string known_names() {
    std::vector<std::string_view> names;
    for (const sim::ModelSettings& model : replay::models()) names.push_back(model.spec.name);
    return fmt::format("{}", fmt::join(names, ", "));
  }

  std::map<std::string, std::string> like_;   // by key
  std::map<std::string, std::string> found_;  // by the trace's name
  std::vector<std::string> unknown_;
};

void note(std::vector<std::string>& names, std::string_view name) {
  if (std::ranges::find(names, name) == names.end()) names.emplace_back(name);
}

// ---- blocks

// An access log has a hash for each KiB of a prompt's text, and the tokens of all of it: by model, so many tokens are a
// block. A prompt ends half a block behind its last hash, on average; those with as many hashes as a line may have go
// on.
void measure_blocks(Trace& trace) {
  constexpr std::size_t kMost = 256;
  struct Sum {
    double tokens = 0, blocks = 0;
  };
  std::map<std::string, Sum> sums;
  for (const traces::Request& request : trace.requests) {
    if (request.blocks.empty() || request.blocks.size() >= kMost) continue;
    Sum& sum = sums[request.model];
    sum.tokens += static_cast<double>(request.prompt.value);
    sum.blocks += static_cast<double>(request.blocks.size()) + 0.5;
  }
  for (traces::Request& request : trace.requests) {
    const auto sum = sums.find(request.model);
    if (sum == sums.end()) continue;
    const double tokens = std::round(sum->second.tokens / sum->second.blocks);
    request.block_tokens = Tokens{std::max<std::uint64_t>(1, static_cast<std::uint64_t>(tokens))};
  }
}

}  // namespace

Result<Trace> read_trace(const TraceSettings& settings) {
  auto names = Names::make(settings.like);
  if (!names) return names.error();
  auto reader = traces::Reader::open(settings.path);
  if (!reader) return reader.error();
  Trace trace;
  while (trace.requests.size() < settings.limit) {
    auto request = reader->next();
    if (!request) return request.error();
    if (!*request) break;
    (*request)->model = names->of((*request)->model);
    note(trace.models, (*request)->model);
    note(trace.tenants, (*request)->tenant);
    trace.has_blocks |= !(*request)->blocks.empty();
    trace.requests.push_back(std::move(**request));
  }
  if (const auto known = names->fault(); !known) return known.error();
  if (trace.requests.empty()) {
    return Error{ErrorCode::invalid, Side::gateway, fmt::format("{}: there is no request in it", settings.path)};
  }
  if (trace.tenants == std::vector<std::string>{""}) trace.tenants.clear();
  trace.left_out = reader->left_out();
  if (reader->form() == traces::Form::access_log) measure_blocks(trace);

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
