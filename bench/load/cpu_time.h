#pragma once
// What processes have used of a processor, from the scheduler's own accounting (schedstat), all threads added up:
// unlike utime and stime it does not sample.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace drover::bench {

// Several processes may count under one name (a master and its worker).
struct Watched {
  std::string name;
  int pid;
};

// Nanoseconds of processor time by name. A thread that is running counts up to the scheduler's last tick; a process
// that is gone counts nothing.
std::map<std::string, std::int64_t> cpu_time(const std::vector<Watched>& watched);

}  // namespace drover::bench
