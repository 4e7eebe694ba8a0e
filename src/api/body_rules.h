#pragma once
// What a route takes as a body, decided from the head alone, before a byte of it is read.

#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

#include "api/dialect.h"
#include "api/route.h"
#include "base/units.h"

namespace drover::api {

struct BodyBounds {
  Bytes prompt = 64_MiB;
  Bytes small = 1_MiB;
  Bytes drained = 64_KiB;  // what routes without a body read and forget; beyond it the connection is closed
  Bytes decoded = 20_MiB;  // of a compressed body, as Ollama has it
};
Bytes body_bound(Route route, const BodyBounds& bounds);

// For a body whose length is known (row 62), and again with what has come when it is not (row 63). nullopt: it fits.
std::optional<Refusal> refuse_length(Route route, Bytes length, const BodyBounds& bounds);

// How the body is compressed. zstd is taken on OpenAI's POSTs, as Ollama does, and must be decoded before it is scanned
// or forwarded, up to `decoded` bytes (413 beyond); all else is 415 (row 75).
enum class Coding : std::uint8_t { identity, zstd };
std::expected<Coding, Refusal> body_coding(Route route, std::string_view content_encoding);

// JSON routes take any content type, since `curl -d` sends a form's (row 76). nullopt but for a multipart body without
// a sound boundary.
std::optional<Refusal> refuse_content_type(std::string_view content_type);

}  // namespace drover::api
