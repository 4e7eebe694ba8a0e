#include "api/command.h"

namespace drover::api {

Command command_of(Route route, const Understood& body) {
  switch (route) {
    case Route::generate:
    case Route::chat: {
      const Member& text = route == Route::generate ? body.prompt : body.messages;
      if (!text.absent_or_empty()) return Command::none;
      return body.keep_alive == KeepAlive::zero ? Command::unload : Command::load;
    }
    case Route::embed: return body.input.absent_or_empty() ? Command::load : Command::none;
    case Route::embeddings:
    case Route::completions: return body.prompt.absent_or_empty() ? Command::load : Command::none;
    default: return Command::none;
  }
}

}  // namespace drover::api
