#include "net/sim_world.h"

#include <algorithm>
#include <array>
#include <deque>
#include <string>

#include "base/check.h"

namespace drover::net {

// One direction of a simulated connection: what is under way and what has arrived.
struct SimDirection {
  std::string arrived;
  std::size_t read = 0;  // of `arrived`
  std::size_t under_way = 0;
  std::size_t sent = 0;  // ever
  bool ended = false;    // FIN has arrived
  Mono last_delivery{};
  Mono last_notice{};
  std::size_t unread() const { return arrived.size() - read; }
  SimStream* writer = nullptr;  // null once destroyed
  SimStream* reader = nullptr;
  bool writer_blocked = false;
  LinkFaults::Direction faults;
};

// A connection. It outlives its ends by what is under way.
struct SimLink : std::enable_shared_from_this<SimLink> {
  SimLink(SimWorld& owner, const Network& dialler, const Endpoint& listener, LinkFaults faults)
      : world(owner),
        id(++owner.last_link_),
        to(listener),
        latency(owner.settings().latency + faults.latency),
        fault_epoch(owner.fault_epoch_) {
    from(End::dialler).faults = std::move(faults.from_dialler);
    from(End::listener).faults = std::move(faults.from_listener);
    if (world.tap_ != nullptr) world.tap_->opened(id, dialler, to);
  }

  SimWorld& world;
  const LinkId id;
  const Endpoint to;
  const Duration latency;
  const std::uint64_t fault_epoch;
  std::array<SimDirection, 2> directions;
  bool reset = false;

  SimDirection& from(End end) { return directions[static_cast<std::size_t>(end)]; }
  void schedule(Mono when, std::move_only_function<void()> work) { world.schedule(when, std::move(work)); }
  // Later things of one direction arrive after earlier ones, whatever the jitter.
  Mono delivery_time(SimDirection& direction, Mono now);

  void deliver(End sender, std::string bytes, Mono now);
  void deliver_end(End sender, Mono now);
  void deliver_reset(End sender, Mono now);

 private:
  void send(End sender, std::string bytes, Mono now);
  void arrive(End sender, std::string_view bytes);
  void break_off(End sender);
};

class SimStream final : public Stream {
 public:
  SimStream(SimNetwork& network, std::shared_ptr<SimLink> link, End end, const Endpoint& peer)
      : network_(network), link_(std::move(link)), end_(end), out_(link_->from(end)), in_(link_->from(other(end))) {
    peer_ = peer;
    out_.writer = this;
    in_.reader = this;
    network_.streams_->emplace(std::pair(link_->id, end_), this);
  }
  ~SimStream() override {
    out_.writer = nullptr;
    in_.reader = nullptr;
    network_.streams_->erase({link_->id, end_});
    // As Linux: closing with unread input resets, otherwise the peer sees the end.
    if (in_.unread() == 0 && !aborted_) {
      finish();
    } else {
      abort();
    }
  }

  void finish() override {
    if (finished_ || aborted_ || link_->reset) return;
    finished_ = true;
    if (tap() != nullptr) tap()->finished(link_->id, end_);
    link_->deliver_end(end_, now());
  }

  void abort() override {
    if (aborted_ || link_->reset) return;
    aborted_ = true;
    if (tap() != nullptr) tap()->aborted(link_->id, end_);
    link_->deliver_reset(end_, now());
  }

  // The process is gone: its kernel resets the peer.
  void crash() {
    abort();
    peer_hung_up();
    became_writable();
  }

  bool has_input() const override { return readable_ || aborted_; }

  // Tells the loop, a little after it happened.
  void notice_input() {
    notice(in_.last_notice, [](SimStream& stream) {
      stream.readable_ = true;
      stream.became_readable();
    });
  }
  void notice_hangup() {
    notice(in_.last_notice, [](SimStream& stream) {
      stream.readable_ = true;
      stream.peer_hung_up();
      if (stream.link_->reset) stream.became_writable();
    });
  }
  void notice_room() {
    notice(out_.last_notice, [](SimStream& stream) { stream.became_writable(); });
  }

 protected:
  Loop& loop() override { return network_.loop(); }

