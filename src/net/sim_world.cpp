#include "net/sim_world.h"

#include <algorithm>
#include <array>
#include <deque>
#include <string>

#include "base/check.h"

namespace drover::net {

class SimStream;

namespace {

// One direction of a simulated connection: what is under way and what has arrived.
struct Direction {
  std::string arrived;
  std::size_t under_way = 0;
  bool ended = false;  // FIN has arrived
  Mono last_delivery{};
  SimStream* writer = nullptr;  // null once destroyed
  SimStream* reader = nullptr;
  bool writer_blocked = false;
};

struct Link {
  explicit Link(SimWorld& owner) : world(owner) {}
  SimWorld& world;
  std::array<Direction, 2> directions;
  bool reset = false;

  // Later things of one direction arrive after earlier ones, whatever the jitter.
  Mono delivery_time(Direction& direction, Mono now) {
    const auto& settings = world.settings();
    Duration delay = settings.latency;
    if (settings.jitter > Duration{0}) {
      delay += Duration{
          static_cast<std::int64_t>(world.random().below(static_cast<std::uint64_t>(settings.jitter.count())))};
    }
    return direction.last_delivery = std::max(direction.last_delivery, now + delay);
  }
};

std::size_t some_of(Random& random, std::size_t whole, std::size_t most) {
  return most == 0 || whole == 0 ? whole : std::min<std::size_t>(whole, 1 + random.below(most));
}

}  // namespace

class SimStream final : public Stream {
 public:
  SimStream(Loop& loop, std::shared_ptr<Link> link, std::size_t side, const Endpoint& peer)
      : loop_(loop), link_(std::move(link)), out_(link_->directions[side]), in_(link_->directions[1 - side]) {
    peer_ = peer;
    out_.writer = this;
    in_.reader = this;
  }
  ~SimStream() override {
    out_.writer = nullptr;
    in_.reader = nullptr;
    // As Linux: closing with unread input resets, otherwise the peer sees the end.
    if (in_.arrived.empty() && !aborted_) {
      finish();
    } else {
      abort();
    }
  }

  void finish() override {
    if (finished_ || link_->reset) return;
    finished_ = true;
    deliver_end();
  }

  void abort() override {
    if (aborted_ || link_->reset) return;
    aborted_ = true;
    auto link = link_;
    const std::size_t out = &out_ == &link->directions[0] ? 0 : 1;
    link_->world.schedule(link_->delivery_time(out_, loop_.now()), [link, out] {
      link->reset = true;
      if (SimStream* reader = link->directions[out].reader) reader->peer_hung_up();
      if (SimStream* writer = link->directions[1 - out].writer) writer->became_writable();
    });
  }

  bool has_input() const override { return !in_.arrived.empty() || in_.ended || link_->reset || aborted_; }

 protected:
  Loop& loop() override { return loop_; }

  Attempt try_read(std::span<char> into) override {
    if (aborted_) return {Outcome::failed};
    if (in_.arrived.empty()) {
      if (link_->reset) return {Outcome::failed};
      return {in_.ended ? Outcome::ended : Outcome::blocked};
    }
    const auto& settings = link_->world.settings();
    const auto count = some_of(link_->world.random(), std::min(into.size(), in_.arrived.size()), settings.max_read);
    std::copy_n(in_.arrived.data(), count, into.data());
    in_.arrived.erase(0, count);
    if (in_.writer_blocked) {
      in_.writer_blocked = false;
      auto link = link_;
      Direction* direction = &in_;
      link_->world.schedule(loop_.now() + settings.latency, [link, direction] {
        if (direction->writer != nullptr) direction->writer->became_writable();
      });
    }
    return {Outcome::done, count};
  }

