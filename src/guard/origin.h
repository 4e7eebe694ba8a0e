#pragma once
// Which web pages may use a listener (CORS, the Fetch standard), decided as Ollama decides it, since desktop apps and
// editors depend on that list.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace drover::guard {

// What the rules look at in a request.
struct OriginQuestion {
  std::string_view origin;          // value of Origin; empty: absent
  std::string_view host;            // value of Host, which HostRules allowed before
  std::string_view sec_fetch_site;  // value of Sec-Fetch-Site; empty: absent
  bool is_options = false;          // method OPTIONS
};

struct Header {
  std::string_view name;  // static
  std::string value;
};

struct OriginVerdict {
  enum class Action : std::uint8_t {
    pass,       // serve the request, and add `headers` to its answer, errors included
    refuse,     // 403 `origin`
    preflight,  // 204 without a body and with `headers`; the request is not served
  };
  Action action = Action::pass;
  std::vector<Header> headers;  // empty where no CORS is involved; never allows credentials
};

// Immutable; any thread. O(patterns); allocates only for requests with a foreign Origin.
class OriginRules {
 public:
  // Ollama's built-in list and `configured`: http and https of localhost, 127.0.0.1 and 0.0.0.0 with any port, and
  // app://, file://, tauri://, vscode-webview://, vscode-file:// with anything.
  static Result<OriginRules> gateway(const std::vector<std::string>& configured);
  // Only `configured`; besides, whatever a browser sends cross-site is refused, with or without Origin.
  static Result<OriginRules> admin(const std::vector<std::string>& configured);

  // An Origin that is `http(s)://` + Host is the page of this listener itself and passes without headers.
  OriginVerdict decide(const OriginQuestion& question) const;

 private:
  struct Pattern {
    std::string before;  // lower case
    std::string after;   // behind the star
    bool star = false;
    bool port = false;  // the star stands for a port: digits only
    bool matches(std::string_view origin) const;
  };
  static Result<OriginRules> make(const std::vector<std::string>& patterns);
  bool allows(std::string_view origin) const;

  std::vector<Pattern> patterns_;
  bool anyone_ = false;  // `*`
  bool refuse_cross_site_ = false;
};

// Errors (config): not `*`, `null`, or `scheme://...` with at most one `*`; the text is quoted.
Result<void> check_origin_entry(std::string_view entry);

}  // namespace drover::guard
