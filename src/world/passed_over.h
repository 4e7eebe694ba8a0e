#pragma once
// Suspicions that a request did not go to a node that could have taken it. Neither looks at the gateway nor connections
// tell all: the node may have gone just then, and the request may have been there already and not have reached it. So a
// suspicion waits for the next look, and for the line of the request in the access log.

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "world/oracles.h"

namespace drover::world {

class PassedOver {
 public:
  using Where = std::pair<std::size_t, std::string>;  // node, and the key of a model

  // `oracle`: whose suspicions these are. `resident`: a node counts for a model only while it has it in memory.
  PassedOver(Court& court, std::string_view oracle, bool resident)
      : court_(court), oracle_(oracle), resident_(resident) {}

  // Nodes that can be used for a model, and since when.
  const std::map<Where, Mono>& usable_since() const { return usable_since_; }
  // The request had better gone there; `text` says why. Nothing, if it has been there.
  void suspect(const Request& request, const Where& where, std::string text);
  void looked(const Look& look);

 private:
  struct Suspicion {
    const Request* request;
    Where where;
    Mono since;
    std::string text;
    bool looked_at = false;  // once more, since
  };
  bool was_gone(Suspicion& suspicion);
  bool judge(const Suspicion& suspicion);

  Court& court_;
  std::string_view oracle_;
  bool resident_;
  std::map<Where, Mono> usable_since_;
  std::vector<Suspicion> suspicions_;
};

}  // namespace drover::world
