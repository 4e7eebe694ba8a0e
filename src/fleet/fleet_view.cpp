#include "fleet/fleet_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <utility>

#include "api/go_json.h"
#include "api/model_name.h"
#include "fleet/raw_entries.h"

namespace drover::fleet {
namespace {

constexpr std::string_view kListBegin = R"({"models":[)";

std::int64_t unix_seconds(Wall time) {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

FleetView::Body body(std::string text) { return std::make_shared<const std::string>(std::move(text)); }

// A model as one node stores it.
struct Copy {
  NodeId node;
  const StoredModel* model;
};

bool is_remote(const StoredModel& model, const ShowCache& shows) {
  if (!model.remote_host.empty()) return true;
  const auto show = shows.find(model.key, model.digest);
  return show && !show->remote_host.empty();
}

// The version that most nodes hold; of those held by equally many the newest. Among its copies the newest one is
// listed. `copies` is not empty.
const Copy& listed_copy(const std::vector<Copy>& copies) {
  struct Version {
    std::size_t holders = 0;
    const Copy* newest = nullptr;
  };
  std::map<std::string_view, Version> versions;
  for (const Copy& copy : copies) {
    Version& version = versions[copy.model->digest];
    ++version.holders;
    if (version.newest == nullptr || copy.model->modified > version.newest->model->modified) version.newest = &copy;
  }
  const auto best = std::max_element(versions.begin(), versions.end(), [](const auto& a, const auto& b) {
    const auto rank = [](const Version& version) {
      return std::pair(version.holders, version.newest->model->modified);
    };
    return rank(a.second) < rank(b.second);
  });
  return *best->second.newest;
}

// Entries of a listing in the order of Ollama: by whole seconds, latest first; by name where those are equal.
struct Listed {
  std::int64_t when;
  std::string_view name;
  std::string_view entry;
};

// An entry of another name.
std::string renamed(std::string_view entry, std::string_view name) {
  std::string text;
  for_each_raw_member(entry, [&](std::string_view key, std::string_view value) {
    const bool names = key == "name" || key == "model";
    text += fmt::format(R"({}"{}":{})", text.empty() ? "{" : ",", key, names ? api::go_string(name) : value);
  });
  return text + "}";
}

std::string list(std::vector<Listed>& entries) {
  std::sort(entries.begin(), entries.end(),
            [](const Listed& a, const Listed& b) { return a.when != b.when ? a.when > b.when : a.name < b.name; });
  std::string text(kListBegin);
  for (const Listed& entry : entries) {
    if (text.size() > kListBegin.size()) text += ',';
    text += entry.entry;
  }
  return text += "]}";
}

std::string openai_model(std::string_view id, std::int64_t created) {
  const auto parsed = api::parse_model_name(id);
  return fmt::format(R"({{"id":{},"object":"model","created":{},"owned_by":{}}})", api::go_string(id), created,
                     api::go_string(parsed ? std::string_view(parsed->name_space) : ""));
}

}  // namespace

// FNV-1a (Fowler, Noll, Vo). The input is a digest already, so nothing better is needed to keep keys apart.
RunnerKey runner_key(std::string_view weights_or_digest) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : weights_or_digest) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return RunnerKey{hash};
}

// Builds a view step by step; each step reads what those before it made.
class FleetView::Builder {
 public:
  Builder(std::span<const NodeState> nodes, const ShowCache& shows, ViewOptions options) : options_(options) {
    view_.shows_ = shows;
    view_.allow_cloud_ = options.allow_cloud;
    for (const NodeState& node : nodes) states_.push_back(&node);
    std::sort(states_.begin(), states_.end(),
              [](const NodeState* a, const NodeState* b) { return a->spec.id < b->spec.id; });
    for (const NodeState* state : states_) {
      view_.nodes_.push_back(state->spec);
      if (state->agent) view_.agents_.emplace(state->spec.id, *state->agent);
    }
  }

  FleetView build() && {
    name_runners();
    index_models();
    add_aliases();
    list_stored();
    list_running();
    tell_version();
    return std::move(view_);
  }

 private:
  // Equal manifests have equal weights, under whichever name show was asked.
  void name_runners() {
    for (const NodeState* state : states_) {
      for (const StoredModel& model : state->report.models) {
        const auto show = view_.shows_.find(model.key, model.digest);
        if (!show || show->weights.empty() || model.digest.empty()) continue;
        view_.runners_.insert_or_assign(model.digest, runner_key(show->weights));
      }
    }
  }

