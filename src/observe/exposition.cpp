#include "observe/exposition.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

#include "base/check.h"

namespace drover::observe {
namespace {

void append_help(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
}

void append_label_value(std::string& out, std::string_view text) {
  for (const char c : text) {
    switch (c) {
      case '\\': out += "\\\\"; break;
      case '"': out += "\\\""; break;
      case '\n': out += "\\n"; break;
      default: out += c;
    }
  }
}

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

}  // namespace

void Exposition::begin(Metric metric) {
  family_ = &spec(metric);
  fmt::format_to(std::back_inserter(text_), "# HELP {} ", family_->name);
  append_help(text_, family_->help);
  fmt::format_to(std::back_inserter(text_), "\n# TYPE {} {}\n", family_->name, name(family_->kind));
}

void Exposition::line(std::string_view suffix, std::span<const std::string_view> labels, std::string_view le,
                      std::string_view value) {
  const auto names = family_->labels();
  CHECK(names.size() == labels.size());
  text_ += family_->name;
  text_ += suffix;
  char separator = '{';
  const auto add = [&](std::string_view label, std::string_view label_value) {
    text_ += separator;
    text_ += label;
    text_ += "=\"";
    append_label_value(text_, label_value);
    text_ += '"';
    separator = ',';
  };
  for (std::size_t i = 0; i < names.size(); ++i) add(names[i], labels[i]);
  if (!le.empty()) add("le", le);
  if (separator == ',') text_ += '}';
  text_ += ' ';
  text_ += value;
  text_ += '\n';
}

void Exposition::sample(std::initializer_list<std::string_view> labels, std::uint64_t value) {
  line("", labels, "", fmt::format("{}", value));
}

void Exposition::sample(std::initializer_list<std::string_view> labels, double value) {
  line("", labels, "", number(value));
}

void Exposition::histogram(std::initializer_list<std::string_view> labels, std::span<const double> bounds,
                           std::span<const std::uint64_t> counts, double sum) {
  CHECK(counts.size() == bounds.size() + 1);
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    total += counts[i];
    line("_bucket", labels, i < bounds.size() ? number(bounds[i]) : "+Inf", fmt::format("{}", total));
  }
  line("_sum", labels, "", number(sum));
  line("_count", labels, "", fmt::format("{}", total));
}

}  // namespace drover::observe
