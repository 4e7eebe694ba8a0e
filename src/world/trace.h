#pragma once
// All that happens in a world, in order: a hash over it, which two runs of one seed share, and the last events in
// words.

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "net/sim_world.h"

namespace drover::world {

class Trace {
 public:
  // `show` gets a line for each event as it happens; may be empty.
  explicit Trace(std::function<void(std::string_view)> show = {}) : show_(std::move(show)) {}

  enum class Kind : std::uint8_t { opened, wrote, arrived, finished, aborted, end_arrived, reset_arrived, note };

  void link(Mono at, Kind kind, net::LinkId link, net::End by, std::string_view bytes = {});
  // What no connection shows: chaos, logs, verdicts.
  void note(Mono at, std::string text);

  std::uint64_t hash() const { return hash_; }
  std::uint64_t events() const { return events_; }
  std::vector<std::string> last() const;  // the last kKept events, a line each

 private:
  static constexpr std::size_t kKept = 200;
  static constexpr std::size_t kShown = 100;  // bytes of a write
  struct Event {
    std::uint64_t number;
    Mono at;
    Kind kind;
    net::LinkId link;
    net::End by;
    std::size_t size;
    std::string text;
  };
  void add(Event event, std::string_view bytes);
  static std::string text_of(const Event& event);

  std::function<void(std::string_view)> show_;

  std::uint64_t hash_ = 0;
  std::uint64_t events_ = 0;
  std::deque<Event> kept_;
};

// Eight bytes a step; equal everywhere for equal bytes.
std::uint64_t hash_bytes(std::uint64_t seed, std::string_view bytes);

}  // namespace drover::world
