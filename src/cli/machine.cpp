#include "cli/machine.h"

#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <fstream>

#include "base/ascii.h"

namespace drover::cli {
namespace {

std::vector<std::string> own_names() {
  char name[256] = "";
  if (::gethostname(name, sizeof name - 1) != 0 || name[0] == '\0') return {};
  const std::string full = name;
  const auto dot = full.find('.');
  if (dot == std::string::npos) return {full};
  return {full, full.substr(0, dot)};
}

Bytes memory_limit() {
  struct sysinfo info{};
  ::sysinfo(&info);
  Bytes limit{static_cast<std::uint64_t>(info.totalram) * info.mem_unit};
  std::ifstream file("/sys/fs/cgroup/memory.max");
  if (std::string text; std::getline(file, text)) {
    if (const auto bytes = ascii::to_number(ascii::trim(text))) limit = std::min(limit, Bytes{*bytes});
  }
  return limit;
}

std::size_t descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;  // the soft limit is a shell's habit, not the operator's bound
    ::setrlimit(RLIMIT_NOFILE, &limit);
    ::getrlimit(RLIMIT_NOFILE, &limit);
  }
  return static_cast<std::size_t>(limit.rlim_cur);
}

}  // namespace

gateway::Machine this_machine() { return {own_names(), memory_limit(), descriptor_limit()}; }

}  // namespace drover::cli