  void index_models() {
    std::map<std::string_view, std::vector<Copy>> copies;
    for (const NodeState* state : states_) {
      for (const StoredModel& model : state->report.models) copies[model.key].push_back({state->spec.id, &model});
    }
    for (auto& [key, all] : copies) add_model(key, all);
  }

  void add_model(std::string_view key, std::vector<Copy>& copies) {
    const auto remote = [&](const Copy& copy) { return is_remote(*copy.model, view_.shows_); };
    bool any_remote = std::any_of(copies.begin(), copies.end(), remote);
    if (any_remote && !options_.allow_cloud && !std::all_of(copies.begin(), copies.end(), remote)) {
      std::erase_if(copies, remote);  // the copies on nodes of ours serve it
      any_remote = false;
    }

    const Copy& listed = listed_copy(copies);
    const StoredModel& stored = *listed.model;
    const auto show = view_.shows_.find(key, stored.digest);
    Model model{
        .key = std::string(key),
        .name = stored.name,
        .digest = stored.digest,
        .runner = view_.runner_of(key, stored.digest),
        .modified = stored.modified,
        .capabilities = show && show->capabilities.known() ? show->capabilities : stored.capabilities,
        .remote = any_remote || api::is_cloud_name(stored.name),
        .holders = {},
    };
    for (const Copy& copy : copies) {
      model.holders.push_back({copy.node, copy.model->digest, view_.runner_of(key, copy.model->digest)});
    }
    const auto [place, added] = view_.index_.emplace(model.key, std::move(model));
    spell(view_.spellings_, place->second.name, place->second.key, place->second);
    if (view_.may_list(place->second)) {
      stored_.push_back({unix_seconds(stored.modified), place->second.name, stored.entry});
    }
  }

  // Each is listed as its first model is, and hides a model of its own name.
  void add_aliases() {
    std::vector<Listed> listed;
    for (const AliasSettings& settings : options_.aliases) {
      Alias alias(settings.name);
      for (const AliasSettings::Share& share : settings.models) {
        if (const Model* const model = view_.find(share.model)) alias.add(*model, share.weight);
      }
      if (alias.empty()) continue;
      const std::string key = api::model_key(settings.name);
      const Alias& added = view_.aliases_.emplace(key, std::move(alias)).first->second;
      const auto parsed = api::parse_model_name(added.name());
      spell(view_.alias_spellings_, parsed ? parsed->display() : added.name(), key, added);
      view_.alias_spellings_.emplace(added.name(), &added);
      const auto first = std::ranges::find(stored_, std::string_view(added.first().name), &Listed::name);
      if (first == stored_.end()) continue;
      listed.push_back({first->when, added.name(), renamed_.emplace_back(renamed(first->entry, added.name()))});
    }
    for (const auto& [key, alias] : view_.aliases_) hide(key, alias);
    stored_.insert(stored_.end(), listed.begin(), listed.end());
  }

  void hide(std::string_view key, const Alias& alias) {
    const auto model = view_.index_.find(key);
    if (model == view_.index_.end()) return;
    std::erase_if(stored_, [&](const Listed& entry) { return entry.name == model->second.name; });
    std::erase_if(view_.spellings_, [&](const auto& spelling) {
      if (spelling.second != &model->second) return false;
      view_.alias_spellings_.emplace(spelling.first, &alias);
      return true;
    });
  }

  // How clients write a name as a rule; `listed`: with its tag.
  template <typename Named>
  static void spell(Spellings<Named>& spellings, std::string_view listed, std::string_view key, const Named& named) {
    constexpr std::string_view kDefaultTag = ":latest";
    std::string_view untagged = listed;
    if (untagged.ends_with(kDefaultTag)) untagged.remove_suffix(kDefaultTag.size());
    for (const std::string_view spelling : {listed, untagged, key}) {
      if (api::model_key(spelling) == key) spellings.emplace(spelling, &named);
    }
  }

  void list_stored() {
    view_.tags_ = body(list(stored_));  // sorts
    std::string data;
    for (const Listed& entry : stored_) {
      if (!data.empty()) data += ',';
      data += openai_model(entry.name, entry.when);
    }
    // Go writes an empty slice that was never filled as null, and its encoder ends with a newline.
    view_.models_ = body(fmt::format("{{\"object\":\"list\",\"data\":{}}}\n",
                                     data.empty() ? std::string("null") : fmt::format("[{}]", data)));
  }

