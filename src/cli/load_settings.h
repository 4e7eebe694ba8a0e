#pragma once
// What `drover load` is told on its command line, and what that means.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "load/assertion.h"
#include "load/settings.h"
#include "net/tls_stream.h"

namespace drover::cli {

struct LoadArguments {
  std::string url;
  std::string model;  // empty: the first one that the server lists
  std::string api = "ollama";
  bool no_stream = false;
  std::vector<std::string> headers;  // `Name: value`
  net::TlsTrust tls;                 // for https://
  std::optional<double> rate;
  bool poisson = false;
  std::optional<std::size_t> concurrency;
  std::string trace;
  double speed = 1;
  std::string first;
  std::string time;
  std::optional<std::uint64_t> requests;
  std::string prompt_tokens = "32";
  std::string answer_tokens = "32";
  std::uint64_t seed = 1;
  std::optional<std::uint64_t> sim_seed;
  std::size_t max_outstanding = 10'000;
  std::string timeout = "10m";
  std::string goal;
  std::vector<std::string> assertions;
  std::string csv;
  bool json = false;
  bool plain = false;
};

struct LoadPlan {
  load::Settings settings;
  load::Goal goal;
  std::vector<load::Assertion> assertions;
};

// Error (config): the first argument that makes no sense, with what would.
Result<LoadPlan> read_load_plan(const LoadArguments& arguments);

}  // namespace drover::cli
