#pragma once
// Requests without a prompt are commands: load this model, or unload it.

#include <cstdint>

#include "api/route.h"
#include "api/understood.h"

namespace drover::api {

enum class Command : std::uint8_t { none, load, unload };

// As the node decides it. Only generate and chat can unload (keep_alive 0); an empty `input` or `prompt` of the
// embedding routes loads whatever keep_alive says. A prompt counts as empty also beside images, a suffix or a context:
// the node looks at the prompt alone. OpenAI's chat and embeddings refuse what is empty, so they are never commands.
Command command_of(Route route, const Understood& body);

}  // namespace drover::api