  void list_running() {
    std::map<std::string_view, const RunningModel*> latest;  // of each name: the one that stays longest
    for (const NodeState* state : states_) {
      if (!state->reachable) continue;
      for (const RunningModel& model : state->report.running) {
        const RunnerKey runner = view_.runner_of(model.key, model.digest);
        auto& nodes = view_.running_[runner];
        if (nodes.empty() || nodes.back() != state->spec.id) nodes.push_back(state->spec.id);
        const auto [place, added] = latest.emplace(model.key, &model);
        if (!added && model.expires > place->second->expires) place->second = &model;
      }
    }
    std::vector<Listed> running;
    for (const auto& [key, model] : latest) {
      const bool hidden = !options_.allow_cloud && api::is_cloud_name(model->name);
      if (!hidden) running.push_back({unix_seconds(model->expires), model->name, model->entry});
    }
    view_.ps_ = body(list(running));
  }

  void tell_version() {
    for (const NodeState* state : states_) {
      const std::string& version = state->report.version;
      if (version.empty()) continue;
      if (view_.lowest_version_.empty() || version_less(version, view_.lowest_version_))
        view_.lowest_version_ = version;
    }
    if (view_.lowest_version_.empty()) view_.lowest_version_ = kFallbackVersion;
    view_.version_ = body(fmt::format(R"({{"version":{}}})", api::go_string(view_.lowest_version_)));
  }

  ViewOptions options_;
  FleetView view_;
  std::vector<const NodeState*> states_;  // by id
  std::vector<Listed> stored_;            // views into the reports and into the index
  std::deque<std::string> renamed_;       // entries of aliases
};

std::shared_ptr<const FleetView> FleetView::build(std::span<const NodeState> nodes, const ShowCache& shows,
                                                  ViewOptions options) {
  return std::make_shared<const FleetView>(Builder(nodes, shows, options).build());
}

bool FleetView::may_list(const Model& model) const { return allow_cloud_ || !model.remote; }

const Model* FleetView::find(std::string_view name) const {
  if (const auto usual = spellings_.find(name); usual != spellings_.end()) return usual->second;
  const auto found = index_.find(api::model_key(name));
  return found == index_.end() ? nullptr : &found->second;
}

const Alias* FleetView::alias(std::string_view name) const {
  if (aliases_.empty()) return nullptr;
  if (const auto usual = alias_spellings_.find(name); usual != alias_spellings_.end()) return usual->second;
  if (spellings_.contains(name)) return nullptr;
  const auto found = aliases_.find(api::model_key(name));
  return found == aliases_.end() ? nullptr : &found->second;
}

std::optional<std::string> FleetView::model_object(std::string_view id) const {
  const Alias* const stands_for = alias(id);
  const Model* const model = stands_for == nullptr ? find(id) : &stands_for->first();
  if (model == nullptr || !may_list(*model)) return std::nullopt;
  return openai_model(id, unix_seconds(model->modified)) + '\n';
}

std::shared_ptr<const ShowInfo> FleetView::show(const Model& model) const {
  auto info = shows_.find(model.key, model.digest);
  return info && !info->body.empty() ? info : nullptr;
}

std::vector<NodeId> FleetView::running(RunnerKey runner) const {
  const auto found = running_.find(runner);
  return found == running_.end() ? std::vector<NodeId>() : found->second;
}

RunnerKey FleetView::runner_of(std::string_view key, std::string_view digest) const {
  if (digest.empty()) return runner_key(key);
  const auto found = runners_.find(digest);
  return found == runners_.end() ? runner_key(digest) : found->second;
}

const AgentReport* FleetView::agent(NodeId id) const {
  const auto found = agents_.find(id);
  return found == agents_.end() ? nullptr : &found->second;
}

const NodeSpec* FleetView::node(NodeId id) const {
  const auto found = std::lower_bound(nodes_.begin(), nodes_.end(), id,
                                      [](const NodeSpec& spec, NodeId wanted) { return spec.id < wanted; });
  return found == nodes_.end() || found->id != id ? nullptr : &*found;
}

}  // namespace drover::fleet
