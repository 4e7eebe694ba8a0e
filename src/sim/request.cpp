#include "sim/request.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "api/go_duration.h"
#include "base/ascii.h"
#include "sim/go_decode.h"

namespace drover::sim {
namespace {

using api::Route;

std::string_view struct_name(Route route) {
  switch (route) {
    case Route::generate: return ".GenerateRequest";  // an embedded struct, as of v0.34.4
    case Route::chat: return ".ChatRequest";
    case Route::embeddings: return "EmbeddingRequest";
    case Route::chat_completions: return "ChatCompletionRequest";
    case Route::completions: return "CompletionRequest";
    default: return "EmbedRequest";
  }
}

constexpr std::size_t kNotBase64 = std::string_view::npos;

// The offset of the first byte that standard base64 with padding does not have there; npos when all is well.
std::size_t base64_fault(std::string_view text) {
  std::size_t size = text.size();
  while (size > 0 && text.size() - size < 2 && text[size - 1] == '=') --size;
  for (std::size_t i = 0; i < size; ++i) {
    if (!ascii::is_alnum(text[i]) && text[i] != '+' && text[i] != '/') return i;
  }
  return text.size() % 4 == 0 ? kNotBase64 : text.size();
}

// Reads one body. Each step leaves the first failure in failure_ and the others do nothing harmful after it.
class Reader {
 public:
  Reader(Route route, const Json& body)
      : fields_(body, std::string(struct_name(route)), type_error_),
        openai_(api::dialect(route) == api::Dialect::openai) {
    request_.route = route;
  }

  std::expected<Request, Failure> read() {
    request_.model = fields_.text("model");
    request_.stream = fields_.flag("stream").value_or(api::streams_by_default(request_.route));
    switch (request_.route) {
      case Route::generate: generate(); break;
      case Route::chat: chat(); break;
      case Route::embed: embed(); break;
      case Route::embeddings: embeddings(); break;
      case Route::chat_completions: chat_completions(); break;
      case Route::completions: completions(); break;
      default: openai_embeddings(); break;
    }
    if (!openai_) native_rest();
    if (!type_error_.empty()) return std::unexpected(Failure{400, type_error_, openai_});
    if (failure_) return std::unexpected(*failure_);
    return std::move(request_);
  }

 private:
  void fail(std::string message) { fail(Failure{400, std::move(message), openai_}); }
  void fail(Failure failure) {
    if (!failure_) failure_ = std::move(failure);
  }

  void images(const GoFields& fields, std::size_t& count) {
    const Json* list = fields.array("images", "[]api.ImageData");
    if (list == nullptr) return;
    for (const Json& image : *list) {
      if (!image.is_string()) {
        fields.mismatch(image, "images", "api.ImageData");
        return;
      }
      const std::size_t fault = base64_fault(image.get_ref<const std::string&>());
      if (fault != kNotBase64) fail(fmt::format("illegal base64 data at input byte {}", fault));
      ++count;
    }
  }

  void generate() {
    request_.prompt = fields_.text("prompt");
    request_.suffix = fields_.text("suffix");
    request_.system = fields_.text("system");
    request_.raw = fields_.flag("raw").value_or(false);
    const Json* context = fields_.array("context", "[]int");
    request_.templated =
        !fields_.text("template").empty() || !request_.system.empty() || (context != nullptr && !context->empty());
    images(fields_, request_.images);
    thinking();
    format();
    request_.debug_render_only = fields_.flag("_debug_render_only").value_or(false);
    logprobs();
  }

  void chat() {
    if (const Json* list = fields_.array("messages", "[]api.Message")) {
      for (const Json& each : *list) native_message(each);
    }
    if (const Json* tools = fields_.array("tools", "api.Tools")) request_.tools = *tools;
    thinking();
    format();
    request_.debug_render_only = fields_.flag("_debug_render_only").value_or(false);
    logprobs();
  }

  void native_message(const Json& each) {
    if (!each.is_object()) return fields_.mismatch(each, "messages", "api.Message");
    const GoFields fields(each, fields_.path() + ".messages", type_error_);
    Message message{ascii::lower(fields.text("role")), fields.text("content"), 0};
    images(fields, message.images);
    request_.images += message.images;
    if (const Json* calls = fields.array("tool_calls", "[]api.ToolCall")) {
      for (const Json& call : *calls) message.content += to_text(call);
    }
    request_.messages.push_back(std::move(message));
  }

