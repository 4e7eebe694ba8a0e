#pragma once
// Prometheus' text format, version 0.0.4. Written here because Debian ships prometheus-cpp as a shared library only,
// and our binary depends on glibc alone.

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "observe/metric_table.h"

namespace drover::observe {

// Writes families one after another; each family's samples must follow its begin(). Appends to one text.
class Exposition {
 public:
  // HELP and TYPE.
  void begin(Metric metric);
  // `labels`: values in the order of the table; as many as the metric has names.
  void sample(std::initializer_list<std::string_view> labels, std::uint64_t value);
  void sample(std::initializer_list<std::string_view> labels, double value);
  // `counts`: of each bucket alone, one more than `bounds` (seconds).
  void histogram(std::initializer_list<std::string_view> labels, std::span<const double> bounds,
                 std::span<const std::uint64_t> counts, double sum);

  const std::string& text() const { return text_; }
  std::string take() && { return std::move(text_); }

 private:
  void line(std::string_view suffix, std::span<const std::string_view> labels, std::string_view le,
            std::string_view value);

  const MetricSpec* family_ = nullptr;
  std::string text_;
};

}  // namespace drover::observe
