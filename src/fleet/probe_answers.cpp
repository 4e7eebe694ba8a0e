#include "fleet/probe_answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "api/model_name.h"
#include "base/ascii.h"
#include "base/json.h"
#include "fleet/raw_entries.h"
#include "fleet/timestamp.h"

namespace drover::fleet {
namespace {

constexpr std::size_t kDigestDigits = 64;
constexpr std::size_t kMaxNameBytes = 256;
constexpr std::size_t kMaxHostBytes = 256;
constexpr std::size_t kMaxCapabilityWords = 64;
constexpr std::size_t kMaxModelInfoBytes = 1024 * 1024;

Error broken(std::string_view what) {
  return Error{ErrorCode::protocol, Side::upstream, fmt::format("the answer is {}", what)};
}

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

// 64 hex digits, with or without `sha256:` before them; empty: something else.
std::string read_digest(std::string_view text) {
  constexpr std::string_view kPrefix = "sha256:";
  if (text.starts_with(kPrefix)) text.remove_prefix(kPrefix.size());
  if (text.size() != kDigestDigits) return {};
  std::string digest = ascii::lower(text);
  return digest.find_first_not_of("0123456789abcdef") == std::string::npos ? digest : std::string();
}

std::uint64_t read_count(const Json& object, std::string_view key) {
  const std::int64_t value = integer_at(object, key);
  return value > 0 ? static_cast<std::uint64_t>(value) : 0;
}

std::uint64_t read_context(const Json& object, std::string_view key) {
  const std::uint64_t tokens = read_count(object, key);
  return tokens <= kMaxContextLength ? tokens : 0;
}

std::string read_remote_host(const Json& object) {
  return std::string(text_at(object, "remote_host").substr(0, kMaxHostBytes));
}

Capabilities read_capabilities(const Json* words) {
  Capabilities capabilities;
  if (words == nullptr || !words->is_array()) return capabilities;
  capabilities.set_known();
  for (std::size_t i = 0; i < std::min(words->size(), kMaxCapabilityWords); ++i) {
    const Json& word = (*words)[i];
    if (word.is_string()) capabilities.add(word.get_ref<const std::string&>());
  }
  return capabilities;
}

// The name and its key; nullopt: no name that this gateway would ever route or show.
template <typename Entry>
bool read_name(const Json& object, Entry& entry) {
  std::string_view name = text_at(object, "name");
  if (name.empty()) name = text_at(object, "model");
  if (name.empty() || name.size() > kMaxNameBytes || !is_printable(name)) return false;
  const auto parsed = api::parse_model_name(name);
  if (!parsed) return false;
  entry.name = name;
  entry.key = parsed->key();
  return true;
}

std::optional<StoredModel> read_stored(const Json& object) {
  StoredModel model;
  if (!read_name(object, model)) return std::nullopt;
  model.digest = read_digest(text_at(object, "digest"));
  model.size = Bytes{read_count(object, "size")};
  model.modified = parse_timestamp(text_at(object, "modified_at")).value_or(Wall{});
  model.remote_host = read_remote_host(object);
  model.capabilities = read_capabilities(member(object, "capabilities"));
  return model;
}

std::optional<RunningModel> read_running(const Json& object) {
  RunningModel model;
  if (!read_name(object, model)) return std::nullopt;
  model.digest = read_digest(text_at(object, "digest"));
  model.size = Bytes{read_count(object, "size")};
  model.size_vram = Bytes{read_count(object, "size_vram")};
  if (model.size_vram > model.size) model.size = model.size_vram = Bytes{};  // the node does not know either
  model.expires = parse_timestamp(text_at(object, "expires_at")).value_or(Wall::max());
  model.context_length = read_context(object, "context_length");
  return model;
}

template <typename Entry>
Result<Listing<Entry>> read_listing(std::string_view body, std::optional<Entry> (*read)(const Json&)) {
  std::string_view array;
  const bool whole = for_each_raw_member(body, [&](std::string_view key, std::string_view value) {
    if (key == "models") array = value;
  });
  if (!whole || array.empty()) return broken("no JSON object with `models`");

  Listing<Entry> listing;
  if (array == "null") return listing;
  std::set<std::string, std::less<>> seen;
  const auto add = [&](std::string_view text) {
    if (listing.models.size() == kMaxModelsPerNode || text.size() > kMaxEntryBytes) return false;
    const auto object = parse_json(text);
    auto entry = object ? read(*object) : std::nullopt;
    if (!entry || !seen.insert(entry->key).second) return false;
    entry->entry = text;
    listing.models.push_back(std::move(*entry));
    return true;
  };
  const bool is_array = for_each_raw_element(array, [&](std::string_view text) {
    if (!add(text)) ++listing.passed_over;
  });
  if (!is_array) return broken("no JSON object with an array `models`");
  return listing;
}

// The digest in the first `FROM` line; a split model has one for each shard and is named by its first.
std::string read_weights(std::string_view modelfile) {
  constexpr std::string_view kMark = "sha256-";
  while (!modelfile.empty()) {
    const auto end = std::min(modelfile.find('\n'), modelfile.size());
    const std::string_view line = modelfile.substr(0, end);
    modelfile.remove_prefix(std::min(end + 1, modelfile.size()));
    if (!line.starts_with("FROM ")) continue;
    const auto mark = line.rfind(kMark);
    if (mark == std::string_view::npos) return {};
    return read_digest(line.substr(mark + kMark.size(), kDigestDigits));
  }
  return {};
}

std::uint64_t read_trained_context(const Json& model_info) {
  const std::string_view architecture = text_at(model_info, "general.architecture");
  return architecture.empty() ? 0 : read_context(model_info, fmt::format("{}.context_length", architecture));
}

struct Version {
  std::vector<std::uint64_t> numbers;
  bool pre_release = false;
};

Version read_version(std::string_view text) {
  if (text.starts_with('v')) text.remove_prefix(1);
  Version version;
  const auto end = std::min(text.find_first_of("-+"), text.size());
  version.pre_release = end < text.size() && text[end] == '-';
  text = text.substr(0, end);
  while (!text.empty()) {
    const auto dot = std::min(text.find('.'), text.size());
    version.numbers.push_back(ascii::to_number(text.substr(0, dot)).value_or(0));
    text.remove_prefix(std::min(dot + 1, text.size()));
  }
  while (!version.numbers.empty() && version.numbers.back() == 0) version.numbers.pop_back();
  return version;
}

}  // namespace

Result<std::string> parse_version_answer(std::string_view body) {
  std::string version;
  const bool whole = for_each_raw_member(body, [&](std::string_view key, std::string_view value) {
    if (key == "version" && value.size() >= 2 && value.front() == '"') version = value.substr(1, value.size() - 2);
  });
  if (!whole || version.empty()) return broken("no JSON object with `version`");
  if (version.size() > kMaxVersionBytes || !is_printable(version) ||
      version.find_first_of("\"\\") != std::string::npos) {
    return broken("no version that makes sense");
  }
  return version;
}

Result<Listing<StoredModel>> parse_tags_answer(std::string_view body) {
  return read_listing<StoredModel>(body, read_stored);
}

Result<Listing<RunningModel>> parse_ps_answer(std::string_view body) {
  return read_listing<RunningModel>(body, read_running);
}

Result<ShowInfo> parse_show_answer(std::string_view body) {
  ShowInfo info;
  // Only what is read becomes a document: the rest (licences, templates) is large.
  const bool whole = for_each_raw_member(body, [&](std::string_view key, std::string_view value) {
    constexpr std::array<std::string_view, 5> kRead = {"modelfile", "capabilities", "model_info", "remote_host",
                                                       "modified_at"};
    if (std::find(kRead.begin(), kRead.end(), key) == kRead.end()) return;
    if (value.size() > kMaxModelInfoBytes) return;
    const auto parsed = parse_json(value);
    if (!parsed) return;
    const std::string_view text = parsed->is_string() ? parsed->get_ref<const std::string&>() : std::string_view();
    if (key == "modelfile") info.weights = read_weights(text);
    if (key == "capabilities") info.capabilities = read_capabilities(&*parsed);
    if (key == "model_info") info.trained_context = read_trained_context(*parsed);
    if (key == "remote_host") info.remote_host = text.substr(0, kMaxHostBytes);
    if (key == "modified_at") info.modified = parse_timestamp(text).value_or(Wall{});
  });
  if (!whole) return broken("no JSON object");
  info.body = body;
  return info;
}

Result<void> check_generation(std::string_view body) {
  const auto answer = parse_json(body);
  if (!answer || !answer->is_object()) return broken("no JSON object");
  const bool text = member(*answer, "response") != nullptr && member(*answer, "response")->is_string();
  if (!text || !flag_at(*answer, "done") || read_count(*answer, "eval_count") == 0) return broken("no whole answer");
  return {};
}

Result<void> check_embedding(std::string_view body) {
  const auto answer = parse_json(body);
  if (!answer || !answer->is_object()) return broken("no JSON object");
  const Json* vectors = member(*answer, "embeddings");
  const bool any = vectors != nullptr && vectors->is_array() && !vectors->empty() && vectors->front().is_array();
  if (!any || vectors->front().empty() || !vectors->front().front().is_number()) return broken("no vector of numbers");
  return {};
}

bool version_less(std::string_view a, std::string_view b) {
  const Version left = read_version(a), right = read_version(b);
  if (left.numbers != right.numbers) return left.numbers < right.numbers;
  return left.pre_release && !right.pre_release;
}

}  // namespace drover::fleet