  void embed() {
    const Json* input = fields_.find("input");
    if (input == nullptr) return;
    inputs(*input);
    request_.dimensions = fields_.integer("dimensions");
  }

  void inputs(const Json& input) {
    if (input.is_string()) {
      if (!input.get_ref<const std::string&>().empty() || openai_) request_.inputs.push_back(input);
      return;
    }
    // The handler's own check, also behind OpenAI's layer.
    const Failure wrong_type{400, "invalid input type"};
    if (!input.is_array()) return fail(wrong_type);
    for (const Json& each : input) {
      if (!each.is_string()) return fail(wrong_type);
      request_.inputs.push_back(each);
    }
  }

  void embeddings() {
    request_.prompt = fields_.text("prompt");
    if (!request_.prompt.empty()) request_.inputs.push_back(request_.prompt);
  }

  void chat_completions() {
    const Json* list = fields_.array("messages", "[]openai.Message");
    if (list == nullptr || list->empty()) return fail("[] is too short - 'messages'");
    for (const Json& each : *list) openai_message(each);
    if (const Json* tools = fields_.array("tools", "[]api.Tool")) request_.tools = *tools;
    effort();
    logprobs();
    stream_options();
    sampling();
    if (const Json* wanted = fields_.object("response_format", "openai.ResponseFormat")) {
      const std::string_view kind = text_at(*wanted, "type");
      if (kind == "json_object") request_.format = Json("json");
      const Json* schema = member(*wanted, "json_schema");
      if (kind == "json_schema" && schema != nullptr && member(*schema, "schema") != nullptr) {
        request_.format = *member(*schema, "schema");
      }
    }
  }

  // Each part of a content array becomes a message of its own.
  void openai_message(const Json& each) {
    if (!each.is_object()) return fields_.mismatch(each, "messages", "openai.Message");
    const GoFields fields(each, "Message", type_error_);
    const std::string role = ascii::lower(fields.text("role"));
    const Json* content = fields.find("content");
    if (content == nullptr || content->is_string()) {
      std::string text = content == nullptr ? std::string() : content->get<std::string>();
      if (const Json* calls = fields.array("tool_calls", "[]openai.ToolCall")) {
        for (const Json& call : *calls) text += to_text(call);
      }
      request_.messages.push_back({role, std::move(text), 0});
      return;
    }
    if (!content->is_array()) return fail(fmt::format("invalid message content type: {}", go_type(*content)));
    for (const Json& part : *content) {
      const std::string_view kind = text_at(part, "type");
      if (kind == "text") {
        request_.messages.push_back({role, std::string(text_at(part, "text")), 0});
      } else if (kind == "image_url") {
        image_part(part, role);
      } else if (kind != "input_audio") {
        fail("invalid message format");
      }
    }
  }

  static std::string_view go_type(const Json& value) {
    if (value.is_boolean()) return "bool";
    return value.is_number() ? "float64" : "map[string]interface {}";
  }

  void image_part(const Json& part, const std::string& role) {
    const Json* image = member(part, "image_url");
    if (image == nullptr) return fail("invalid message format");
    const std::string_view url =
        image->is_string() ? std::string_view(image->get_ref<const std::string&>()) : text_at(*image, "url");
    if (url.starts_with("http://") || url.starts_with("https://")) {
      return fail("image URLs are not currently supported, please use base64 encoded data instead");
    }
    constexpr std::array<std::string_view, 5> kPrefixes{"data:image/jpeg;base64,", "data:image/jpg;base64,",
                                                        "data:image/png;base64,", "data:image/webp;base64,",
                                                        "data:;base64,"};
    const auto prefix = std::ranges::find_if(kPrefixes, [&](std::string_view each) { return url.starts_with(each); });
    if (prefix == kPrefixes.end() || base64_fault(url.substr(prefix->size())) != kNotBase64) {
      return fail("invalid image input");
    }
    request_.messages.push_back({role, "", 1});
    ++request_.images;
  }

  void effort() {
    std::string level = fields_.text("reasoning_effort");
    if (const Json* reasoning = fields_.object("reasoning", "openai.Reasoning")) {
      if (const auto inner = text_at(*reasoning, "effort"); !inner.empty()) level = inner;
    }
    if (level.empty()) return;
    constexpr std::array<std::string_view, 7> kEfforts{"minimal", "low", "medium", "high", "max", "xhigh", "ultra"};
    if (level == "none") {
      request_.think = Think::off;
    } else if (std::ranges::find(kEfforts, level) != kEfforts.end()) {
      request_.think = Think::on;
      request_.think_level = level;
    } else {
      fail(fmt::format("invalid reasoning value: '{}' (must be \"high\", \"medium\", \"low\", \"max\", or \"none\")",
                       level));
    }
  }

