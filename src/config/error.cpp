#include "config/error.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"

namespace drover::config {
namespace {

std::string place(const ConfigError& error) {
  if (error.file.empty()) return {};
  if (error.line == 0) return error.file + ": ";
  return fmt::format("{}:{}:{}: ", error.file, error.line, error.column);
}

}  // namespace

std::string to_text(const ConfigError& error) {
  std::string text = place(error) + error.message;
  if (!error.suggestion.empty()) text += fmt::format("; did you mean \"{}\"?", error.suggestion);
  return text;
}

std::string to_block(const ConfigError& error) {
  std::string text = to_text(error) + '\n';
  if (error.line == 0 || error.source.empty()) return text;
  // The mark stands below its place only if tabs stay tabs.
  const std::size_t before = std::min(error.column - 1, error.source.size());
  std::string indent = error.source.substr(0, before);
  std::replace_if(indent.begin(), indent.end(), [](char c) { return c != '\t'; }, ' ');
  const std::size_t room = std::max<std::size_t>(error.source.size() - before, 1);
  const std::string marks(std::clamp<std::size_t>(error.width, 1, room), '^');
  fmt::format_to(std::back_inserter(text), "{:>5} | {}\n      | {}{}\n", error.line, error.source, indent, marks);
  return text;
}

std::string to_blocks(std::span<const ConfigError> errors) {
  std::string text;
  for (const ConfigError& error : errors) text += to_block(error);
  return text;
}

std::string to_json(std::span<const ConfigError> errors) {
  Json list = Json::array();
  for (const ConfigError& error : errors) {
    Json entry = {{"path", error.path},     {"file", error.file}, {"line", error.line},
                  {"column", error.column}, {"code", error.code}, {"message", error.message}};
    if (!error.suggestion.empty()) entry["suggestion"] = error.suggestion;
    list.push_back(std::move(entry));
  }
  return drover::to_text(list);
}

}  // namespace drover::config
