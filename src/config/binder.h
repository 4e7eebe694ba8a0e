#pragma once
// One description of all settings, several uses: reading a file, writing one, and later a schema and documentation. A
// binding names each setting once, with its bounds; what a Binder does with it is the Binder's business.

#include <array>
#include <concepts>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/units.h"

namespace drover::config {

// A setting: the name it has in the file, and what it is for, in a few words without a full stop.
struct Item {
  std::string_view name;
  std::string_view help;
};

class Binder {
 public:
  virtual ~Binder() = default;

  // A map of further settings. `shorthand`: plain text stands for a map with just that setting; empty: it does not.
  virtual void section(Item item, std::string_view shorthand, const std::function<void(Binder&)>& settings) = 0;
  void section(Item item, const std::function<void(Binder&)>& settings) { section(item, {}, settings); }

  virtual void flag(Item item, bool& value) = 0;
  virtual void duration(Item item, Duration& value, Duration least, Duration most) = 0;
  virtual void size(Item item, Bytes& value, Bytes least, Bytes most) = 0;

  // `automatic`: the word `auto` is allowed and means nullopt.
  virtual void number(Item item, std::optional<std::uint64_t>& value, bool automatic, std::uint64_t least,
                      std::uint64_t most) = 0;
  virtual void size_or_auto(Item item, std::optional<Bytes>& value, Bytes least, Bytes most) = 0;

  // One of `words`; `index` says which.
  virtual void choice(Item item, std::size_t& index, std::span<const std::string_view> words) = 0;

  // A text with a form of its own. `read` takes it over, or says what is wrong with it and what was expected, as
  // `"x" is no address; expected ...`.
  using Read = std::function<std::optional<std::string>(std::string_view)>;
  virtual void text(Item item, const std::string& current, const Read& read) = 0;
  // A list of such texts. `read` is called for each.
  virtual void texts(Item item, std::span<const std::string> current, const Read& read) = 0;

  // A list of maps. `shorthand`: an element that is plain text stands for a map with just that setting. `resize` is
  // called before `element`.
  struct Elements {
    std::size_t count;
    std::string_view shorthand;
    std::function<void(std::size_t)> resize;
    std::function<void(Binder&, std::size_t)> element;
  };
  virtual void list(Item item, const Elements& elements) = 0;

  // The same for the types that settings have.
  template <std::unsigned_integral T>
  void whole(Item item, T& value, std::uint64_t least, std::uint64_t most) {
    std::optional<std::uint64_t> number_value = value;
    number(item, number_value, false, least, most);
    value = static_cast<T>(*number_value);
  }
  template <std::unsigned_integral T>
  void whole_or_auto(Item item, std::optional<T>& value, std::uint64_t least, std::uint64_t most) {
    std::optional<std::uint64_t> number_value = value;
    number(item, number_value, true, least, most);
    value = number_value ? std::optional<T>(static_cast<T>(*number_value)) : std::nullopt;
  }
};

}  // namespace drover::config
