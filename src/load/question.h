#pragma once
// The bytes of requests, in the dialect of the route.

#include <string>

#include "load/settings.h"
#include "traces/request.h"

namespace drover::load {

struct Question {
  std::string head;
  std::string body;
};

// Thread: one. `settings` must outlive it.
class QuestionWriter {
 public:
  explicit QuestionWriter(const Settings& settings);
  // `number` tells prompts apart (load/prompt.h).
  Question write(const traces::Request& request, std::uint64_t number) const;

 private:
  std::string body(const traces::Request& request, std::uint64_t number) const;

  const Settings& settings_;
  std::string target_;  // path of each request
  std::string host_;
  std::string model_;  // as JSON
};

}  // namespace drover::load
