#include "base/log.h"

// spdlog stays in this file; everybody else sees Log.
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace drover {
namespace {

bool needs_quotes(std::string_view value) {
  if (value.empty()) return true;
  for (const char c : value) {
    if (static_cast<unsigned char>(c) <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f) return true;
  }
  return false;
}

void append_quoted(std::string& line, std::string_view value) {
  line += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\') {
      line += '\\';
      line += c;
    } else if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) {
      line += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      line += c;
    }
  }
  line += '"';
}

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::debug: return spdlog::level::debug;
    case Level::info: return spdlog::level::info;
    case Level::warn: return spdlog::level::warn;
    case Level::error: return spdlog::level::err;
  }
  return spdlog::level::info;
}

class SpdLog final : public Log {
 public:
  SpdLog(spdlog::sink_ptr sink, Level threshold) : logger_("drover", std::move(sink)) {
    logger_.set_level(to_spdlog(threshold));
    logger_.set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %^%l%$ %v");
    logger_.flush_on(spdlog::level::debug);
  }
  void write(Level level, std::string_view event, std::initializer_list<Field> fields) override {
    if (logger_.should_log(to_spdlog(level))) logger_.log(to_spdlog(level), format_event(event, fields));
  }

 private:
  spdlog::logger logger_;
};

}  // namespace

std::string format_event(std::string_view event, std::initializer_list<Field> fields) {
  std::string line(event);
  for (const Field& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    if (needs_quotes(field.value)) {
      append_quoted(line, field.value);
    } else {
      line += field.value;
    }
  }
  return line;
}

std::unique_ptr<Log> make_stderr_log(Level threshold) {
  return std::make_unique<SpdLog>(std::make_shared<spdlog::sinks::stderr_color_sink_mt>(), threshold);
}

}  // namespace drover
