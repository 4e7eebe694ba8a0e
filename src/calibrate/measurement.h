#pragma once
// What a real engine did: one line of JSON a request, as bench/engine/measure writes them (docs/engine.md has the
// fields).

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace drover::calibrate {

struct Measurement {
  std::size_t line = 0;  // in its file, from 1
  std::string scenario;  // warm, load, solo, batch, interfere, cache, mix
  std::string cell;      // what of the scenario, but for the repetition: "words 128, share 0.5"
  std::uint32_t repetition = 0;
  std::string talk;              // of a conversation; empty: none
  bool open_loop = false;        // sent when due, whatever had become of earlier ones
  bool base = false;             // was there only to put a prompt into the cache, which the next request shares
  bool shares = false;           // its prompt begins like that of the base before it
  std::optional<double> rate{};  // of an open loop: requests a second
  double sent = 0;               // seconds since the scenario began
  double first = 0;              // seconds from sending to the first token
  double last = 0;               // from sending to the end
  double reading = 0;            // of that: from the first step that read its prompt to the first token
  std::uint32_t prompt = 0;      // tokens
  std::uint32_t cached = 0;      // of those, not read
  std::uint32_t answer = 0;
};

// The requests of one file: one engine, one after another.
struct Recording {
  std::string name;
  std::uint32_t slots = 1;
  std::uint32_t context = 4096;  // of each slot
  bool host_cache = true;
  std::vector<Measurement> rows;  // scenarios in the order of the file; in each, by time of sending
};

// Lines that failed (`error`) or gave no token are left out. Error: invalid, with the number of the line.
Result<Recording> read_run(std::string name, std::string_view lines);

}  // namespace drover::calibrate