  Attempt try_write(std::span<const std::string_view> pieces) override {
    if (link_->reset || aborted_ || finished_) return {Outcome::failed};
    const auto& settings = link_->world.settings();
    std::size_t total = 0;
    for (const auto piece : pieces) total += piece.size();
    if (total == 0) return {Outcome::done};
    const auto held = out_.arrived.size() + out_.under_way;
    const auto room = held < settings.window ? settings.window - held : 0;
    const auto count = std::min(room, some_of(link_->world.random(), total, settings.max_write));
    if (count < total) out_.writer_blocked = true;
    if (count == 0) return {Outcome::blocked};
    std::string bytes;
    for (const auto piece : pieces) bytes += piece.substr(0, count - bytes.size());
    deliver_bytes(std::move(bytes));
    if (count < total && room > count) {
      // Not for lack of window: the rest may be tried at once.
      out_.writer_blocked = false;
      auto link = link_;
      Direction* direction = &out_;
      link_->world.schedule(loop_.now(), [link, direction] {
        if (direction->writer != nullptr) direction->writer->became_writable();
      });
    }
    return {Outcome::done, count};
  }

 private:
  void deliver_bytes(std::string bytes) {
    out_.under_way += bytes.size();
    auto link = link_;
    Direction* direction = &out_;
    link_->world.schedule(link_->delivery_time(out_, loop_.now()),
                          [link, direction, moved = std::move(bytes)]() mutable {
                            direction->under_way -= moved.size();
                            if (link->reset) return;
                            if (direction->reader == nullptr) {
                              // Nobody reads there any more: the writer learns it as a reset.
                              link->reset = true;
                              if (direction->writer != nullptr) direction->writer->peer_hung_up();
                              return;
                            }
                            direction->arrived += moved;
                            direction->reader->became_readable();
                          });
  }

  void deliver_end() {
    auto link = link_;
    Direction* direction = &out_;
    link_->world.schedule(link_->delivery_time(out_, loop_.now()), [link, direction] {
      direction->ended = true;
      if (direction->reader != nullptr) direction->reader->peer_hung_up();
    });
  }

  Loop& loop_;
  std::shared_ptr<Link> link_;
  Direction& out_;
  Direction& in_;
  bool finished_ = false;
  bool aborted_ = false;
};

class SimListener final : public Listener {
 public:
  SimListener(SimWorld& world, SimLoop& loop, const Endpoint& local, bool shared)
      : world_(world), loop_(loop), local_(local), shared_(shared) {
    world_.listeners_[local_].push_back(this);
  }
  ~SimListener() override {
    auto& sharing = world_.listeners_[local_];
    std::erase(sharing, this);
    if (sharing.empty()) world_.listeners_.erase(local_);
  }

  Endpoint local() const override { return local_; }
  Loop& loop() { return loop_; }
  bool shared() const { return shared_; }

  Task<IoResult<std::unique_ptr<Stream>>> accept() override {
    const auto waited = co_await Incoming{*this};
    if (!waited) co_return std::unexpected(waited.error());
    auto stream = std::move(queue_.front());
    queue_.pop_front();
    co_return stream;
  }

  void connect(std::unique_ptr<Stream> stream) {
    queue_.push_back(std::move(stream));
    if (acceptor_ != nullptr) acceptor_->wake();
  }

 private:
  class Incoming final : public Wait {
   public:
    explicit Incoming(SimListener& listener) : Wait(kNever), listener_(listener) {}
    std::expected<void, ErrorCode> await_resume() const { return result_; }

   private:
    bool step(Flow&) override { return !listener_.queue_.empty(); }
    void fail(ErrorCode why) override { result_ = std::unexpected(why); }
    void attach(Flow& flow) override { listener_.acceptor_ = &flow; }
    void detach() override { listener_.acceptor_ = nullptr; }

    SimListener& listener_;
    std::expected<void, ErrorCode> result_;
  };

