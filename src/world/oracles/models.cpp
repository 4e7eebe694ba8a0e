// A request goes to the model that its name stands for, or to one of those that share its requests: by their weights,
// and of one session always to the same. It goes to the fallback of that model's route only while no node can serve
// the model, and to no further one. The answer and the log say which model served, and in place of which.

#include <fmt/format.h>

#include <map>

#include "api/model_name.h"
#include "world/passed_over.h"

namespace drover::world {
namespace {

class Models final : public Witness {
 public:
  explicit Models(Court& court) : court_(court) {}

  void attempt_sent(const Request& request, const Attempt& attempt) override {
    const Attempt* const before = request.sent_before(attempt);
    const bool as_before = before != nullptr && before->model == attempt.model;
    const bool by_name = before == nullptr && stands_for(request, attempt.model);
    if (!as_before && !by_name) judge_fallback(request, attempt, before);
  }

  void logged(const Request& request) override {
    if (request.asked.called == kSplit) of_split_.push_back(&request);
    if (request.attempts.empty() || !request.attempts.back().sent || !request.relayed) return;
    const std::string& model = request.attempts.back().model;
    const Json& line = request.lines.front();
    const std::string served = model == request.asked.called ? "" : model;
    if (request.served != served || line.value("gen_ai.response.model", "") != served) {
      court_.complain("models", "another model is told than the one that served: " + text_of(request));
    }
    const std::string& from = request.fell_back;
    if (line.value("drover.fallback", "") != from) {
      court_.complain("models", "the answer and the log tell unlike fallbacks: " + text_of(request));
    }
    if (from.empty() ? !stands_for(request, model) : !stands_for(request, from) || !falls_back(request, from, model)) {
      court_.complain("models", fmt::format("a fallback from '{}' is told: {}", from, text_of(request)));
    }
  }

  void looked(const Look& look) override {
    wanted_.looked(look);
    std::set<std::string> known;
    for (const auto& node : look.snapshot.nodes) {
      for (const auto& runner : node.runners) known.insert(runner.models.begin(), runner.models.end());
    }
    if (known != known_ || steady_since_ < court_.settings().since) begin_shares(std::move(known), look.now);
    for (const Request* request : std::exchange(of_split_, {})) {
      if (std::max(steady_since_, court_.frozen_until) + kSettled <= request->began) note_share(*request);
    }
  }
  void at_rest() override { judge_shares(); }

 private:
  static constexpr Duration kSettled = std::chrono::seconds(1);  // until every worker knows what is new

  bool stands_for(const Request& request, std::string_view model) const {
    return std::ranges::any_of(court_.settings_for(request), [&](const Configured& settings) {
      const auto shares = settings.models_of(request.asked.called);
      return std::ranges::find(shares, model, &fleet::AliasSettings::Share::model) != shares.end();
    });
  }
  bool falls_back(const Request& request, std::string_view from, std::string_view to) const {
    return std::ranges::any_of(court_.settings_for(request), [&](const Configured& settings) {
      return settings.route_of(from).settings.fallback == to;
    });
  }

  void judge_fallback(const Request& request, const Attempt& attempt, const Attempt* before) {
    std::set<std::string> from;
    for (const Configured& settings : court_.settings_for(request)) {
      for (const auto& share : settings.models_of(request.asked.called)) {
        if (falls_back(request, share.model, attempt.model)) from.insert(share.model);
      }
    }
    if (before != nullptr) from = from.contains(before->model) ? std::set{before->model} : std::set<std::string>{};
    if (from.empty()) {
      return court_.complain("models",
                             "to a model that its name does not stand for, nor a fallback: " + text_of(request));
    }
    if (from.size() == 1) judge_need(request, *from.begin());
  }

  // Could no node serve the model that it falls back from? It was decided at any moment since it came: it may have
  // waited for the fallback, too.
  void judge_need(const Request& request, const std::string& from) {
    const Configured& settings = court_.settings();
    const Duration grace = court_.slack() + std::chrono::milliseconds(100);
    const Mono known_by = request.began - grace;
    if (std::max(settings.since, court_.frozen_until) > known_by) return;
    const balance::Route& route = settings.route_of(from);
    if (route.policy->first_only()) return;  // one node at a time is all that there is
    for (const auto& [where, since] : wanted_.usable_since()) {
      const bool allowed = route.rank_of(node_name(where.first)) != balance::Route::kNoPlace;
      if (!allowed || where.second != api::model_key(from) || since > known_by) continue;
      wanted_.suspect(request, where,
                      fmt::format("fell back from {}, which node {} has in memory since {:.3f}", from,
                                  node_name(where.first), seconds(since.time_since_epoch())));
    }
  }

  // ---- the split, as long as neither settings nor listings change

  void note_share(const Request& request) {
    const Json& line = request.lines.front();
    const std::string model = line.value("drover.fallback", line.value("gen_ai.response.model", ""));
    if (model.empty()) return;  // refused before
    if (request.asked.session == 0) {
      ++turns_;
      ++turns_of_[model];
      return;
    }
    const auto [first, is_new] = sessions_.try_emplace(request.asked.session, model);
    if (is_new || first->second == model) return;
    court_.complain("models",
                    fmt::format("session {} was with {}: {}", request.asked.session, first->second, text_of(request)));
  }

  void begin_shares(std::set<std::string> known, Mono now) {
    judge_shares();
    known_ = std::move(known);
    steady_since_ = now;
    shares_ = court_.settings().models_of(kSplit);
    std::erase_if(shares_, [&](const auto& share) { return !known_.contains(api::model_key(share.model)); });
    sessions_.clear();
    turns_of_.clear();
    turns_ = 0;
  }

  // Requests without a session take turns, but those that begin alike for long. Where so many should have gone to a
  // model and none did, it has no share at all.
  void judge_shares() {
    constexpr double kSurely = 20;
    double weights = 0;
    for (const auto& share : shares_) weights += share.weight;
    for (const auto& share : shares_) {
      const double due = turns_ * share.weight / weights;
      if (due < kSurely || turns_of_.contains(share.model)) continue;
      court_.complain("models", fmt::format("none of {} requests went to {}, of which {:.0f} should have", turns_,
                                            share.model, due));
    }
  }

  Court& court_;
  PassedOver wanted_{court_, "models", true};
  std::vector<const Request*> of_split_;             // logged since the last look
  std::set<std::string> known_;                      // models that nodes list
  std::vector<fleet::AliasSettings::Share> shares_;  // of those
  Mono steady_since_{};
  std::map<char, std::string> sessions_;
  std::map<std::string, unsigned> turns_of_;
  unsigned turns_ = 0;
};

}  // namespace

std::unique_ptr<Witness> make_models(Court& court) { return std::make_unique<Models>(court); }

}  // namespace drover::world
