#pragma once
// Names of models: `[host/][namespace/]model[:tag]`, with the defaults registry.ollama.ai, library and latest.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace drover::api {

// Where a name asks to be run: a suffix `:local` or `:cloud`, or a tag that ends in `-cloud`.
enum class ModelSource : std::uint8_t { any, local, cloud, conflict };
ModelSource source_of(std::string_view name);

// The node would send the prompt to ollama.com. Also true where both suffixes conflict: nothing of it stays here for
// sure.
bool is_cloud_name(std::string_view name);

struct ModelName {
  std::string host;
  std::string name_space;
  std::string model;
  std::string tag;

  // Two names are one model exactly if their keys are equal: all four parts, lower case.
  std::string key() const;
  // As /api/tags shows it: always with the tag, without the default host and namespace.
  std::string display() const;
};

// nullopt: no node of kind `ollama` accepts it ("invalid model name"). Blanks around it and `:local` are dropped.
std::optional<ModelName> parse_model_name(std::string_view name);

// The key of a name for look-ups. What is no Ollama name stays as it is, since other engines name models otherwise.
std::string model_key(std::string_view name);

}  // namespace drover::api
