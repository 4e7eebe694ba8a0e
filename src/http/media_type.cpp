#include "http/media_type.h"

#include <algorithm>

#include "base/ascii.h"

namespace drover::http {
namespace {

// The type itself, up to the parameters.
std::string_view essence(std::string_view content_type) {
  return ascii::trim(content_type.substr(0, content_type.find(';')));
}

// Takes the next `;name=value` off the front of `rest`. nullopt: there is none that is well formed.
struct Parameter {
  std::string_view name, value;
};
std::optional<Parameter> next_parameter(std::string_view& rest) {
  const auto semicolon = rest.find(';');
  if (semicolon == std::string_view::npos) return std::nullopt;
  rest.remove_prefix(semicolon + 1);
  const auto equals = rest.find_first_of("=;");
  if (equals == std::string_view::npos) return std::nullopt;
  Parameter parameter{ascii::trim(rest.substr(0, equals)), {}};
  if (rest[equals] == ';') return rest.remove_prefix(equals), parameter;
  rest.remove_prefix(equals + 1);

  if (!rest.starts_with('"')) {
    parameter.value = ascii::trim(rest.substr(0, rest.find(';')));
    return parameter;
  }
  std::size_t end = 1;
  while (end < rest.size() && rest[end] != '"') end += rest[end] == '\\' ? 2 : 1;
  if (end >= rest.size()) return std::nullopt;
  parameter.value = rest.substr(1, end - 1);
  rest.remove_prefix(end + 1);
  return parameter;
}

bool is_boundary_char(char c) {
  return ascii::is_alnum(c) || std::string_view("'()+_,-./:=? ").find(c) != std::string_view::npos;
}

}  // namespace

bool is_media_type(std::string_view content_type, std::string_view media_type) {
  if (content_type == media_type) return true;  // as nearly everybody writes it
  return ascii::equal_fold(essence(content_type), media_type);
}

std::optional<std::string_view> media_parameter(std::string_view content_type, std::string_view name) {
  while (const auto parameter = next_parameter(content_type)) {
    if (ascii::equal_fold(parameter->name, name)) return parameter->value;
  }
  return std::nullopt;
}

bool multipart_boundary_is_valid(std::string_view content_type) {
  constexpr std::string_view kMultipart = "multipart/";
  if (!ascii::equal_fold(essence(content_type).substr(0, kMultipart.size()), kMultipart)) return true;
  const auto boundary = media_parameter(content_type, "boundary");
  return boundary && !boundary->empty() && boundary->size() <= 70 && boundary->back() != ' ' &&
         std::all_of(boundary->begin(), boundary->end(), is_boundary_char);
}

}  // namespace drover::http
