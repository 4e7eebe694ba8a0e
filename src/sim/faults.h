#pragma once
// Faults that a test arms on a simulated node, and the requests that they hit.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"

namespace drover::sim {

// `n` is after_tokens: where it is 0, the fault comes before the answer's head. An answer that is not streamed has sent
// nothing until its end, so there any n above 0 means: in the middle of its body.
enum class FaultKind : std::uint8_t {
  refuse,         // connections close at once, for `seconds` or until cleared; takes no count
  reset,          // RST after n tokens
  stall,          // silence after n tokens, until the client leaves
  cut,            // FIN after n tokens, without the end of the body
  slow_load,      // the next load takes `seconds` more
  out_of_memory,  // 500, in the words of a load that failed
  busy,           // 503, in the words of a full load queue
  error,          // 500 with `text`; after n tokens the same as a last line
  hang,           // reads the request and never answers
  garbage,        // bytes that are no HTTP, after n tokens: a chunk whose size is none
  silent_end,     // a proper end of the body after n tokens, but no terminator of the answer
  drip,           // from token n on, a byte at a time, `seconds` apart
  crash,          // the runner dies after n tokens, for all its requests
  empty_listing,  // what it holds and what it runs is listed as nothing; a count of such answers
};
std::string_view name(FaultKind kind);

struct Fault {
  FaultKind kind;
  std::uint32_t after_tokens = 0;
  std::optional<Duration> seconds{};
  std::string path{};  // empty: any route of inference
  std::string text{};
  std::uint32_t count = 1;  // how many more requests it hits; 0: until cleared
};

// Reads `{"fault":"cut","after_tokens":5,"count":1,"seconds":2,"path":"/api/chat","text":"…"}`. Error: invalid, with
// the faults there are.
Result<Fault> read_fault(const Json& json);

class Faults {
 public:
  void arm(Fault fault, Mono now);
  void clear();
  // The first armed fault that a request to `path` meets; counted.
  std::optional<Fault> take(std::string_view path);
  // Whether a listing that is asked for now names nothing; counted.
  bool take_listing();
  bool refusing(Mono now) const { return now < refusing_until_; }
  Json to_json() const;

 private:
  std::optional<Fault> take(std::vector<Fault>::iterator found);

  std::vector<Fault> armed_;
  Mono refusing_until_{};
};

}  // namespace drover::sim
