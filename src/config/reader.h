#pragma once
// Reads settings out of a file's tree and keeps every fault, with its place.

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "config/binder.h"
#include "config/document.h"
#include "config/error.h"

namespace drover::config {

// What all readers of one file share.
struct ReadState {
  std::string filename;
  std::string_view source;  // the whole file; outlives this
  std::vector<ConfigError> faults;
  std::map<std::string, Place> places;  // of every setting that was read, by path

  void fault(Place place, std::string path, std::string_view code, std::string message, std::string suggestion = {});
};

// Binds one map of the tree. A setting that is wrong keeps its value and becomes a fault; so does a key that is given
// twice, and, in finish(), one that nobody asked for.
class Reader final : public Binder {
 public:
  // `map`: of kind map or empty. `path`: of the map, empty at the top. Both must outlive this.
  Reader(ReadState& state, const Value& map, std::string path);
  void finish();

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
  const Value* find(Item item);
  std::string path_of(std::string_view name) const;
  void expected(Item item, const Value& value, std::string_view what, std::string_view suggestion = {});
  void read_size(Item item, const Value& value, Bytes& size, Bytes least, Bytes most, std::string_view also);
  void read_text(const Value& value, const std::string& path, const Read& read);

  ReadState& state_;
  const Value& map_;
  std::string path_;
  std::vector<std::string_view> known_;  // every setting that was asked for
};

}  // namespace drover::config
