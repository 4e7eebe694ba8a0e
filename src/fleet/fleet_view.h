#pragma once
// The fleet at one moment: which node holds which model, and the listings as one Ollama would give them, ready to send.
// Immutable; the control loop builds one when a report changes and posts it to every worker.

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "fleet/agent_report.h"
#include "fleet/alias.h"
#include "fleet/capabilities.h"
#include "fleet/node.h"
#include "fleet/probe_answers.h"
#include "fleet/show_cache.h"

namespace drover::fleet {

// What /api/version says while no node was heard of: the release whose behaviour the gateway follows.
inline constexpr std::string_view kFallbackVersion = "0.34.4";

// Names the weights that a runner holds: names with equal keys share one runner on a node, and one unload ends all.
// Made of the weights' digest once show told it, before that of the manifest's: ask for show before a new version gets
// its first request, so that the key does not change under it.
using RunnerKey = Id<struct WeightsTag>;
RunnerKey runner_key(std::string_view weights_or_digest);

// A node that holds a model, and in which version.
struct Holder {
  NodeId node;
  std::string digest;
  RunnerKey runner{};
};

struct Model {
  std::string key;              // api::model_key
  std::string name;             // as listed, with its tag
  std::string digest;           // of the version that most nodes hold; that one is listed and shown
  RunnerKey runner{};           // of that version
  Wall modified{};              // of that version, newest copy
  Capabilities capabilities;    // of that version: from show where known, else from tags
  bool remote = false;          // runs elsewhere: a cloud name, or some holder names a remote host for it
  std::vector<Holder> holders;  // in the order of node ids; never empty
};

struct NodeState {
  NodeSpec spec;
  bool reachable = false;                           // answered its last probe
  NodeReport report;                                // the last one; of a node that is down, too, since it may come back
  std::optional<AgentReport> agent = std::nullopt;  // the last one
};

struct ViewOptions {
  bool allow_cloud = false;  // list models whose prompts leave the building
  std::span<const AliasSettings> aliases{};
};

class FleetView {
 public:
  using Body = std::shared_ptr<const std::string>;

  FleetView(FleetView&&) = default;

  // Models of unreachable nodes stay in the index (the answer is then 503, not 404) and in the lists (they do not
  // flicker while a node restarts); running models are those of reachable nodes alone. Cost: O(models of all nodes).
  static std::shared_ptr<const FleetView> build(std::span<const NodeState> nodes, const ShowCache& shows,
                                                ViewOptions options);

  // Bodies, byte for byte in the shape of a v0.34.4 node; entries are those of one node, verbatim.
  const Body& tags() const { return tags_; }        // application/json; charset=utf-8
  const Body& ps() const { return ps_; }            // application/json; charset=utf-8
  const Body& models() const { return models_; }    // application/json
  const Body& version() const { return version_; }  // application/json; charset=utf-8
  // /v1/models/{id}, application/json; nullopt: no such model or alias. `id` is echoed as it was asked for.
  std::optional<std::string> model_object(std::string_view id) const;
  // /api/show without further members: `body` is the answer. nullptr: not known: ask a holder.
  std::shared_ptr<const ShowInfo> show(const Model& model) const;

  // What a name stands for, by any spelling of it; before a model of that name. nullptr: it is none, or no node holds
  // any of its models. Cost: as find(), and nothing where there are none.
  const Alias* alias(std::string_view name) const;
  // By any spelling of its name. nullptr: no node holds it. Listed or not: cloud models are found too. Cost: one
  // look-up of the text as it stands where it is the usual one (as listed, without `:latest`, the key); else it is
  // parsed.
  const Model* find(std::string_view name) const;
  // Nodes on which the weights of this runner are loaded, in the order of their ids: where an unload must go.
  std::vector<NodeId> running(RunnerKey runner) const;
  // The runner of a stored or running version, by its name's key and manifest digest.
  RunnerKey runner_of(std::string_view key, std::string_view digest) const;

  std::span<const NodeSpec> nodes() const { return nodes_; }
  const NodeSpec* node(NodeId id) const;
  // What its agent said of its GPUs; nullptr: nothing yet, or it has none.
  const AgentReport* agent(NodeId id) const;
  const std::map<std::string, Model, std::less<>>& index() const { return index_; }
  // The lowest version of a node that was heard of, else kFallbackVersion.
  std::string_view lowest_version() const { return lowest_version_; }

 private:
  class Builder;
  // Of a text; heterogeneous, so that asking makes no string.
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };

  FleetView() = default;
  bool may_list(const Model& model) const;

  bool allow_cloud_ = false;
  Body tags_, ps_, models_, version_;
  std::string lowest_version_;
  std::vector<NodeSpec> nodes_;
  std::map<NodeId, AgentReport> agents_;
  std::map<std::string, Model, std::less<>> index_;  // by Model::key
  template <typename Named>
  using Spellings = std::unordered_map<std::string, const Named*, TextHash, std::equal_to<>>;
  Spellings<Model> spellings_;                             // into index_
  std::map<std::string, Alias, std::less<>> aliases_;      // by key
  Spellings<Alias> alias_spellings_;                       // into aliases_
  std::map<std::string, RunnerKey, std::less<>> runners_;  // by manifest digest, where show told the weights
  std::map<RunnerKey, std::vector<NodeId>> running_;
  ShowCache shows_;
};

}  // namespace drover::fleet
