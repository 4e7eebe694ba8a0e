#pragma once
// The body of a request as a node is to get it: as the client sent it, but for what must be said otherwise there.

#include <array>
#include <string>

#include "api/body_edit.h"
#include "balance/events.h"
#include "gateway/exchange.h"
#include "gateway/prompt_body.h"

namespace drover::gateway {

// Views into the client's body, which must outlive it. Stays where it is.
class NodeBody {
 public:
  // With the model that the request goes to, where the client called that otherwise.
  NodeBody(const Exchange& exchange, const PromptBody& body);
  NodeBody(const NodeBody&) = delete;
  NodeBody& operator=(const NodeBody&) = delete;

  // Its `num_ctx` becomes what keeps the node's runner.
  void fit(const balance::ContextFit& fit);

  const api::EditedBody& body() const { return edited_; }

 private:
  const PromptBody& body_;
  api::EditedBody edited_;
  std::string model_;
  std::array<char, 20> num_ctx_;
};

}  // namespace drover::gateway
