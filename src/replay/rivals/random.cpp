// A random node for each request, as Open WebUI chooses among its Ollama servers (backend/open_webui/routers/ollama.py,
// get_ollama_url: random.choice of those that list the model).
#include "replay/rivals/rival.h"

namespace drover::replay {
namespace {

class RandomRival final : public Rival {
 public:
  std::optional<std::size_t> pick(const Call&, std::span<const Backend> backends, Mono, Random& random) override {
    return random.below(backends.size());
  }
};

}  // namespace

std::unique_ptr<Rival> make_random() { return std::make_unique<RandomRival>(); }

}  // namespace drover::replay
