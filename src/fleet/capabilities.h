#pragma once
// What a model can do, in Ollama's words.

#include <cstdint>
#include <string_view>

namespace drover::fleet {

enum class Capability : std::uint8_t { completion, tools, insert, vision, embedding, thinking, image, audio };
inline constexpr std::size_t kCapabilityCount = static_cast<std::size_t>(Capability::audio) + 1;
std::string_view name(Capability capability);

// A set. Words this version does not know are left out: new nodes invent some.
class Capabilities {
 public:
  // Nothing known: a node leaves the member out for a model that it cannot read.
  constexpr Capabilities() = default;

  bool known() const { return known_; }
  bool has(Capability capability) const { return (bits_ >> static_cast<unsigned>(capability) & 1U) != 0; }
  // Makes the set known, even when the word is not.
  void add(std::string_view word);
  void set_known() { known_ = true; }
  // Embeds and generates nothing: it is loaded by /api/embed, and /api/generate would answer 400.
  bool embedding_only() const { return has(Capability::embedding) && !has(Capability::completion); }

  friend bool operator==(const Capabilities&, const Capabilities&) = default;

 private:
  std::uint16_t bits_ = 0;
  bool known_ = false;
};

}  // namespace drover::fleet