  void stream_options() {
    if (const Json* wanted = fields_.object("stream_options", "openai.StreamOptions")) {
      const GoFields fields(*wanted, fields_.path() + ".stream_options", type_error_);
      request_.include_usage = fields.flag("include_usage").value_or(false);
    }
  }

  void sampling() {
    if (const auto most = fields_.integer("max_tokens")) request_.options["num_predict"] = *most;
    if (const auto seed = fields_.integer("seed")) request_.options["seed"] = *seed;
    fields_.number("temperature");
    fields_.number("top_p");
    const Json* stop = fields_.find("stop");
    if (stop == nullptr) return;
    if (stop->is_string()) request_.options["stop"] = Json::array({*stop});
    if (stop->is_array()) request_.options["stop"] = *stop;
  }

  void completions() {
    request_.prompt = fields_.text("prompt");
    request_.suffix = fields_.text("suffix");
    stream_options();
    sampling();
  }

  void openai_embeddings() {
    const Json* input = fields_.find("input");
    if (input == nullptr || (input->is_array() && input->empty())) return fail("invalid input");
    inputs(*input);
    request_.dimensions = fields_.integer("dimensions");
    const std::string encoding = fields_.text("encoding_format");
    request_.base64 = encoding == "base64";
    if (!encoding.empty() && encoding != "float" && encoding != "base64") {
      fail(fmt::format("invalid encoding_format: {}", encoding));
    }
  }

  // What all native routes have.
  void native_rest() {
    if (const Json* options = fields_.object("options", "map[string]interface {}")) request_.options = *options;
    request_.truncate = fields_.flag("truncate").value_or(true);
    request_.runner.shift = fields_.flag("shift").value_or(true);
    keep_alive();
  }

  void keep_alive() {
    const Json* value = fields_.find("keep_alive");
    if (value == nullptr) return;
    std::optional<Duration> parsed;
    if (value->is_number()) {
      const double given = value->get<double>();
      constexpr double kCentury = 3.2e9;
      parsed = given < 0 || given > kCentury ? kForever : Duration{std::llround(given * 1e9)};
    } else if (value->is_string()) {
      const auto& text = value->get_ref<const std::string&>();
      parsed = api::parse_go_duration(text);
      if (!parsed) return fail(duration_fault(text));
      if (*parsed < Duration::zero()) parsed = kForever;
    } else {
      constexpr std::string_view kTypes[] = {"bool", "map[string]interface {}", "[]interface {}"};
      return fail(fmt::format("Unsupported type: '{}'", kTypes[value->is_boolean() ? 0 : value->is_object() ? 1 : 2]));
    }
    request_.keep_alive = parsed;
  }

  static std::string duration_fault(const std::string& text) {
    const bool number = !text.empty() && text.find_first_not_of("+-.0123456789") == std::string::npos &&
                        text.find_first_of("0123456789") != std::string::npos;
    return fmt::format("time: {} duration \"{}\"", number ? "missing unit in" : "invalid", text);
  }

  void thinking() {
    const Json* think = fields_.find("think");
    if (think == nullptr) return;
    if (think->is_boolean()) {
      request_.think = think->get<bool>() ? Think::on : Think::off;
    } else if (think->is_string()) {
      request_.think = Think::on;
      request_.think_level = think->get<std::string>();
    } else {
      fail("think must be a boolean or string");
    }
  }

  void format() {
    const Json* format = fields_.find("format");
    if (format != nullptr && !(format->is_string() && format->get_ref<const std::string&>().empty())) {
      request_.format = *format;
    }
  }

  void logprobs() {
    request_.logprobs = fields_.flag("logprobs").value_or(false);
    const auto top = fields_.integer("top_logprobs");
    if (top && (*top < 0 || *top > 20)) fail("top_logprobs must be between 0 and 20");
    request_.top_logprobs = static_cast<std::size_t>(std::clamp<std::int64_t>(top.value_or(0), 0, 20));
  }