  SimWorld& world_;
  SimLoop& loop_;
  Endpoint local_;
  bool shared_;
  std::deque<std::unique_ptr<Stream>> queue_;
  Flow* acceptor_ = nullptr;
};

SimLoop::SimLoop(SimWorld& world) : Loop(world.clock()), world_(world) { world.loops_.push_back(this); }

void SimLoop::post(std::move_only_function<void()> work) { world_.schedule(world_.clock_.mono(), std::move(work)); }

Result<std::unique_ptr<Listener>> SimNetwork::listen(const Endpoint& at, ListenOptions options) {
  Endpoint local = at;
  if (local.port == 0) local.port = world_.next_port_++;
  const auto taken = world_.listeners_.find(local);
  if (taken != world_.listeners_.end() && !(options.shared_port && taken->second.front()->shared())) {
    return Error{ErrorCode::system, Side::gateway, "cannot listen on " + to_text(local) + ": address in use"};
  }
  return std::make_unique<SimListener>(world_, loop_, local, options.shared_port);
}

Task<IoResult<std::unique_ptr<Stream>>> SimNetwork::dial(Endpoint to, Mono deadline) {
  const auto reach = world_.reach_.find(to);
  if (reach != world_.reach_.end() && reach->second == Reach::blackhole) {
    const bool waited = co_await sleep_until(deadline);
    co_return std::unexpected(waited ? ErrorCode::connect_timed_out : ErrorCode::cancelled);
  }
  if (!co_await sleep_until(loop_.now() + world_.settings_.latency)) co_return std::unexpected(ErrorCode::cancelled);
  if (reach != world_.reach_.end() && reach->second == Reach::reset) co_return std::unexpected(ErrorCode::reset);
  const auto listener = world_.listeners_.find(to);
  const bool refused = reach != world_.reach_.end() && reach->second == Reach::refused;
  if (refused || listener == world_.listeners_.end()) co_return std::unexpected(ErrorCode::connect_refused);

  auto link = std::make_shared<Link>(world_);
  Endpoint from = *parse_ip("127.0.0.1", world_.next_port_++);
  auto ours = std::make_unique<SimStream>(loop_, link, 0, to);
  auto& sharing = listener->second;
  SimListener& chosen = *sharing[sharing.size() == 1 ? 0 : world_.random().below(sharing.size())];
  chosen.connect(std::make_unique<SimStream>(chosen.loop(), link, 1, from));
  co_return ours;
}

SimWorld::SimWorld(std::uint64_t seed, SimNetworkSettings settings) : random_(seed), settings_(settings) {}

SimWorld::~SimWorld() = default;

bool SimWorld::later(const Event& a, const Event& b) {
  return a.when != b.when ? a.when > b.when : a.sequence > b.sequence;
}

void SimWorld::schedule(Mono when, std::move_only_function<void()> work) {
  events_.push_back({std::max(when, clock_.mono()), ++sequence_, std::move(work)});
  std::push_heap(events_.begin(), events_.end(), later);
}

bool SimWorld::advance(Mono until) {
  Mono next = events_.empty() ? kNever : events_.front().when;
  for (SimLoop* loop : loops_) {
    if (loop->anyone_ready()) next = clock_.mono();
    next = std::min(next, loop->next_timer());
  }
  if (next > until) return false;
  clock_.set(std::max(next, clock_.mono()));
  for (SimLoop* loop : loops_) loop->read_clock();
  while (!events_.empty() && events_.front().when <= clock_.mono()) {
    std::pop_heap(events_.begin(), events_.end(), later);
    auto work = std::move(events_.back().work);
    events_.pop_back();
    work();
  }
  for (SimLoop* loop : loops_) loop->turn();
  return true;
}

bool SimWorld::run_until(const std::function<bool()>& done, Mono until) {
  while (!done()) {
    if (!advance(until)) return done();
  }
  return true;
}

void SimWorld::run_for(Duration time) {
  const Mono until = clock_.mono() + time;
  while (advance(until)) {
  }
  clock_.set(until);
  for (SimLoop* loop : loops_) loop->read_clock();
}

}  // namespace drover::net
