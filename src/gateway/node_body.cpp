#include "gateway/node_body.h"

#include <charconv>

namespace drover::gateway {

void NodeBody::fit(const balance::ContextFit& fit) {
  const api::ReloadSetting* const context = understood_.reload.find(api::ReloadOption::num_ctx);
  if (!fit.num_ctx || context == nullptr) return;
  if (*fit.num_ctx == 0) return edited_.replace(api::with_comma(text_, context->member), "");
  const auto [end, error] = std::to_chars(num_ctx_.begin(), num_ctx_.end(), *fit.num_ctx);
  edited_.replace(context->value, {num_ctx_.begin(), end});
}

}  // namespace drover::gateway
