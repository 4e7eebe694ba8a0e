// The metadata answers of answers.h: tags, ps, show, version, models.
#include <fmt/format.h>

#include <algorithm>

#include "api/go_json.h"
#include "api/model_name.h"
#include "base/json.h"
#include "sim/answers.h"
#include "sim/go_object.h"
#include "sim/openai_answers.h"

namespace drover::sim {
namespace {

std::string details_text(const engine::ModelSpec& spec, bool lengths) {
  GoObject object;
  object.text("parent_model", "")
      .text("format", "gguf")
      .text("family", spec.family)
      .raw("families", '[' + api::go_string(spec.family) + ']')
      .text("parameter_size", spec.parameter_size)
      .text("quantization_level", spec.quantization);
  if (lengths) object.number_if("context_length", spec.context).number_if("embedding_length", spec.embedding);
  return object.str();
}

std::string capabilities_text(const engine::Capabilities& can) {
  std::string text = "[";
  const auto add = [&](bool has, std::string_view word) {
    if (!has) return;
    if (text.size() > 1) text += ',';
    text += api::go_string(word);
  };
  add(can.embedding, "embedding");
  add(can.completion, "completion");
  add(can.vision, "vision");
  add(can.tools, "tools");
  add(can.insert, "insert");
  add(can.thinking, "thinking");
  return text + ']';
}

std::vector<const ModelSettings*> newest_first(const Store& store) {
  std::vector<const ModelSettings*> models;
  for (const ModelSettings& model : store.models()) models.push_back(&model);
  std::ranges::sort(models, std::ranges::greater{}, [&](const auto* each) { return store.modified(*each); });
  return models;
}

std::string owner(const ModelSettings& model) {
  const auto name = api::parse_model_name(model.spec.name);
  return name ? name->name_space : "library";
}

// What `ollama show` prints of a template; enough for a client to find its variables.
std::string_view template_text(const engine::Capabilities& can) {
  return can.completion
             ? "{{ if .System }}<|system|>{{ .System }}<|end|>{{ end }}<|user|>{{ .Prompt }}<|end|><|assistant|>"
             : "{{ .Prompt }}";
}

}  // namespace

std::string tags_answer(const Store& store) {
  std::string models = "[";
  for (const ModelSettings* model : newest_first(store)) {
    if (models.size() > 1) models += ',';
    models += GoObject()
                  .text("name", model->spec.name)
                  .text("model", model->spec.name)
                  .text("modified_at", api::go_time(store.modified(*model)))
                  .number("size", static_cast<std::int64_t>(model->spec.file.value))
                  .text("digest", Store::digest(*model))
                  .raw("details", details_text(model->spec, true))
                  .raw("capabilities", capabilities_text(model->spec.capabilities))
                  .str();
  }
  return GoObject().raw("models", models + ']').str();
}

std::string ps_answer(const std::vector<Running>& running, Mono now, Wall wall) {
  // Go's time for ever is about 292 years away.
  constexpr Duration kFarthest = std::chrono::hours(24 * 365 * 200);
  std::string models = "[";
  for (const Running& each : running) {
    if (models.size() > 1) models += ',';
    const Duration left = each.expires == kNever ? kFarthest : each.expires - now;
    models += GoObject()
                  .text("name", each.model->spec.name)
                  .text("model", each.model->spec.name)
                  .number("size", static_cast<std::int64_t>(each.size.value))
                  .text("digest", Store::digest(*each.model))
                  .raw("details", details_text(each.model->spec, false))
                  .text("expires_at", api::go_time(wall + left))
                  .number("size_vram", static_cast<std::int64_t>(each.size_vram.value))
                  .number("context_length", each.context)
                  .str();
  }
  return GoObject().raw("models", models + ']').str();
}

std::string agent_answer(const Node& node, std::string_view card) {
  const Bytes total = node.vram(), used = std::min(node.vram_used(), total);
  const Json gpu{{"name", fmt::format("simulated {}", card)},
                 {"busy", node.busy()},
                 {"memory_free", (total - used).value},
                 {"memory_total", total.value}};
  return to_text(Json{{"gpus", Json::array({gpu})}});
}

std::string version_answer(std::string_view version) { return GoObject().text("version", version).str(); }

std::string model_answer(const Store& store, const ModelSettings& model, std::string_view asked) {
  const auto created =
      std::chrono::duration_cast<std::chrono::seconds>(store.modified(model).time_since_epoch()).count();
  return GoObject()
      .text("id", asked)
      .text("object", "model")
      .number("created", created)
      .text("owned_by", owner(model))
      .str();
}

std::string models_answer(const Store& store) {
  std::string data;
  for (const ModelSettings* model : newest_first(store)) {
    data += data.empty() ? "[" : ",";
    data += model_answer(store, *model, model->spec.name);
  }
  return GoObject().text("object", "list").raw("data", data.empty() ? "null" : data + ']').str() + '\n';
}

std::string show_answer(const Store& store, const ModelSettings& model, bool verbose) {
  const engine::ModelSpec& spec = model.spec;
  const std::string prefix = spec.family + '.';
  GoObject info;
  info.text("general.architecture", spec.family)
      .number("general.file_type", 15)
      .number("general.parameter_count", static_cast<std::int64_t>(spec.parameters))
      .number("general.quantization_version", 2)
      .number(prefix + "block_count", spec.layers)
      .number(prefix + "context_length", spec.context)
      .number(prefix + "embedding_length", spec.embedding);
  if (spec.capabilities.embedding) info.number(prefix + "pooling_type", 1);
  info.text("tokenizer.ggml.model", "gpt2").raw("tokenizer.ggml.tokens", "[]");
  GoObject object;
  if (spec.capabilities.thinking) object.raw("thinking", R"({"values":[false,true],"default":true})");
  const std::string modelfile = fmt::format(
      "# Modelfile generated by \"ollama show\"\n# To build a new Modelfile based on this, replace FROM with:\n# FROM "
      "{}\n\nFROM /var/lib/ollama/models/blobs/sha256-{}\nTEMPLATE \"\"\"{}\"\"\"\n",
      spec.name, spec.weights, template_text(spec.capabilities));
  object.text("modelfile", modelfile)
      .text("template", template_text(spec.capabilities))
      .raw("details", details_text(spec, false))
      .raw("model_info", info.str());
  if (verbose) {
    object.raw("tensors",
               fmt::format(R"([{{"name":"token_embd.weight","type":"Q8_0","shape":[{},128000]}}])", spec.embedding));
  }
  return object.raw("capabilities", capabilities_text(spec.capabilities))
      .text("modified_at", api::go_time(store.modified(model)))
      .str();
}

}  // namespace drover::sim
