#pragma once
// For benchmarks: how often the code under test asks the heap for memory. A program that lists allocations_bench.cpp
// among its sources counts; nothing else links it.

#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdint>

namespace drover {

// Calls of operator new by this thread since it began.
std::uint64_t allocations();

// Reports the allocations of one iteration as the counter `allocations`. Make it before the loop; it counts until it
// dies, so what lies behind the loop must not allocate.
class AllocationCounter {
 public:
  explicit AllocationCounter(benchmark::State& state) : state_(state), before_(allocations()) {}
  ~AllocationCounter() {
    const auto count = static_cast<double>(allocations() - before_);
    const auto iterations = static_cast<double>(state_.iterations());
    // Rounded, since the framework allocates a little in each run.
    state_.counters["allocations"] = std::round(count / iterations * 100) / 100;
  }
  AllocationCounter(const AllocationCounter&) = delete;
  AllocationCounter& operator=(const AllocationCounter&) = delete;

 private:
  benchmark::State& state_;
  std::uint64_t before_;
};

}  // namespace drover