  Attempt try_read(std::span<char> into) override {
    if (aborted_) return {Outcome::failed};
    if (in_.unread() == 0) {
      if (link_->reset) return {Outcome::failed};
      readable_ = in_.ended;
      return {in_.ended ? Outcome::ended : Outcome::blocked};
    }
    const auto most = settings().max_read;
    const auto count = some_of(std::min(into.size(), in_.unread()), most);
    std::copy_n(in_.arrived.data() + in_.read, count, into.data());
    in_.read += count;
    if (in_.unread() == 0) {
      in_.arrived.clear();
      in_.read = 0;
    }
    if (in_.unread() == 0 && !hung_up()) {
      readable_ = settings().spurious > 0 && world().random().chance(settings().spurious);
    }
    if (in_.writer_blocked) {
      in_.writer_blocked = false;
      tell_of_room(in_, now() + link_->latency);
    }
    return {Outcome::done, count};
  }

  Attempt try_write(std::span<const std::string_view> pieces) override {
    if (link_->reset || aborted_ || finished_) return {Outcome::failed};
    std::size_t total = 0;
    for (const auto piece : pieces) total += piece.size();
    if (total == 0) return {Outcome::done};
    const auto held = out_.unread() + out_.under_way;
    const auto room = held < settings().window ? settings().window - held : 0;
    const auto count = std::min(room, some_of(total, settings().max_write));
    if (count < total) out_.writer_blocked = true;
    if (count == 0) return {Outcome::blocked};
    std::string bytes;
    bytes.reserve(count);
    for (const auto piece : pieces) bytes += piece.substr(0, count - bytes.size());
    link_->deliver(end_, std::move(bytes), now());
    if (count < total && room > count) {
      // Not for lack of window: the rest may be tried at once.
      out_.writer_blocked = false;
      tell_of_room(out_, now());
    }
    return {Outcome::done, count};
  }

 private:
  SimWorld& world() const { return link_->world; }
  const SimNetworkSettings& settings() const { return world().settings(); }
  LinkTap* tap() const { return world().tap_; }
  Mono now() const { return world().clock().mono(); }

  std::size_t some_of(std::size_t whole, std::size_t most) {
    return most == 0 || whole == 0 ? whole : std::min<std::size_t>(whole, 1 + world().random().below(most));
  }

  void tell_of_room(SimDirection& direction, Mono when) {
    link_->schedule(when, [link = link_, writer = &direction.writer] {
      if (*writer != nullptr) (*writer)->notice_room();
    });
  }

  // Notices of one direction keep their order; with no delay there is no event of their own.
  void notice(Mono& last, void (*tell)(SimStream&)) {
    if (settings().notice <= Duration{0} && last <= now()) return tell(*this);
    last = std::max(last, now() + world().up_to(settings().notice));
    link_->schedule(last, [streams = network_.streams_, key = std::pair(link_->id, end_), tell] {
      const auto found = streams->find(key);
      if (found != streams->end()) tell(*found->second);
    });
  }

  friend struct SimLink;

