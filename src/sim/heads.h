#pragma once
// Heads of answers in the order in which Go writes them: the handler's fields by name, Date, framing.

#include <span>
#include <string>
#include <string_view>

#include "http/fields.h"
#include "wire/server_connection.h"

namespace drover::sim {

// `fields` in alphabetical order; those of CORS are added where the request came from another origin that may ask.
struct HeadOptions {
  int status = 200;
  std::string_view type{};
  http::Framing framing{};
  std::span<const http::Field> fields{};
  bool loopback = true;  // where the node listens
};
std::string answer_head(wire::ServerConnection& connection, const wire::Incoming& request, const HeadOptions& options);

// A whole answer. Go knows the length of a body of up to 2 KiB when it sends the head; a longer one goes in chunks, and
// so does a short one if `in_chunks`. No body for HEAD and 204.
std::string whole_answer(wire::ServerConnection& connection, const wire::Incoming& request, HeadOptions options,
                         std::string_view body, bool in_chunks = false);

}  // namespace drover::sim
