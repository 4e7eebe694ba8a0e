#include "guard/cloud.h"

#include "api/model_name.h"
#include "api/model_refusal.h"

namespace drover::guard {

std::optional<api::Refusal> refuse_cloud(std::string_view name, bool remote, bool allow_cloud) {
  if (allow_cloud || (!remote && !api::is_cloud_name(name))) return std::nullopt;
  return api::cloud_refused();
}

}  // namespace drover::guard
