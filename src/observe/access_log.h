#pragma once
// One line of JSON for each request, when it ends. Nothing of a prompt, an answer or a key is in it; where the settings
// ask for it, which prompts begin alike.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "api/dialect.h"
#include "api/route.h"
#include "base/clock.h"
#include "base/units.h"
#include "observe/outcome.h"

namespace drover::observe {

// All views are read during the call that writes the line.
struct AccessRecord {
  std::string_view request_id;
  Wall time{};              // when its head was read
  std::string_view client;  // IP address
  std::string_view method;
  std::string_view route;  // api::label(route), or "" where no route matched: a path is the client's text
  std::optional<api::Dialect> dialect;
  std::string_view model;           // as the client wrote it, once it was understood
  std::string_view served_model;    // the one that it went to, where that is another; empty: it is not
  std::string_view fell_back_from;  // the model that no node could serve, where this one took its place
  std::string_view node;            // that served the last attempt; empty: none
  int status = 0;                   // 0: nothing was answered
  Outcome outcome = Outcome::ok;
  std::optional<api::Reason> reason;  // why it was refused, failed or was cut
  std::string_view picked;            // why this node, a slug of ours
  std::string_view tenant;            // who asked; empty: nobody in particular
  unsigned attempts = 0;
  bool stream = false;

  // The time of a request, split. total = queue + load + prefill + decode + overhead; absent where unknown.
  Duration total{};
  std::optional<Duration> queue;           // waiting for a slot
  std::optional<Duration> expected_queue;  // the same, as it was expected when the wait began
  std::optional<Duration> load;            // of the model, caused by or waited for by this request
  std::optional<Duration> prefill;         // reading the prompt
  std::optional<Duration> decode;          // writing the answer
  std::optional<Duration> overhead;        // the gateway's own, and the network's
  std::optional<Duration> first_byte;      // from the arrival of the request to the first byte of the answer

  Bytes received;  // of the body
  Bytes sent;
  std::optional<std::uint64_t> prompt_tokens;
  std::optional<std::uint64_t> cached_tokens;
  std::optional<std::uint64_t> completion_tokens;

  // Under a key that nobody knows (api/logged_prefix.h), where the settings ask for it: the session that the client
  // named, and how the prompt begins.
  std::optional<std::uint64_t> session;
  std::span<const std::uint64_t> prefix_hashes;
};

// One line with its newline; the fields always in one order, absent ones left out. Names are those of ECS and
// OpenTelemetry where they have one, else `drover.*`. What could forge a line or steer a terminal (control characters,
// bidirectional marks, invalid UTF-8) is escaped. Makes room for the longest such line first, about 2 KiB, six times
// the texts and 19 bytes a hash, and asks for no other memory: append to a buffer that is kept. About 0.2 µs.
void append_access_line(std::string& out, const AccessRecord& record);

}  // namespace drover::observe
