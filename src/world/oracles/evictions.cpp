// A model that the gateway has a node unload to make room for another is idle by then, as far as its own requests are
// concerned, and gets none until that load has ended.

#include <fmt/format.h>

#include <map>
#include <optional>
#include <set>

#include "api/model_name.h"
#include "world/oracles.h"

namespace drover::world {
namespace {

class Evictions final : public Witness {
 public:
  explicit Evictions(Court& court) : court_(court) {}

  void attempt_sent(const Request& request, const Attempt& attempt) override {
    const Where where{attempt.node, api::model_key(attempt.model)};
    ++running_[where];
    if (request.life == life_ && unloaded_.contains(where)) {
      court_.complain("evictions", "to a model that makes room for another: " + text_of(request));
    }
  }
  void attempt_ended(const Request&, const Attempt& attempt) override {
    if (attempt.sent) --running_[{attempt.node, api::model_key(attempt.model)}];
  }

  void told(std::string_view event, std::string_view line) override {
    const std::optional<std::size_t> node = node_in(line);
    if (!node) return;
    if (event == "load_finished" || event == "load_failed") {
      std::erase_if(unloaded_, [&](const Where& where) { return where.first == *node; });
    }
    if (event != "model_evicted") return;
    const Where where{*node, api::model_key(field(line, "model"))};
    unloaded_.insert(where);
    if (running_[where] > 0) {
      court_.complain("evictions", fmt::format("{} is unloaded on {} while {} run there", where.second,
                                               node_name(*node), running_[where]));
    }
  }

  void looked(const Look& look) override {
    if (std::exchange(life_, look.life) != look.life) unloaded_.clear();
  }

 private:
  using Where = std::pair<std::size_t, std::string>;  // a node, and a model by its key

  static std::string_view field(std::string_view line, std::string_view name) {
    const std::string begins = fmt::format(" {}=", name);
    const std::size_t at = line.find(begins);
    if (at == std::string_view::npos) return {};
    const std::string_view value = line.substr(at + begins.size());
    return value.substr(0, value.find_first_of(" \n"));
  }
  std::optional<std::size_t> node_in(std::string_view line) const {
    const std::string_view name = field(line, "node");
    for (std::size_t i = 0; i < court_.held.size(); ++i) {
      if (node_name(i) == name) return i;
    }
    return std::nullopt;
  }

  Court& court_;
  unsigned life_ = 0;  // of the gateway
  std::map<Where, int> running_;
  std::set<Where> unloaded_;  // until the load has ended for which they went
};

}  // namespace

std::unique_ptr<Witness> make_evictions(Court& court) { return std::make_unique<Evictions>(court); }

}  // namespace drover::world