  std::string type_error_;
  GoFields fields_;
  bool openai_;
  Request request_;
  std::optional<Failure> failure_;
};

enum class OptionType : std::uint8_t { integer, real, boolean, texts };

struct OptionRule {
  std::string_view name;
  OptionType type;
};
constexpr OptionRule kOptions[] = {
    {"num_ctx", OptionType::integer},
    {"num_batch", OptionType::integer},
    {"num_gpu", OptionType::integer},
    {"main_gpu", OptionType::integer},
    {"use_mmap", OptionType::boolean},
    {"num_thread", OptionType::integer},
    {"draft_num_predict", OptionType::integer},
    {"num_keep", OptionType::integer},
    {"seed", OptionType::integer},
    {"num_predict", OptionType::integer},
    {"top_k", OptionType::integer},
    {"top_p", OptionType::real},
    {"min_p", OptionType::real},
    {"repeat_last_n", OptionType::integer},
    {"temperature", OptionType::real},
    {"repeat_penalty", OptionType::real},
    {"presence_penalty", OptionType::real},
    {"frequency_penalty", OptionType::real},
    {"stop", OptionType::texts},
};

std::optional<Failure> check_option(const Json& options, const OptionRule& rule) {
  const Json* value = member(options, rule.name);
  if (value == nullptr || value->is_null()) return std::nullopt;
  const auto wrong = [&](std::string_view what) {
    return Failure{500, fmt::format("option \"{}\" must be of {}", rule.name, what)};
  };
  switch (rule.type) {
    case OptionType::integer: return value->is_number() ? std::nullopt : std::optional(wrong("type integer"));
    case OptionType::real: return value->is_number() ? std::nullopt : std::optional(wrong("type float32"));
    case OptionType::boolean: return value->is_boolean() ? std::nullopt : std::optional(wrong("type boolean"));
    case OptionType::texts:
      if (!value->is_array()) return wrong("type array");
      for (const Json& each : *value) {
        if (!each.is_string()) return wrong("an array of strings");
      }
  }
  return std::nullopt;
}

std::optional<std::int64_t> whole(const Json& options, std::string_view name) {
  const Json* value = member(options, name);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  return value->is_number_integer() ? value->get<std::int64_t>() : static_cast<std::int64_t>(value->get<double>());
}

}  // namespace

std::expected<Request, Failure> read_request(Route route, std::string_view body) {
  const bool openai = api::dialect(route) == api::Dialect::openai;
  const auto document = go_decode(body);
  if (!document) {
    const bool nothing = document.error() == "EOF";
    return std::unexpected(Failure{400, nothing && !openai ? "missing request body" : document.error(), openai});
  }
  static const Json kNothing = Json::object();
  if (!document->value.is_object() && !document->value.is_null()) {
    const std::string_view name = struct_name(route);
    const std::string type =
        name.starts_with('.') ? fmt::format("struct {{ *api{}; Think json.RawMessage \"json:\\\"think\\\"\" }}", name)
                              : fmt::format("{}.{}", openai ? "openai" : "api", name);
    return std::unexpected(
        Failure{400, fmt::format("json: cannot unmarshal {} into Go value of type {}", go_kind(document->value), type),
                openai});
  }
  return Reader(route, document->value.is_null() ? kNothing : document->value).read();
}

std::optional<Failure> read_options(Request& request) {
  const Json& options = request.options;
  if (const Json* typical = member(options, "typical_p"); typical != nullptr && !typical->is_null()) {
    return Failure{400, "typical_p is no longer supported"};
  }
  for (const OptionRule& rule : kOptions) {
    if (auto failure = check_option(options, rule)) return failure;
  }
  RunnerOptions& runner = request.runner;
  runner.num_ctx = whole(options, "num_ctx");
  if (runner.num_ctx) runner.num_ctx = std::max<std::int64_t>(*runner.num_ctx, 4);
  runner.num_batch = whole(options, "num_batch");
  runner.num_gpu = whole(options, "num_gpu");
  if (runner.num_gpu && *runner.num_gpu < 0) runner.num_gpu.reset();
  runner.main_gpu = whole(options, "main_gpu");
  runner.num_thread = whole(options, "num_thread");
  if (runner.num_thread == 0) runner.num_thread.reset();
  runner.draft_num_predict = whole(options, "draft_num_predict");
  if (const Json* mmap = member(options, "use_mmap"); mmap != nullptr && mmap->is_boolean()) {
    runner.use_mmap = mmap->get<bool>();
  }
  request.num_predict = whole(options, "num_predict");
  request.seed = whole(options, "seed").value_or(0);
  if (const Json* stop = member(options, "stop"); stop != nullptr && stop->is_array()) {
    for (const Json& each : *stop) {
      if (const auto& text = each.get_ref<const std::string&>(); !text.empty()) request.stop.push_back(text);
    }
  }
  return std::nullopt;
}

}  // namespace drover::sim
