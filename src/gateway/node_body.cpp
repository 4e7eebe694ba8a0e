#include "gateway/node_body.h"

#include <charconv>

#include "api/go_json.h"

namespace drover::gateway {

NodeBody::NodeBody(const Exchange& exchange, const PromptBody& body) : body_(body), edited_(body.text()) {
  if (!exchange.renamed) return;
  model_ = api::go_string(exchange.known_model);
  edited_.replace(body.understood().model_value, model_);
}

void NodeBody::fit(const balance::ContextFit& fit) {
  const api::ReloadSetting* const context = body_.understood().reload.find(api::ReloadOption::num_ctx);
  if (!fit.num_ctx || context == nullptr) return;
  if (*fit.num_ctx == 0) return edited_.replace(api::with_comma(body_.text(), context->member), "");
  const auto [end, error] = std::to_chars(num_ctx_.begin(), num_ctx_.end(), *fit.num_ctx);
  edited_.replace(context->value, {num_ctx_.begin(), end});
}

}  // namespace drover::gateway
