// Any bytes as a node's answer to a probe: no crash, every bound kept, and entries that read the same when passed on.
#include <algorithm>
#include <set>
#include <string>
#include <string_view>

#include "base/check.h"
#include "fleet/agent_report.h"
#include "fleet/probe_answers.h"

namespace {

using namespace drover;
using namespace drover::fleet;

bool is_digest(std::string_view text) {
  return text.empty() || (text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos);
}

void check_sizes(const StoredModel&) {}
void check_sizes(const RunningModel& model) {
  CHECK(model.size_vram <= model.size && model.context_length <= kMaxContextLength);
}

template <typename Entry>
void check_listing(std::string_view body, Result<Listing<Entry>> (*parse)(std::string_view)) {
  const auto listing = parse(body);
  if (!listing) return;
  CHECK(listing->models.size() <= kMaxModelsPerNode);
  std::set<std::string> keys;
  std::string relisted = R"({"models":[)";
  for (const Entry& model : listing->models) {
    CHECK(!model.name.empty() && keys.insert(model.key).second && is_digest(model.digest));
    CHECK(model.entry.size() <= kMaxEntryBytes && body.find(model.entry) != std::string_view::npos);
    check_sizes(model);
    if (keys.size() > 1) relisted += ',';
    relisted += model.entry;
  }
  const auto again = parse(relisted + "]}");
  CHECK(again && again->passed_over == 0 && again->models == listing->models);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  if (const auto version = parse_version_answer(body)) CHECK(!version->empty() && version->size() <= kMaxVersionBytes);
  check_listing(body, parse_tags_answer);
  check_listing(body, parse_ps_answer);
  if (const auto show = parse_show_answer(body)) {
    CHECK(show->body == body && show->weights.find_first_not_of("0123456789abcdef") == std::string::npos);
  }
  if (const auto report = parse_agent_answer(body)) {
    CHECK(!report->gpus.empty() && report->gpus.size() <= kMaxGpus && report->busy() >= 0 && report->busy() <= 1);
    CHECK(report->memory_total() > Bytes{} && report->memory_free() <= report->memory_total());
  }
  if (check_generation(body)) CHECK(body.find("eval_count") != std::string_view::npos);
  if (check_embedding(body)) CHECK(body.find('[') != std::string_view::npos);
  return 0;
}
