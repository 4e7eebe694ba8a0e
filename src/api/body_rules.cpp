#include "api/body_rules.h"

#include <fmt/format.h>

#include "base/ascii.h"
#include "http/media_type.h"

namespace drover::api {

Bytes body_bound(Route route, const BodyBounds& bounds) {
  switch (traits(route).body) {
    case BodyLimit::prompt: return bounds.prompt;
    case BodyLimit::small: return bounds.small;
    case BodyLimit::none: return bounds.drained;
  }
  return bounds.drained;
}

std::optional<Refusal> refuse_length(Route route, Bytes length, const BodyBounds& bounds) {
  const Bytes bound = body_bound(route, bounds);
  if (length <= bound) return std::nullopt;
  return refuse(Reason::body_too_large,
                fmt::format("the body is larger than the {} bytes that {} takes", bound.value, label(route)));
}

std::expected<Coding, Refusal> body_coding(Route route, std::string_view content_encoding) {
  if (content_encoding.empty() || ascii::equal_fold(content_encoding, "identity")) return Coding::identity;
  const bool takes_zstd = dialect(route) != Dialect::ollama && traits(route).body == BodyLimit::prompt;
  if (takes_zstd && ascii::equal_fold(content_encoding, "zstd")) return Coding::zstd;
  return std::unexpected(refuse(Reason::decode, fmt::format("{} takes no body with that content-encoding{}",
                                                            label(route), takes_zstd ? ", only zstd or none" : "")));
}

std::optional<Refusal> refuse_content_type(std::string_view content_type) {
  if (http::multipart_boundary_is_valid(content_type)) return std::nullopt;
  return refuse(Reason::content_type, "the multipart boundary must be 1 to 70 characters");
}

}  // namespace drover::api
