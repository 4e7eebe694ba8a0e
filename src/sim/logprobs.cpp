#include "sim/logprobs.h"

#include <fmt/format.h>

#include "sim/go_object.h"
#include "sim/text.h"

namespace drover::sim {
namespace {

GoObject entry(std::string_view token, std::int64_t thousandths) {
  std::string bytes = "[";
  for (const char byte : token) {
    if (bytes.size() > 1) bytes += ',';
    bytes += fmt::format("{}", static_cast<unsigned char>(byte));
  }
  GoObject object;
  object.text("token", token)
      .raw("logprob", fmt::format("-{}", static_cast<double>(thousandths) / 1000))
      .raw("bytes", bytes + ']');
  return object;
}

}  // namespace

std::string go_logprobs(std::span<const std::string> tokens, std::size_t top) {
  if (tokens.empty()) return {};
  std::string text = "[";
  for (const std::string& token : tokens) {
    const std::uint64_t hash = hash_text(token);
    const auto thousandths = static_cast<std::int64_t>(hash % 700 + 1);
    GoObject object = entry(token, thousandths);
    if (top > 0) {
      const Babble others(hash);
      std::string likeliest = "[" + entry(token, thousandths).str();
      for (std::uint64_t i = 1; i < top; ++i) {
        likeliest += ',' + entry(others.token(i), thousandths + static_cast<std::int64_t>(i) * 800).str();
      }
      object.raw("top_logprobs", likeliest + ']');
    }
    if (text.size() > 1) text += ',';
    text += object.str();
  }
  return text + ']';
}

}  // namespace drover::sim