  SimNetwork& network_;
  std::shared_ptr<SimLink> link_;
  const End end_;
  SimDirection& out_;
  SimDirection& in_;
  bool readable_ = false;  // as far as the loop was told
  bool finished_ = false;
  bool aborted_ = false;
};

// ---- link
// ------------------------------------------------------------------------------------------------------------

Mono SimLink::delivery_time(SimDirection& direction, Mono now) {
  Mono when = now + latency + world.up_to(world.settings().jitter);
  if (!world.held_.empty()) {
    const auto held = world.held_.find(to);
    if (held != world.held_.end()) when = std::max(when, held->second);
  }
  const auto& faults = direction.faults;
  if (faults.stall_at && direction.sent >= *faults.stall_at) {
    when += faults.stall;
    direction.faults.stall_at.reset();  // what follows comes behind it anyhow
  }
  return direction.last_delivery = std::max(direction.last_delivery, when);
}

void SimLink::deliver(End sender, std::string bytes, Mono now) {
  if (world.tap_ != nullptr) world.tap_->wrote(id, sender, bytes);
  SimDirection& direction = from(sender);
  auto& faults = direction.faults;
  if (fault_epoch != world.fault_epoch_) faults = {};
  // Cut where something befalls the stream.
  for (auto* at : {&faults.stall_at, &faults.insert_at}) {
    if (!*at || **at < direction.sent || **at >= direction.sent + bytes.size()) continue;
    const std::size_t before = **at - direction.sent;
    send(sender, bytes.substr(0, before), now);
    bytes.erase(0, before);
    if (at == &faults.insert_at) {
      at->reset();
      const std::size_t sent = direction.sent;
      send(sender, std::move(faults.insert), now);
      direction.sent = sent;
    }
  }
  send(sender, std::move(bytes), now);
}

void SimLink::send(End sender, std::string bytes, Mono now) {
  if (bytes.empty()) return;
  SimDirection& direction = from(sender);
  direction.under_way += bytes.size();
  const Mono when = delivery_time(direction, now);
  const std::size_t reset_at = direction.faults.reset_at.value_or(SIZE_MAX);
  const std::size_t whole = std::min(bytes.size(), reset_at - std::min(direction.sent, reset_at));
  direction.sent += bytes.size();
  schedule(when, [link = shared_from_this(), sender, whole, moved = std::move(bytes)] {
    link->from(sender).under_way -= moved.size();
    if (link->reset) return;
    if (whole > 0) link->arrive(sender, std::string_view(moved).substr(0, whole));
    if (whole < moved.size()) link->break_off(sender);
  });
}

void SimLink::arrive(End sender, std::string_view bytes) {
  SimDirection& direction = from(sender);
  if (direction.reader == nullptr) {
    // Nobody reads there any more: the writer learns it as a reset.
    reset = true;
    if (world.tap_ != nullptr) world.tap_->reset_arrived(id, other(sender));
    if (direction.writer != nullptr) direction.writer->notice_hangup();
    return;
  }
  if (world.tap_ != nullptr) world.tap_->arrived(id, sender, bytes);
  direction.arrived += bytes;
  direction.reader->notice_input();
}

// The network gives the connection up: both ends see a reset.
void SimLink::break_off(End sender) {
  reset = true;
  for (const End end : {sender, other(sender)}) {
    if (world.tap_ != nullptr) world.tap_->reset_arrived(id, end);
    if (from(end).reader != nullptr) from(end).reader->notice_hangup();
  }
}

void SimLink::deliver_end(End sender, Mono now) {
  schedule(delivery_time(from(sender), now), [link = shared_from_this(), sender] {
    if (link->reset) return;
    SimDirection& direction = link->from(sender);
    direction.ended = true;
    if (link->world.tap_ != nullptr) link->world.tap_->end_arrived(link->id, sender);
    if (direction.reader != nullptr) direction.reader->notice_hangup();
  });
}

void SimLink::deliver_reset(End sender, Mono now) {
  schedule(delivery_time(from(sender), now), [link = shared_from_this(), sender] {
    if (link->reset) return;
    link->reset = true;
    if (link->world.tap_ != nullptr) link->world.tap_->reset_arrived(link->id, sender);
    if (SimStream* reader = link->from(sender).reader) reader->notice_hangup();
  });
}

// ---- listener
// --------------------------------------------------------------------------------------------------------

class SimListener final : public Listener {
 public:
  SimListener(SimWorld& world, SimNetwork& network, const Endpoint& local, bool shared)
      : world_(world), network_(network), local_(local), shared_(shared) {
    world_.listeners_[local_].push_back(this);
    network_.listeners_.push_back(this);
  }
  ~SimListener() override { close(); }

  void close() {
    if (!std::exchange(open_, false)) return;
    auto& sharing = world_.listeners_[local_];
    std::erase(sharing, this);
    if (sharing.empty()) world_.listeners_.erase(local_);
    std::erase(network_.listeners_, this);
    for (auto& waiting : queue_) waiting->abort();
    queue_.clear();
  }

  Endpoint local() const override { return local_; }
  SimNetwork& network() { return network_; }
  bool shared() const { return shared_; }

  Task<IoResult<std::unique_ptr<Stream>>> accept() override {
    while (true) {
      const auto waited = co_await Incoming{*this};
      if (!waited) co_return std::unexpected(waited.error());
      if (auto stream = accept_waiting()) co_return stream;
      // As on Linux: one is turned away with a descriptor that was kept for this, the others wait a little.
      queue_.pop_front();
      if (!co_await sleep_until(network_.loop().now() + std::chrono::milliseconds(100))) {
        co_return std::unexpected(ErrorCode::cancelled);
      }
    }
  }

