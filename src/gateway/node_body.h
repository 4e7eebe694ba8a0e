#pragma once
// The body of a request as a node is to get it: as the client sent it, but for what must be said otherwise there.

#include <array>
#include <string_view>

#include "api/body_edit.h"
#include "api/understood.h"
#include "balance/events.h"

namespace drover::gateway {

// Views into both, which must outlive it. Stays where it is.
class NodeBody {
 public:
  NodeBody(std::string_view body, const api::Understood& understood)
      : text_(body), understood_(understood), edited_(body) {}
  NodeBody(const NodeBody&) = delete;
  NodeBody& operator=(const NodeBody&) = delete;

  // Its `num_ctx` becomes what keeps the node's runner.
  void fit(const balance::ContextFit& fit);

  const api::EditedBody& body() const { return edited_; }

 private:
  std::string_view text_;
  const api::Understood& understood_;
  api::EditedBody edited_;
  std::array<char, 20> num_ctx_;
};

}  // namespace drover::gateway
