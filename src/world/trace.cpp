#include "world/trace.h"

#include <fmt/format.h>

#include <array>
#include <cstring>

namespace drover::world {
namespace {

constexpr std::uint64_t mix(std::uint64_t hash, std::uint64_t word) {
  hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
  return hash ^ (hash >> 29);
}

constexpr std::array<std::string_view, 8> kKinds{"opened",  "wrote",       "arrived",       "finished",
                                                 "aborted", "end_arrived", "reset_arrived", "note"};

std::string printable(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    if (c == '\n') {
      text += "\\n";
    } else if (c != '\r') {
      text += c >= ' ' && c < 0x7f ? c : '?';
    }
  }
  return text;
}

}  // namespace

std::uint64_t hash_bytes(std::uint64_t seed, std::string_view bytes) {
  std::uint64_t hash = mix(seed, bytes.size());
  while (!bytes.empty()) {
    std::uint64_t word = 0;
    const std::size_t size = std::min(bytes.size(), sizeof word);
    std::memcpy(&word, bytes.data(), size);
    hash = mix(hash, word);
    bytes.remove_prefix(size);
  }
  return hash;
}

void Trace::link(Mono at, Kind kind, net::LinkId link, net::End by, std::string_view bytes) {
  add({++events_, at, kind, link, by, bytes.size(), std::string(bytes.substr(0, kShown))}, bytes);
}

void Trace::note(Mono at, std::string text) {
  const std::string copy = text;
  add({++events_, at, Kind::note, 0, net::End::dialler, 0, std::move(text)}, copy);
}

void Trace::add(Event event, std::string_view bytes) {
  hash_ = mix(hash_, static_cast<std::uint64_t>(event.at.time_since_epoch().count()));
  hash_ =
      mix(hash_, event.link << 8 | static_cast<std::uint64_t>(event.kind) << 1 | static_cast<std::uint64_t>(event.by));
  hash_ = hash_bytes(hash_, bytes);
  if (show_) show_(text_of(event));
  if (kept_.size() >= kKept) kept_.pop_front();
  kept_.push_back(std::move(event));
}

std::string Trace::text_of(const Event& event) {
  std::string line = fmt::format("{:>8} {:10.6f} ", event.number, seconds(event.at.time_since_epoch()));
  if (event.kind == Kind::note) return line + event.text;
  line += fmt::format("link {} {} {}", event.link, event.by == net::End::dialler ? "dialler" : "listener",
                      kKinds[static_cast<std::size_t>(event.kind)]);
  if (event.kind == Kind::opened) return line + " to " + event.text;
  if (event.size > 0) line += fmt::format(" {}B {}", event.size, printable(event.text));
  return line;
}

std::vector<std::string> Trace::last() const {
  std::vector<std::string> lines;
  for (const Event& event : kept_) lines.push_back(text_of(event));
  return lines;
}

}  // namespace drover::world
