#pragma once
// Which names a listener answers to. A page of a stranger can make a browser send requests to 127.0.0.1 under the
// stranger's own name (DNS rebinding, CVE-2024-28224); the Host field then shows that name.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace drover::guard {

// Allowed are IP literals (nobody can rebind those), `localhost`, `*.localhost`, `*.local`, `*.internal`, the machine's
// own names and the configured ones. All listeners use the same rules. Immutable; any thread. O(names), no allocation.
class HostRules {
 public:
  // Only what holds for every machine.
  HostRules() = default;
  // `own_names`: the machine's host name, with and without domain. `configured`: `gateway.example.org`, or
  // `*.example.org` for all names below. Errors (config): an entry that is neither; it is quoted.
  static Result<HostRules> make(const std::vector<std::string>& own_names, const std::vector<std::string>& configured);

  // `host`: the Host field's value, with or without port; its syntax has been checked (row 45). Empty is allowed:
  // HTTP/1.0 may leave it out, browsers never do. False: answer 421 `host`.
  bool allows(std::string_view host) const;

 private:
  std::vector<std::string> names_;     // lower case, without a dot at the end
  std::vector<std::string> suffixes_;  // `.example.org`, lower case
};

// Is `entry` what HostRules::make takes as a configured name?
bool is_host_entry(std::string_view entry);

}  // namespace drover::guard
