#pragma once
// Cuts a node's JSON into pieces without reading them, so that entries can be passed on as they came and a hostile
// listing costs its bytes and nothing more.

#include <cstddef>
#include <string_view>

namespace drover::fleet {

// Walks over JSON text from the front. Lenient inside the pieces, whose reader is strict; safe for any bytes. No
// recursion: nesting costs nothing.
class RawCursor {
 public:
  explicit RawCursor(std::string_view text) : text_(text) {}

  // The next piece of structure, blanks before it skipped. False: something else stands there, or the end.
  bool take(char structural);
  bool at_end();
  // One value, as it stands. Empty: none stands there, or it is cut.
  std::string_view take_value();

 private:
  void skip_blanks();
  bool skip_string();

  std::string_view text_;
  std::size_t at_ = 0;
};

// Calls `visit(key, value)` for each member of the object; keys without quotes and not unescaped. False: it is no whole
// object; members may have been visited before that was seen.
template <typename Visit>
bool for_each_raw_member(std::string_view object, Visit&& visit) {
  RawCursor cursor(object);
  if (!cursor.take('{')) return false;
  if (cursor.take('}')) return cursor.at_end();
  do {
    const std::string_view key = cursor.take_value();
    if (key.size() < 2 || key.front() != '"' || !cursor.take(':')) return false;
    const std::string_view value = cursor.take_value();
    if (value.empty()) return false;
    visit(key.substr(1, key.size() - 2), value);
  } while (cursor.take(','));
  return cursor.take('}') && cursor.at_end();
}

// Calls `visit(value)` for each element of the array. False: it is no whole array.
template <typename Visit>
bool for_each_raw_element(std::string_view array, Visit&& visit) {
  RawCursor cursor(array);
  if (!cursor.take('[')) return false;
  if (cursor.take(']')) return cursor.at_end();
  do {
    const std::string_view value = cursor.take_value();
    if (value.empty()) return false;
    visit(value);
  } while (cursor.take(','));
  return cursor.take(']') && cursor.at_end();
}

}  // namespace drover::fleet
