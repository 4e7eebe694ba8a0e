#include "sim/script.h"

#include <algorithm>

#include "base/ascii.h"
#include "base/random.h"

namespace drover::sim {
namespace {

// How long answers are that nothing limits: drawn from the prompt, between these.
constexpr std::uint64_t kShortest = 16;
constexpr std::uint64_t kSpread = 200;
constexpr std::uint64_t kThinkingShortest = 8;
constexpr std::uint64_t kThinkingSpread = 40;
constexpr std::size_t kSchemaDepth = 8;
// Stop sequences are looked for in this much of an answer; babble beyond it repeats nothing new.
constexpr std::uint32_t kStopWindow = 4'096;

Random random_of(std::uint64_t seed, const ModelSettings& model, const Request& request, const std::string& prompt) {
  const std::uint64_t chosen = static_cast<std::uint64_t>(request.seed);
  return Random(hash_text(prompt, hash_text(model.spec.weights, seed ^ Random(chosen).next())));
}

// Does the last user message ask for this tool: by its name, by a longer word of its name, or by the word itself?
bool asks_for(const std::string& said, std::string_view tool) {
  const std::string name = ascii::lower(tool);
  if (said.find(name) != std::string::npos || said.find("tool") != std::string::npos) return true;
  for (std::size_t at = 0; at < name.size();) {
    const std::size_t end = std::min(name.find_first_of("_-. ", at), name.size());
    if (end - at > 3 && said.find(name.substr(at, end - at)) != std::string::npos) return true;
    at = end + 1;
  }
  return false;
}

const Json* asked_tool(const Request& request) {
  if (request.messages.empty() || request.messages.back().role != "user") return nullptr;
  const std::string said = ascii::lower(request.messages.back().content);
  for (const Json& tool : request.tools) {
    const Json* function = member(tool, "function");
    if (function == nullptr) continue;
    const std::string_view name = text_at(*function, "name");
    if (!name.empty() && asks_for(said, name)) return function;
  }
  return nullptr;
}

std::string call_id(ToolShape shape, Random& random) {
  constexpr std::string_view kDigits = "abcdefghijklmnopqrstuvwxyz0123456789";
  constexpr std::string_view kMixed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  const bool own_line = shape == ToolShape::own_line;
  std::string id = own_line ? "call_" : "";
  for (int i = 0; i < (own_line ? 8 : 32); ++i) {
    id += own_line ? kDigits[random.below(kDigits.size())] : kMixed[random.below(kMixed.size())];
  }
  return id;
}

Json sample(const Json& schema, const Babble& words, std::uint64_t& next, std::size_t depth) {
  if (const Json* choices = member(schema, "enum"); choices != nullptr && choices->is_array() && !choices->empty()) {
    return choices->front();
  }
  const Json* type = member(schema, "type");
  if (type != nullptr && type->is_array() && !type->empty()) type = &type->front();
  const std::string_view kind =
      type != nullptr && type->is_string() ? std::string_view(type->get_ref<const std::string&>()) : "string";
  const Json* properties = member(schema, "properties");
  if (kind == "object" || properties != nullptr) {
    Json object = Json::object();
    if (properties == nullptr || !properties->is_object() || depth == 0) return object;
    for (const auto& [name, property] : properties->items()) object[name] = sample(property, words, next, depth - 1);
    return object;
  }
  if (kind == "array") {
    Json array = Json::array();
    const Json* items = member(schema, "items");
    if (items != nullptr && depth > 0) array.push_back(sample(*items, words, next, depth - 1));
    return array;
  }
  if (kind == "integer" || kind == "number") return static_cast<std::int64_t>(++next * 7);
  if (kind == "boolean") return true;
  if (kind == "null") return nullptr;
  ++next;
  return std::string(ascii::trim(words.token(next), " ."));
}

}  // namespace

std::string render_prompt(const Request& request) {
  std::string text;
  const auto turn = [&](std::string_view role, std::string_view content) {
    text.append("<|").append(role).append("|>").append(content).append("<|end|>");
  };
  if (request.is_chat()) {
    if (!request.tools.empty()) turn("tools", to_text(request.tools));
    for (const Message& message : request.messages) {
      std::string content(message.content);
      for (std::size_t i = 0; i < message.images; ++i) content += "<|image|>";
      turn(message.role, content);
    }
    return text + "<|assistant|>";
  }
  if (request.raw) return request.prompt;
  if (!request.system.empty()) turn("system", request.system);
  std::string content = request.prompt;
  for (std::size_t i = 0; i < request.images; ++i) content += "<|image|>";
  turn("user", content);
  if (!request.suffix.empty()) turn("suffix", request.suffix);
  return text + "<|assistant|>";
}

Json sample_of(const Json& schema, const Babble& words) {
  std::uint64_t next = 0;
  return sample(schema, words, next, kSchemaDepth);
}

Script::Script(std::uint64_t seed, const ModelSettings& model, const Request& request, const std::string& prompt,
               std::int64_t limit)
    : thoughts_(0), words_(0) {
  Random random = random_of(seed, model, request, prompt);
  thoughts_ = Babble(random.next());
  words_ = Babble(random.next());
  const bool thinks = model.spec.capabilities.thinking && request.think != Think::off && !request.raw;
  const auto thinking = static_cast<std::uint32_t>(kThinkingShortest + random.below(kThinkingSpread));
  const auto natural = static_cast<std::uint32_t>(kShortest + random.below(kSpread));
  if (thinks) thinking_ = thinking;
  std::uint32_t content = natural;
  if (const Json* function = model.spec.capabilities.tools ? asked_tool(request) : nullptr) {
    const Json* parameters = member(*function, "parameters");
    calls_.push_back({call_id(model.tool_shape, random), std::string(text_at(*function, "name")),
                      parameters == nullptr ? Json::object() : sample_of(*parameters, words_)});
    is_fixed_ = true;
    content = static_cast<std::uint32_t>(tokenise(calls_.back().name + to_text(calls_.back().arguments)).size());
  } else if (request.format) {
    const bool any = request.format->is_string();
    const Json object = any ? Json{{"answer", words_.text(6)}} : sample_of(*request.format, words_);
    const std::string text = to_text(object);
    for (const std::string_view token : tokenise(text)) fixed_.emplace_back(token);
    is_fixed_ = true;
    content = static_cast<std::uint32_t>(fixed_.size());
  } else if (request.num_predict && *request.num_predict > 0) {
    // Who names a length gets it: load tests and aborts need answers that do not end by themselves.
    content = static_cast<std::uint32_t>(limit) - std::min<std::uint32_t>(thinking_, static_cast<std::uint32_t>(limit));
    cut_ = true;
  }
  tokens_ = thinking_ + content;
  limit_to(limit);
  if (!request.stop.empty() && !is_fixed_) stop_at(request.stop);
}

void Script::limit_to(std::int64_t limit) {
  if (tokens_ <= limit) return;
  tokens_ = static_cast<std::uint32_t>(limit);
  thinking_ = std::min(thinking_, tokens_);
  cut_ = true;
  calls_.clear();
}

// The answer ends before the first stop sequence in its content.
void Script::stop_at(const std::vector<std::string>& stops) {
  std::string text;
  std::vector<std::size_t> starts;
  const std::uint32_t end = std::min(tokens_, thinking_ + kStopWindow);
  for (std::uint32_t i = thinking_; i < end; ++i) {
    starts.push_back(text.size());
    text += piece(i).content;
  }
  std::size_t first = std::string::npos;
  for (const std::string& stop : stops) first = std::min(first, text.find(stop));
  if (first == std::string::npos) return;
  const auto behind = std::ranges::upper_bound(starts, first);
  const auto last = static_cast<std::uint32_t>(behind - starts.begin() - 1);
  last_ = text.substr(starts[last], first - starts[last]);
  last_is_cut_ = true;
  tokens_ = thinking_ + last + 1;
  cut_ = false;
}

Piece Script::piece(std::uint32_t index) const {
  if (index < thinking_) return {thoughts_.token(index), {}};
  if (last_is_cut_ && index + 1 == tokens_) return {{}, last_};
  const std::uint32_t at = index - thinking_;
  if (is_fixed_) return {{}, at < fixed_.size() ? fixed_[at] : std::string()};
  return {{}, words_.token(at)};
}

std::string Script::content(std::uint32_t end) const {
  std::string text;
  for (std::uint32_t i = thinking_; i < std::min(end, tokens_); ++i) text += piece(i).content;
  return text;
}

std::vector<std::string> Script::texts(std::uint32_t end) const {
  std::vector<std::string> texts;
  for (std::uint32_t i = 0; i < std::min(end, tokens_); ++i) texts.push_back(piece(i).text());
  return texts;
}

std::string Script::thinking(std::uint32_t end) const {
  std::string text;
  for (std::uint32_t i = 0; i < std::min({end, thinking_, tokens_}); ++i) text += thoughts_.token(i);
  return text;
}

}  // namespace drover::sim
