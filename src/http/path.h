#pragma once
// One path for all: what routing and policy look at is the only reading of the path that there is. Paths that could be
// read in two ways (`/api/../x`, `//`, `%2e`, `%2f`, overlong UTF-8) are refused rather than repaired, since a node
// might repair them otherwise (Envoy CVE-2019-9901).

#include <string>
#include <string_view>

namespace drover::http {

struct NormalPath {
  std::string_view fault;   // empty: the path is fine; else what is wrong with it, for a message
  bool is_decoded = false;  // it was percent-encoded: the path is `decoded`, not `raw`
};

// `raw`: the path of a request target, without query. Fine is what begins with '/', has no empty, `.` or `..` segment
// (a
// '/' at the end is allowed), is visible ASCII without '\\', '#' and '?', and whose percent-encoding yields valid UTF-8
// and none of: control characters, '.', '/', '\\', '%', '?', '#', which would mean something if they were read again.
// `decoded` is set only if is_decoded.
NormalPath normalise_path(std::string_view raw, std::string& decoded);

// RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text);

}  // namespace drover::http