  std::unique_ptr<Stream> accept_waiting() override {
    if (queue_.empty() || network_.lacks_descriptors()) return nullptr;
    auto stream = std::move(queue_.front());
    queue_.pop_front();
    return stream;
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
  SimNetwork& network_;
  Endpoint local_;
  bool shared_;
  bool open_ = true;
  std::deque<std::unique_ptr<Stream>> queue_;
  Flow* acceptor_ = nullptr;
};

// ---- loop
// ------------------------------------------------------------------------------------------------------------

SimLoop::SimLoop(SimWorld& world) : Loop(world.clock()), world_(world) { world.loops_.push_back(this); }

void SimLoop::post(std::move_only_function<void()> work) {
  last_post_ = std::max(last_post_, world_.clock_.mono() + world_.up_to(world_.settings_.post));
  last_post_ = std::max(last_post_, frozen_until_);
  world_.schedule(last_post_, std::move(work));
}

void SimLoop::freeze(Mono until) {
  frozen_until_ = std::max(frozen_until_, until);
  world_.schedule(frozen_until_, [] {});  // so that it goes on then
}

// ---- network
// ---------------------------------------------------------------------------------------------------------

Result<std::unique_ptr<Listener>> SimNetwork::listen(const Endpoint& at, ListenOptions options) {
  Endpoint local = at;
  if (local.port == 0) local.port = world_.next_port_++;
  const auto taken = world_.listeners_.find(local);
  if (taken != world_.listeners_.end() && !(options.shared_port && taken->second.front()->shared())) {
    return Error{ErrorCode::system, Side::gateway, "cannot listen on " + to_text(local) + ": address in use"};
  }
  return std::make_unique<SimListener>(world_, *this, local, options.shared_port);
}

Task<IoResult<std::unique_ptr<Stream>>> SimNetwork::dial(Endpoint to, Mono deadline) {
  if (lacks_descriptors()) co_return std::unexpected(ErrorCode::system);
  const auto reach = [&] {
    const auto found = world_.reach_.find(to);
    return found == world_.reach_.end() ? Reach::normal : found->second;
  };
  if (reach() == Reach::blackhole) {
    const bool waited = co_await sleep_until(deadline);
    co_return std::unexpected(waited ? ErrorCode::connect_timed_out : ErrorCode::cancelled);
  }
  const LinkFaults faults = world_.faults_ ? world_.faults_(to) : LinkFaults{};
  if (!co_await sleep_until(loop_.now() + world_.settings_.latency + faults.latency)) {
    co_return std::unexpected(ErrorCode::cancelled);
  }
  if (crashed_) co_return std::unexpected(ErrorCode::unreachable);
  if (reach() == Reach::reset) co_return std::unexpected(ErrorCode::reset);
  const auto listener = world_.listeners_.find(to);
  if (reach() == Reach::refused || listener == world_.listeners_.end()) {
    co_return std::unexpected(ErrorCode::connect_refused);
  }
  auto link = std::make_shared<SimLink>(world_, *this, to, faults);
  const Endpoint from = *parse_ip("127.0.0.1", world_.next_port_++);
  auto ours = std::make_unique<SimStream>(*this, link, End::dialler, to);
  auto& sharing = listener->second;
  SimListener& chosen = *sharing[sharing.size() == 1 ? 0 : world_.random().below(sharing.size())];
  chosen.connect(std::make_unique<SimStream>(chosen.network(), link, End::listener, from));
  co_return ours;
}

bool SimNetwork::lacks_descriptors() const { return world_.clock_.mono() < lacking_until_; }

std::size_t SimNetwork::most_unsent() const {
  std::size_t most = 0;
  for (const auto& [key, stream] : *streams_) most = std::max(most, stream->unsent());
  return most;
}

void SimNetwork::crash() {
  crashed_ = true;
  for (SimListener* listener : std::vector(listeners_)) listener->close();
  for (const auto& [key, stream] : *streams_) stream->crash();
}

// ---- world
// -----------------------------------------------------------------------------------------------------------

SimWorld::SimWorld(std::uint64_t seed, SimNetworkSettings settings) : random_(seed), settings_(settings) {}

SimWorld::~SimWorld() = default;

Duration SimWorld::up_to(Duration most) {
  if (most <= Duration{0}) return Duration{0};
  return Duration{static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(most.count())))};
}

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
    if (!loop->runs(clock_.mono())) continue;  // an event wakes it
    if (loop->anyone_ready()) next = clock_.mono();
    next = std::min(next, loop->next_timer());
  }
  if (next > until) return false;
  clock_.set(std::max(next, clock_.mono()));
  for (SimLoop* loop : loops_) {
    if (loop->runs(clock_.mono())) loop->read_clock();
  }
  while (!events_.empty() && events_.front().when <= clock_.mono()) {
    std::pop_heap(events_.begin(), events_.end(), later);
    auto work = std::move(events_.back().work);
    events_.pop_back();
    work();
  }
  turn_loops();
  return true;
}

// Threads run in no order that anybody may rely on.
void SimWorld::turn_loops() {
  const std::size_t count = loops_.size();
  const std::size_t first = count > 1 ? random_.below(count) : 0;
  for (std::size_t i = 0; i < count; ++i) {
    SimLoop& loop = *loops_[(first + i) % count];
    if (loop.runs(clock_.mono())) loop.turn();
  }
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
