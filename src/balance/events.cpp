#include "balance/events.h"

namespace drover::balance {

std::string_view name(Why why) {
  switch (why) {
    case Why::no_such_model: return "no_such_model";
    case Why::no_backend: return "no_backend";
    case Why::queue_full: return "queue_full";
    case Why::tenant_queue_full: return "tenant_queue_full";
    case Why::budget_exhausted: return "budget_exhausted";
    case Why::deadline: return "deadline";
    case Why::load_failed: return "load_failed";
  }
  return "";
}

}  // namespace drover::balance
