#pragma once
// Numbers as people read them.

#include <cstdint>
#include <string>

#include "base/clock.h"

namespace drover::cli {

std::string human_count(std::int64_t count);       // 1,234,567
std::string human_size(std::int64_t bytes);        // 5.2 GB: decimal units, as `ollama ps` has them
std::string human_duration(double seconds);        // 0.4s, 12s, 3m12s, 2h05m, 3d4h; never rounded up
std::string human_latency(Duration time);          // 0.42 ms, 12.3 ms, 1.25 s: three digits
std::string human_rate(double events_per_second);  // 0.5, 12, 1,234

}  // namespace drover::cli
