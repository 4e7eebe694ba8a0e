#include "talk/arguments.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

#include "base/ascii.h"

namespace drover::bench {
namespace {

constexpr double kLongest = 3600;

}  // namespace

Arguments::Arguments(int count, char** values, std::string_view help) {
  for (int i = 1; i < count; ++i) {
    const std::string_view argument = values[i];
    if (argument == "--help" || argument == "-h") {
      fmt::print("{}", help);
      std::exit(0);
    }
    if (!argument.starts_with("--")) {
      if (i != 1) fail(fmt::format("unexpected argument {}", argument));
      word_ = argument;
      continue;
    }
    const bool has_value = i + 1 < count && !std::string_view(values[i + 1]).starts_with("--");
    given_[std::string(argument.substr(2))].values.emplace_back(has_value ? values[++i] : "");
  }
}

Arguments::Given* Arguments::find(std::string_view name) {
  const auto found = given_.find(name);
  if (found == given_.end()) return nullptr;
  found->second.used = true;
  return &found->second;
}

std::string Arguments::text(std::string_view name, std::string_view otherwise) {
  const Given* given = find(name);
  return given == nullptr ? std::string(otherwise) : given->values.back();
}

std::uint64_t Arguments::number(std::string_view name, std::uint64_t otherwise, std::uint64_t least,
                                std::uint64_t most) {
  const Given* given = find(name);
  if (given == nullptr) return otherwise;
  const auto number = ascii::to_number(given->values.back());
  if (!number || *number < least || *number > most) {
    fail(fmt::format("--{} is {}; expected a whole number from {} to {}", name, given->values.back(), least, most));
  }
  return *number;
}

std::int64_t Arguments::seconds(std::string_view name, double otherwise) {
  double value = otherwise;
  if (const Given* given = find(name)) {
    char* end = nullptr;
    value = std::strtod(given->values.back().c_str(), &end);
    if (end == given->values.back().c_str() || *end != '\0' || !(value >= 0) || value > kLongest) {
      fail(fmt::format("--{} is {}; expected seconds from 0 to {}", name, given->values.back(), kLongest));
    }
  }
  return static_cast<std::int64_t>(value * 1e9);
}

bool Arguments::flag(std::string_view name) { return find(name) != nullptr; }

std::vector<std::string> Arguments::all(std::string_view name) {
  const Given* given = find(name);
  return given == nullptr ? std::vector<std::string>() : given->values;
}

void Arguments::check_all_used() const {
  for (const auto& [name, given] : given_) {
    if (!given.used) fail(fmt::format("unknown argument --{}; --help lists them", name));
  }
}

void Arguments::fail(std::string_view message) const {
  fmt::print(stderr, "{}\n", message);
  std::exit(2);
}

}  // namespace drover::bench
