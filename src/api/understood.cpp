#include "api/understood.h"

#include <algorithm>

namespace drover::api {

const ReloadSetting* ReloadSettings::find(ReloadOption option) const {
  const auto found = std::ranges::find(all(), option, &ReloadSetting::option);
  return found == all().end() ? nullptr : &*found;
}

bool operator==(const ReloadSettings& a, const ReloadSettings& b) { return std::ranges::equal(a.all(), b.all()); }

}  // namespace drover::api
