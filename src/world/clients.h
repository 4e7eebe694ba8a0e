#pragma once
// The clients of the world: what they ask, and how they behave while it is answered. Each habit arrives by its own
// clock and draws from its own generator. A client knows nothing of nodes; the ledger learns what it asks before it
// asks.

#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "net/sim_world.h"
#include "net/task.h"
#include "world/ledger.h"
#include "world/plan.h"

namespace drover::world {

// What a client got.
struct Answer {
  int status = 0;  // 0: none
  bool whole = false;
  bool should_retry = false;  // as SDKs judge it
  std::optional<Duration> retry_after{};
  bool keep_alive = false;
};

class Clients {
 public:
  // `models`: that every node or some nodes hold. The last one is for embeddings.
  Clients(net::SimWorld& world, net::SimLoop& loop, Ledger& ledger, const Plan& plan, net::Endpoint gateway,
          std::vector<std::string> models);

  // They come until then; those who came stay until they have what they want.
  void arrive(Mono until);
  // One patient request for each model, with a stream: what they got is in `answers`, in that order.
  void ask_all(std::vector<Answer>& answers);
  std::size_t active() const { return flows_.size(); }
  void end() { flows_.cancel_all(); }

 private:
  struct Wish {
    Asked asked;
    std::string bytes;  // of the whole request
  };
  struct AnswerReader {
    MessageReader messages{MessageReader::Side::responses};
    std::string ahead{};  // read, and of the next answer
  };
  // How answers are read.
  struct Reading {
    std::size_t at_once = 0;  // bytes; 0: all there is
    Duration pause{};         // before each read
    Mono until = kNever;
  };

  net::Task<> come(Habit habit, Random random, double rate, Mono until);
  net::Task<> visit(Habit habit, Random random);
  net::Task<> sdk(Random random);
  net::Task<> keep_alive(Random random);
  net::Task<> pipeline(Random random);
  net::Task<> leave(Habit habit, Random random, Duration longest);
  net::Task<> half_close(Random random);
  net::Task<> read_slowly(Random random);
  net::Task<> never_read(Random random);
  net::Task<> stay_open(Random random);
  net::Task<> send_slowly(Random random);
  net::Task<> misspeak(Random random);
  net::Task<> crowd(Random random);
  net::Task<> crowd_in(std::string tenant, std::string model, Random random);
  net::Task<> patiently(Wish wish);
  net::Task<> ask_once(std::string model, Answer& answer);

  net::Task<Answer> ask(Wish wish, Reading reading);
  net::Task<Answer> read_answer(net::Stream& stream, AnswerReader& reader, Reading reading);
  net::Task<std::unique_ptr<net::Stream>> connect();
  // Connects and asks for something. Null: it could not.
  net::Task<std::unique_ptr<net::Stream>> begin(Habit habit, Random& random);

  Wish wish(Habit habit, Random& random);
  Wish prompt(Habit habit, Random& random, std::string model, std::uint32_t tokens, bool stream);
  // What is asked of a model, and how.
  struct Prompt {
    std::string model;  // by the name that the client uses
    bool openai = false;
    std::string text{};
    std::uint32_t tokens = 0;  // of the answer
    bool stream = true;
    std::uint64_t num_ctx = 0;
    std::string tenant{};
    std::string fields{};  // more of them
  };
  Wish write(Habit habit, const Prompt& prompt);
  Wish request(Habit habit, Asked::Kind kind, std::string_view method, std::string path, std::string model,
               std::string_view body, std::string_view fields = "");

  net::SimWorld& world_;
  net::SimLoop& loop_;
  net::SimNetwork network_;
  Ledger& ledger_;
  const Plan& plan_;
  net::Endpoint gateway_;
  std::vector<std::string> models_;
  std::uint64_t asked_ = 0;
  std::uint64_t crowds_ = 0;  // tenants that came so
  net::TaskGroup flows_;
};

}  // namespace drover::world
