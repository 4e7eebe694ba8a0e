#pragma once
// Bodies as a real node reads them: Go's encoding/json, with its leniency and its words. Written apart from the
// gateway's scanner on purpose, so that the two can disagree in a test.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace drover::sim {

struct GoDocument {
  Json value;
  std::size_t end = 0;  // behind the value; what follows is ignored
};

// The first JSON value of `text`. Of members with one key the last one counts and stands last. Error: Go's words, `EOF`
// when there is nothing, `unexpected EOF` when it is cut.
std::expected<GoDocument, std::string> go_decode(std::string_view text);

// Fills a struct's fields from an object as Go does: keys match without regard to case, the last one that is not null
// counts, the first value of a wrong type is remembered in Go's words.
class GoFields {
 public:
  // `path` names the struct in messages. Both must outlive this.
  GoFields(const Json& object, std::string path, std::string& error)
      : object_(object), path_(std::move(path)), error_(error) {}

  const Json* find(std::string_view key) const;

  std::string text(std::string_view key, std::string_view type = "string") const;
  std::optional<bool> flag(std::string_view key) const;
  std::optional<std::int64_t> integer(std::string_view key) const;
  std::optional<double> number(std::string_view key, std::string_view type = "float64") const;
  // The array, or nullptr; `type` as Go names it.
  const Json* array(std::string_view key, std::string_view type) const;
  const Json* object(std::string_view key, std::string_view type) const;

  // Remembers that `value` cannot be the field `key`.
  void mismatch(const Json& value, std::string_view key, std::string_view type) const;
  const std::string& path() const { return path_; }

 private:
  const Json& object_;
  std::string path_;
  std::string& error_;
};

// "string", "number 1.5", "object": what Go calls a value in such a message. `whole`: an integer was wanted.
std::string go_kind(const Json& value, bool whole = false);

}  // namespace drover::sim
