#pragma once
// Prompts leave the building only where that was asked for.

#include <optional>
#include <string_view>

#include "api/dialect.h"

namespace drover::guard {

// `name`: the model as the client wrote it; `remote`: the fleet says that it runs elsewhere (fleet::Model::remote).
// A node would send the prompt to ollama.com or another host. The refusal is 403 `cloud_model`.
std::optional<api::Refusal> refuse_cloud(std::string_view name, bool remote, bool allow_cloud);

}  // namespace drover::guard
