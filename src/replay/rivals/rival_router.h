#pragma once
// A rival at work. As its authors have it, each request goes to a node at once, and waits inside that node if need be.
// Or in a queue like ours: it is asked only for nodes with a free slot, and who finds none waits, first come, first
// served. Loads and evictions are the nodes' own.

#include <deque>
#include <memory>
#include <vector>

#include "replay/rivals/rival.h"
#include "replay/router.h"

namespace drover::replay {

enum class Binding : std::uint8_t { early, late };

class RivalRouter final : public Router {
 public:
  // `queue`: of late binding. A slot is of the whole node, since such a router knows no models' slots.
  RivalRouter(const Stage& stage, std::unique_ptr<Rival> rival, Binding binding, Rival::Buffer queue,
              std::uint64_t seed);

  void arrived(Stage& stage, std::size_t request) override;
  void first_token(Stage& stage, std::size_t request) override;
  void ended(Stage& stage, std::size_t request, bool ok, const balance::NodeDurations& durations) override;
  Mono next() const override;
  void wake(Stage& stage) override;

 private:
  bool try_start(Stage& stage, std::size_t request);
  void try_all(Stage& stage);
  void refuse(Stage& stage, std::size_t request);

  std::unique_ptr<Rival> rival_;
  Binding binding_;
  Rival::Buffer buffer_;
  Random random_;
  std::vector<unsigned> in_flight_;  // by node
  struct Waiting {
    std::size_t request;
    Mono until;  // then it is refused
  };
  std::deque<Waiting> waiting_;    // in order of arrival
  Mono again_ = kNever;            // then they are asked for, whatever ends meanwhile
  std::vector<Backend> backends_;  // scratch
};

}  // namespace drover::replay
