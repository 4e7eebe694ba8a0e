#pragma once
// The program's own log: an event with fields, one line each, `event key=value key="quoted value"`. Never prompts,
// bodies or keys. Request lines are not here: they are the access log (observe/access_log.h).

#include <fmt/format.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

namespace drover {

enum class Level : std::uint8_t { debug, info, warn, error };

struct Field {
  std::string_view key;
  std::string value;

  Field(std::string_view name, std::string_view text) : key(name), value(text) {}
  Field(std::string_view name, const char* text) : key(name), value(text) {}
  template <typename Number>
    requires std::is_arithmetic_v<Number>
  Field(std::string_view name, Number number) : key(name), value(fmt::format("{}", number)) {}
};

// Any thread; a line is written whole.
class Log {
 public:
  virtual ~Log() = default;
  virtual void write(Level level, std::string_view event, std::initializer_list<Field> fields) = 0;

  void debug(std::string_view event, std::initializer_list<Field> fields = {}) { write(Level::debug, event, fields); }
  void info(std::string_view event, std::initializer_list<Field> fields = {}) { write(Level::info, event, fields); }
  void warn(std::string_view event, std::initializer_list<Field> fields = {}) { write(Level::warn, event, fields); }
  void error(std::string_view event, std::initializer_list<Field> fields = {}) { write(Level::error, event, fields); }
};

// `event key=value ...` with quotes and escapes where a value has blanks, quotes or control characters.
std::string format_event(std::string_view event, std::initializer_list<Field> fields);

// To stderr, from `threshold` up, with time and level; colour only on a terminal (spdlog behind it).
std::unique_ptr<Log> make_stderr_log(Level threshold);

// Says nothing: for tests and simulated worlds.
class NullLog final : public Log {
 public:
  void write(Level, std::string_view, std::initializer_list<Field>) override {}
};

}  // namespace drover
