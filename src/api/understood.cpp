#include "api/understood.h"

#include <algorithm>

namespace drover::api {

std::string_view name(ReloadOption option) {
  switch (option) {
    case ReloadOption::num_ctx: return "num_ctx";
    case ReloadOption::num_batch: return "num_batch";
    case ReloadOption::num_gpu: return "num_gpu";
    case ReloadOption::main_gpu: return "main_gpu";
    case ReloadOption::use_mmap: return "use_mmap";
    case ReloadOption::num_thread: return "num_thread";
    case ReloadOption::draft_num_predict: return "draft_num_predict";
    case ReloadOption::shift: return "shift";
  }
  return "";
}

const ReloadSetting* ReloadSettings::find(ReloadOption option) const {
  const auto found = std::ranges::find(all(), option, &ReloadSetting::option);
  return found == all().end() ? nullptr : &*found;
}

bool operator==(const ReloadSettings& a, const ReloadSettings& b) { return std::ranges::equal(a.all(), b.all()); }

}  // namespace drover::api
