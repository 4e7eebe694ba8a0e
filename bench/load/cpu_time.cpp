#include "load/cpu_time.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>

namespace drover::bench {

std::map<std::string, std::int64_t> cpu_time(const std::vector<Watched>& watched) {
  std::map<std::string, std::int64_t> result;
  for (const Watched& process : watched) {
    std::int64_t& sum = result[process.name];
    std::error_code gone;
    for (const auto& thread : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", process.pid), gone)) {
      std::int64_t on_processor = 0;
      std::ifstream(thread.path() / "schedstat") >> on_processor;
      sum += on_processor;
    }
  }
  return result;
}

}  // namespace drover::bench
