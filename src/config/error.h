#pragma once
// A mistake in a configuration, told so that it can be mended: where, what stands there, what should.

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace drover::config {

struct ConfigError {
  std::string file;
  std::size_t line = 0;    // from 1; 0: the fault has no place in the file
  std::size_t column = 0;  // from 1
  std::size_t width = 1;   // characters that are wrong
  std::string path;        // `nodes[2].weight`; empty: the file itself
  std::string code;        // a slug for scripts: unknown_key, duplicate_key, value, syntax, ...
  std::string message;     // `nodes[2].weight is -1; expected a whole number from 1 to 100`
  std::string suggestion;  // the nearest right word; empty: none is near
  std::string source;      // the line of the file; empty: unknown

  friend bool operator==(const ConfigError&, const ConfigError&) = default;
};

// `drover.yaml:14:7: nodes[2].weight is -1; expected a whole number from 1 to 100`, with "did you mean ...?" at its end
// where there is a suggestion. One line.
std::string to_text(const ConfigError& error);
// The same with the line of the file and the place marked below it, for people.
std::string to_block(const ConfigError& error);
// All of them as blocks.
std::string to_blocks(std::span<const ConfigError> errors);
// An array of objects, for scripts.
std::string to_json(std::span<const ConfigError> errors);

}  // namespace drover::config
