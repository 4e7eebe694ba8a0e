#pragma once
// The bytes of OpenAI's routes, and what they share with the native ones.

#include <memory>
#include <string>
#include <vector>

#include "sim/answers.h"

namespace drover::sim {

std::unique_ptr<AnswerWriter> make_chat_writer(const Request& request, std::uint64_t id);
std::unique_ptr<AnswerWriter> make_completion_writer(const Request& request, std::uint64_t id);
std::unique_ptr<AnswerWriter> make_embedding_writer(const Request& request);

// JSON as Go writes it.
std::string go_json(const Json& json);
std::string go_vector(const std::vector<float>& vector);

}  // namespace drover::sim
