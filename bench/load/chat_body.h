#pragma once
// Requests as chat clients send them: a conversation that has grown to a size, `model` last, with what bodies of JSON
// have in life: escapes, code, text beyond ASCII.

#include <cstddef>
#include <string>

#include "talk/script.h"

namespace drover::bench {

struct ChatRequest {
  std::string bytes;       // head and body
  std::size_t tag_at = 0;  // in `bytes`, where each request writes its own tag
  BodySeen body;           // what the node must say that it saw
};

struct ChatSettings {
  Dialect dialect = Dialect::ollama;
  std::size_t body_bytes = 200;  // at least about 170; met exactly above that
  bool stream = false;
  std::string host;  // for the Host field
};

// The same settings give the same bytes.
ChatRequest chat_request(const ChatSettings& settings);

}  // namespace drover::bench
