#include "sim/handler.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "api/model_name.h"
#include "api/model_refusal.h"

namespace drover::sim {
namespace {

using api::Route;

constexpr std::uint64_t kImageTokens = 256;

// An error of the runner travels as JSON inside JSON.
Failure from_runner(int status, std::string_view type, std::string message, const Json& more = Json::object()) {
  Json error{{"code", status}, {"message", std::move(message)}, {"type", std::string(type)}};
  error.update(more);
  return {status, to_text(Json{{"error", std::move(error)}})};
}

std::optional<Failure> check_name(const Request& request) {
  const bool required =
      request.route == Route::chat || request.route == Route::embeddings || request.route == Route::chat_completions;
  if (request.model.empty()) {
    return required ? Failure{400, "model is required"} : Failure{404, "model '' not found"};
  }
  if (api::source_of(request.model) == api::ModelSource::conflict) {
    return Failure{400, api::model_not_found(request.route, request.model).message};
  }
  if (api::is_cloud_name(request.model)) return Failure{403, api::cloud_refused().message};
  return std::nullopt;
}

std::string full_name(const Request& request) {
  const auto name = api::parse_model_name(request.model);
  return fmt::format("{}/{}/{}:{}", name->host, name->name_space, name->model, name->tag);
}

std::optional<Failure> check_capabilities(const Request& request, const engine::Capabilities& can) {
  if (request.is_embedding()) return std::nullopt;
  if (request.think == Think::on && !can.thinking) {
    return Failure{400, fmt::format("\"{}\" does not support thinking", request.model)};
  }
  if (!can.completion) {
    return Failure{400,
                   fmt::format("\"{}\" does not support {}", request.model, request.is_chat() ? "chat" : "generate")};
  }
  std::string lacking;
  const auto lacks = [&](std::string_view what) {
    if (!lacking.empty()) lacking += '\n';
    lacking += fmt::format("{} does not support {}", full_name(request), what);
  };
  if (!request.tools.empty() && !can.tools) lacks("tools");
  if (!request.suffix.empty() && !can.insert) lacks("insert");
  if (!lacking.empty()) return Failure{400, lacking};
  return std::nullopt;
}

std::optional<Failure> check_values(const Request& request) {
  constexpr std::string_view kLevels[] = {"low", "medium", "high", "max", "minimal", "xhigh", "ultra", ""};
  if (std::ranges::find(kLevels, request.think_level) == std::end(kLevels)) {
    return Failure{400,
                   fmt::format("invalid think value: \"{}\" (must be \"high\", \"medium\", \"low\", \"max\", true, or "
                               "false)",
                               request.think_level)};
  }
  if (request.raw && request.templated) {
    return Failure{400, "raw mode does not support template, system, or context"};
  }
  return std::nullopt;
}

// Found out when the runner is asked, so the model has been loaded by then.
std::optional<Failure> check_format(const Request& request) {
  if (!request.format || request.format->is_object() || *request.format == Json("json")) return std::nullopt;
  const std::string given = to_text(*request.format);
  return Failure{
      500, fmt::format("invalid format: {}; expected \"json\" or a valid JSON Schema object", to_text(Json(given)))};
}

bool is_command(const Request& request) {
  switch (request.route) {
    case Route::generate:
    case Route::completions: return request.prompt.empty();
    case Route::chat: return request.messages.empty();
    case Route::chat_completions: return false;
    default: return request.inputs.empty();
  }
}

// Section 2.4: a prompt longer than the context is cut to about half of it; of a chat, the oldest messages go.
std::optional<Failure> fit_context(const Request& request, std::uint32_t context, engine::Sequence& prompt) {
  if (prompt.size() <= context) return std::nullopt;
  const std::size_t last = request.messages.empty() ? 0 : tokenise(request.messages.back().content).size();
  if (!request.truncate || (request.is_chat() && last > context)) {
    const auto size = prompt.size();
    return from_runner(
        400, "exceed_context_size_error",
        fmt::format("request ({} tokens) exceeds the available context size ({} tokens), try increasing it", size,
                    context),
        Json{{"n_prompt_tokens", size}, {"n_ctx", context}});
  }
  const std::size_t kept = std::max<std::size_t>(context / 2, 1);
  prompt.erase(prompt.begin(), prompt.end() - static_cast<std::ptrdiff_t>(kept));
  return std::nullopt;
}

void embed(const Request& request, const ModelSettings& model, std::uint32_t context, std::uint64_t seed, Work& work,
           std::optional<Failure>& failure) {
  std::uint32_t size = model.spec.embedding;
  if (request.dimensions && *request.dimensions > 0) {
    size = static_cast<std::uint32_t>(std::min<std::int64_t>(size, *request.dimensions));
  }
  for (const std::string& input : request.inputs) {
    engine::Sequence prompt = token_hashes(input);
    if (prompt.empty()) prompt.emplace_back(0);
    if (prompt.size() > context) {
      if (!request.truncate) {
        failure = Failure{400, "the input length exceeds the context length"};
        return;
      }
      prompt.resize(context, 0);
    }
    work.ask.parts.push_back({.prompt = std::move(prompt), .answer = 0, .token = {}});
    work.vectors.push_back(embedding(seed, model.spec.weights, input, size));
  }
}

void generate(const Request& request, const ModelSettings& model, std::uint32_t context, std::uint64_t seed,
              Work& work) {
  work.rendered = render_prompt(request);
  engine::Sequence prompt = token_hashes(work.rendered);
  for (std::uint64_t i = 0; i < request.images * kImageTokens; ++i) prompt.emplace_back(i);
  if (prompt.empty()) prompt.emplace_back(0);
  if (request.route == Route::generate && !request.raw) {
    for (const engine::Piece& each : prompt) work.context.push_back(token_number(each.hash));
  }
  if (request.images > 0 && !model.spec.capabilities.vision) {
    work.refusal = from_runner(500, "server_error",
                               "image input is not supported - hint: this model does not support multimodal requests.");
    work.refusal->status = 400;
    return;
  }
  work.refusal = check_format(request);
  if (!work.refusal) work.refusal = fit_context(request, context, prompt);
  if (work.refusal) return;
  const std::int64_t most = std::int64_t{context} * 10;
  const std::int64_t wanted = request.num_predict.value_or(-1);
  const std::int64_t limit = wanted <= 0 || wanted > most ? most : wanted;
  work.script = std::make_shared<const Script>(seed, model, request, work.rendered, limit);
  const auto script = work.script;
  work.ask.parts.push_back(
      {.prompt = std::move(prompt), .answer = script->tokens(), .token = [script](std::uint32_t index) {
         return token_hash(script->piece(index).text());
       }});
}

}  // namespace

Decision decide(Request& request, const Store& store, const Node& node, std::uint64_t seed) {
  if (auto failure = check_name(request)) return *failure;
  const ModelSettings* model =
      request.route == Route::embeddings ? store.find_exactly(request.model) : store.find(request.model);
  if (model == nullptr) {
    const auto refusal = api::model_not_found(request.route, request.model);
    return Failure{refusal.status, refusal.message};
  }
  const bool command = is_command(request);
  if (command && !request.is_embedding() && request.keep_alive == Duration::zero()) return Unload{model};
  if (auto failure = check_values(request)) return *failure;
  if (auto failure = read_options(request)) return *failure;
  if (auto failure = check_capabilities(request, model->spec.capabilities)) return *failure;

  Work work;
  work.ask.model = model;
  work.ask.options = request.runner;
  work.ask.keep_alive = request.keep_alive;
  work.load_only = command;
  if (command) return work;
  const std::uint32_t context = node.context_of(*model, request.runner);
  if (!request.is_embedding()) {
    generate(request, *model, context, seed, work);
    return work;
  }
  if (!model->spec.capabilities.embedding) {
    constexpr std::string_view kText = "This server does not support embeddings. Start it with `--embeddings`";
    work.refusal = Failure{request.route == Route::embeddings ? 500 : 501, std::string(kText)};
    return work;
  }
  std::optional<Failure> failure;
  embed(request, *model, context, seed, work, failure);
  if (failure) return *failure;
  return work;
}

}  // namespace drover::sim
