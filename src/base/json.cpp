#include "base/json.h"

#include <fmt/format.h>

namespace drover {
namespace {

constexpr int kMaxDepth = 64;

}  // namespace

Result<Json> parse_json(std::string_view text) {
  bool too_deep = false;
  const auto guard = [&](int depth, Json::parse_event_t, Json&) {
    if (depth > kMaxDepth) too_deep = true;
    return !too_deep;
  };
  try {
    Json document = Json::parse(text.begin(), text.end(), guard);
    if (too_deep) return Error{ErrorCode::invalid, Side::gateway, fmt::format("JSON nested deeper than {}", kMaxDepth)};
    return document;
  } catch (const nlohmann::json::exception& error) {
    return Error{ErrorCode::invalid, Side::gateway, fmt::format("not JSON: {}", error.what())};
  }
}

std::string to_text(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string to_pretty_text(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace); }

const Json* member(const Json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

std::string_view text_at(const Json& object, std::string_view key, std::string_view fallback) {
  const Json* found = member(object, key);
  return found != nullptr && found->is_string() ? std::string_view(found->get_ref<const std::string&>()) : fallback;
}

double number_at(const Json& object, std::string_view key, double fallback) {
  const Json* found = member(object, key);
  return found != nullptr && found->is_number() ? found->get<double>() : fallback;
}

std::int64_t integer_at(const Json& object, std::string_view key, std::int64_t fallback) {
  const Json* found = member(object, key);
  return found != nullptr && found->is_number_integer() ? found->get<std::int64_t>() : fallback;
}

bool flag_at(const Json& object, std::string_view key, bool fallback) {
  const Json* found = member(object, key);
  return found != nullptr && found->is_boolean() ? found->get<bool>() : fallback;
}

}  // namespace drover
