#pragma once
// Content types (RFC 9110, section 8.3).

#include <optional>
#include <string_view>

namespace drover::http {

// Is `content_type` (a field value, parameters and all) of type `media_type` (lower case, `type/subtype`)?
bool is_media_type(std::string_view content_type, std::string_view media_type);

// The value of a parameter, without quotes; nullopt when absent. A view into `content_type`: escapes in a quoted value
// stay as they are.
std::optional<std::string_view> media_parameter(std::string_view content_type, std::string_view name);

// May a body of this type be taken? False for multipart/* without a boundary of 1 to 70 bytes of the characters that
// RFC 2046 allows: answer 400. Any other type is fine here.
bool multipart_boundary_is_valid(std::string_view content_type);

}  // namespace drover::http
