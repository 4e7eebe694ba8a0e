#include "stub/probes.h"

namespace drover::bench {
namespace {

#define BENCH_DIGEST "7f2d1c9be0a4536881ddc2f04b9a6e5377aa10f8c4d2b6e90a1b3c5d7e9f0246"
#define BENCH_DETAILS                                                                                              \
  R"("details":{"parent_model":"","format":"gguf","family":"llama","families":["llama"],"parameter_size":"3.2B",)" \
  R"("quantization_level":"Q4_K_M"})"

struct Answer {
  std::string_view target;
  std::string_view body;
};

// A node of Ollama, with the benchmark's model in its memory for good; below, what SGLang and vLLM say of themselves.
constexpr Answer kAnswers[] = {
    {"GET /api/version", R"({"version":"0.34.4"})"},
    {"GET /api/tags",
     R"({"models":[{"name":"m:latest","model":"m:latest","modified_at":"2026-11-01T08:00:00Z","size":2019393189,)"
     R"("digest":")" BENCH_DIGEST R"(",)" BENCH_DETAILS R"(,"capabilities":["completion","tools"]}]})"},
    {"GET /api/ps",
     R"({"models":[{"name":"m:latest","model":"m:latest","size":4100000000,"digest":")" BENCH_DIGEST
     R"(",)" BENCH_DETAILS R"(,"expires_at":"2318-01-01T00:00:00Z","size_vram":4100000000,"context_length":262144}]})"},
    {"POST /api/show",
     R"({"modelfile":"FROM /models/blobs/sha256-)" BENCH_DIGEST R"(\n","template":"{{ .Prompt }}",)" BENCH_DETAILS
     R"(,"model_info":{"general.architecture":"llama","llama.context_length":262144},)"
     R"("capabilities":["completion","tools"],"modified_at":"2026-11-01T08:00:00Z"})"},
    {"GET /v1/models", R"({"object":"list","data":[{"id":"m","object":"model","created":1,"owned_by":"bench"}]})"},
    {"GET /health", "{}"},
    {"GET /health_generate", "{}"},
    {"GET /get_model_info", R"({"model_path":"m","tokenizer_path":"m","is_generation":true})"},
    {"GET /model_info", R"({"model_path":"m","tokenizer_path":"m","is_generation":true})"},
    {"GET /get_server_info", R"({"model_path":"m","served_model_name":"m","tp_size":1,"dp_size":1})"},
    {"GET /server_info", R"({"model_path":"m","served_model_name":"m","tp_size":1,"dp_size":1})"},
    {"GET /version", R"({"version":"0.10.0"})"},
    {"GET /get_load", "[]"},
    {"POST /flush_cache", "{}"},
    {"HEAD /", ""},
    {"GET /", "Ollama is running"},
};

}  // namespace

std::optional<std::string_view> probe_answer(std::string_view target) {
  for (const Answer& answer : kAnswers) {
    if (answer.target == target) return answer.body;
  }
  return std::nullopt;
}

}  // namespace drover::bench
