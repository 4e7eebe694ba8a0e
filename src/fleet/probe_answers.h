#pragma once
// What a node answers to probes, read without trust: a wrong type, an absurd size or a million entries can mislead a
// choice, but never crash us or fill our memory. Bodies come in whole; their size is bounded by whoever read them.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/units.h"
#include "fleet/capabilities.h"

namespace drover::fleet {

inline constexpr std::size_t kMaxModelsPerNode = 10'000;
inline constexpr std::size_t kMaxEntryBytes = 64 * 1024;  // one entry of a listing; longer ones are left out
inline constexpr std::size_t kMaxVersionBytes = 64;
inline constexpr std::uint64_t kMaxContextLength = 1ULL << 32;

// A model in a node's store: an entry of /api/tags.
struct StoredModel {
  std::string name;    // as the node spells it, always with its tag
  std::string key;     // api::model_key(name)
  std::string digest;  // of the manifest: 64 lower-case hex digits, or empty when the node said something else
  Bytes size;
  Wall modified{};          // the epoch when unreadable
  std::string remote_host;  // not empty: the node sends prompts for it there
  Capabilities capabilities;
  std::string entry;  // the JSON object as the node wrote it, to be passed on

  friend bool operator==(const StoredModel&, const StoredModel&) = default;
};

// A model that is loaded: an entry of /api/ps. It names whoever loaded the weights first, not every alias.
struct RunningModel {
  std::string name;
  std::string key;
  std::string digest;
  Bytes size;                        // 0: unknown
  Bytes size_vram;                   // at most `size`; equal: wholly on the GPU; 0: on the CPU
  Wall expires = Wall::max();        // unreadable: for ever
  std::uint64_t context_length = 0;  // of one slot; 0: unknown (old nodes)
  std::string entry;

  friend bool operator==(const RunningModel&, const RunningModel&) = default;
};

template <typename Entry>
struct Listing {
  std::vector<Entry> models;    // in the node's order; one per key, the first wins
  std::size_t passed_over = 0;  // entries that made no sense or were too many; worth a warning
};

// GET /api/version. Errors (protocol): no JSON object with a printable text `version` of at most kMaxVersionBytes.
Result<std::string> parse_version_answer(std::string_view body);
// GET /api/tags. Errors (protocol): no JSON object with an array `models` (null counts as empty). O(bytes).
Result<Listing<StoredModel>> parse_tags_answer(std::string_view body);
// GET /api/ps. As parse_tags_answer.
Result<Listing<RunningModel>> parse_ps_answer(std::string_view body);

// POST /api/show.
struct ShowInfo {
  std::string weights;  // the hex of `FROM .../sha256-<hex>` in the modelfile: names the runner; empty: none there
  Capabilities capabilities;          // more right than those of /api/tags, which reads less of the file
  std::uint64_t trained_context = 0;  // `<architecture>.context_length` of model_info; 0: unknown
  std::string remote_host;
  Wall modified{};
  std::string body;  // as the node wrote it

  friend bool operator==(const ShowInfo&, const ShowInfo&) = default;
};
// Errors (protocol): no JSON object.
Result<ShowInfo> parse_show_answer(std::string_view body);

// POST /api/generate, not streamed, and POST /api/embed, as a trial of the node. Errors (protocol): not the end of an
// answer that has tokens; no vector of numbers.
Result<void> check_generation(std::string_view body);
Result<void> check_embedding(std::string_view body);

// All that a node said when it was last asked. `models` and `running` come at different times (30 s and 5 s).
struct NodeReport {
  std::string version;
  std::vector<StoredModel> models;
  std::vector<RunningModel> running;
  friend bool operator==(const NodeReport&, const NodeReport&) = default;
};

// Compares versions number by number: 0.9.0 < 0.34.4; `-rc1` is before the release; what is no number counts as 0.
bool version_less(std::string_view a, std::string_view b);

}  // namespace drover::fleet
