#pragma once
// Writes settings as a drover.yaml.

#include <string>

#include "config/binder.h"

namespace drover::config {

// Appends `name: value` lines, indented by `indent` blanks.
class Writer final : public Binder {
 public:
  Writer(std::string& out, std::size_t indent) : out_(out), indent_(indent) {}

  using Binder::section;
  void section(Item item, std::string_view shorthand, const std::function<void(Binder&)>& settings) override;
  void flag(Item item, bool& value) override;
  void duration(Item item, Duration& value, Duration least, Duration most) override;
  void size(Item item, Bytes& value, Bytes least, Bytes most) override;
  void number(Item item, std::optional<std::uint64_t>& value, bool automatic, std::uint64_t least,
              std::uint64_t most) override;
  void size_or_auto(Item item, std::optional<Bytes>& value, Bytes least, Bytes most) override;
  void choice(Item item, std::size_t& index, std::span<const std::string_view> words) override;
  void text(Item item, const std::string& current, const Read& read) override;
  void texts(Item item, std::span<const std::string> current, const Read& read) override;
  void list(Item item, const Elements& elements) override;

 private:
  void line(Item item, std::string_view value);

  std::string& out_;
  std::size_t indent_;
};

}  // namespace drover::config
