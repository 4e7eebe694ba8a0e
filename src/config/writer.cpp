#include "config/writer.h"

#include <fmt/format.h>

#include <string_view>

#include "base/json.h"
#include "config/quantities.h"

namespace drover::config {
namespace {

constexpr std::size_t kStep = 2;

// A JSON string is a YAML string.
std::string as_string(std::string_view text) { return to_text(Json(text)); }

}  // namespace

void Writer::line(Item item, std::string_view value) {
  fmt::format_to(std::back_inserter(out_), "{:{}}{}:{}{}  # {}\n", "", indent_, item.name, value.empty() ? "" : " ",
                 value, item.help);
}

void Writer::section(Item item, std::string_view, const std::function<void(Binder&)>& settings) {
  line(item, "");
  Writer inner(out_, indent_ + kStep);
  settings(inner);
}

void Writer::flag(Item item, bool& value) { line(item, value ? "true" : "false"); }

void Writer::duration(Item item, Duration& value, Duration, Duration) { line(item, duration_text(value)); }

void Writer::size(Item item, Bytes& value, Bytes, Bytes) { line(item, size_text(value)); }

void Writer::number(Item item, std::optional<std::uint64_t>& value, bool, std::uint64_t, std::uint64_t) {
  line(item, value ? fmt::format("{}", *value) : "auto");
}

void Writer::size_or_auto(Item item, std::optional<Bytes>& value, Bytes, Bytes) {
  line(item, value ? size_text(*value) : "auto");
}

void Writer::choice(Item item, std::size_t& index, std::span<const std::string_view> words) {
  line(item, words[index]);
}

void Writer::text(Item item, const std::string& current, const Read&) {
  if (!current.empty()) line(item, as_string(current));
}

void Writer::texts(Item item, std::span<const std::string> current, const Read&) {
  std::string list;
  for (const std::string& text : current) list += (list.empty() ? "" : ", ") + as_string(text);
  line(item, fmt::format("[{}]", list));
}

void Writer::list(Item item, const Elements& elements) {
  line(item, elements.count == 0 ? "[]" : "");
  for (std::size_t i = 0; i < elements.count; ++i) {
    const std::size_t begin = out_.size();
    Writer inner(out_, indent_ + 2 * kStep);
    elements.element(inner, i);
    // The dash stands where the first setting's indentation ends.
    out_[begin + indent_ + kStep] = '-';
  }
}

}  // namespace drover::config
