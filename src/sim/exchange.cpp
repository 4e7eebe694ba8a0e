#include "sim/exchange.h"

#include <fmt/format.h>

#include <array>

#include "base/check.h"
#include "http/chunked.h"
#include "sim/heads.h"

namespace drover::sim {
namespace {

// Bytes that a client may leave unread before the answer waits for it.
constexpr std::size_t kUnread = 64 * 1024;
constexpr std::size_t kAges = 1'000;

constexpr std::string_view kOutOfMemory =
    "llama-server reported out-of-memory during startup: failed to allocate compute buffers";
constexpr std::string_view kCancelled = "error reading llama-server response: context canceled";
constexpr std::string_view kGarbage = "\x15\x03\x01 this is no HTTP\r\n\r\n";

}  // namespace

Exchange::Exchange(Server& server, wire::ServerConnection& connection, const wire::Incoming& incoming, api::Route route)
    : server_(server),
      connection_(connection),
      incoming_(incoming),
      route_(route),
      began_(server.loop_.now()),
      fault_(server.faults_.take(api::label(route))),
      ask_{++server.last_ask_} {
  ++server_.counts_.in_flight;
}

Exchange::~Exchange() {
  --server_.counts_.in_flight;
  server_.mailboxes_.erase(ask_);
}

net::Task<After> Exchange::run(std::string body) {
  net::Flow& flow = co_await net::this_flow();
  const net::HangupGuard guard(connection_.stream(), flow);
  const After after = co_await answer(std::move(body));
  const bool client_left = flow.cancelled() || connection_.stream().broken();
  if (after == After::broken && client_left && !server_.stopping_) co_return left();
  ++server_.counts_.completed;
  co_return after;
}

net::Task<After> Exchange::answer(std::string body) {
  if (const auto over = co_await fail_at_once()) co_return *over;
  auto request = read_request(route_, body);
  body = {};
  if (!request) co_return co_await refuse(request.error(), false);
  Decision decision = decide(*request, server_.store_, server_.node_, server_.seed_);
  if (const auto* failure = std::get_if<Failure>(&decision)) co_return co_await refuse(*failure, false);
  if (const auto* unload = std::get_if<Unload>(&decision)) {
    server_.node_.unload(*unload->model, server_.loop_.now());
    server_.alarm_.ring();
    const std::string text = unload_answer(*request, server_.loop_.wall());
    co_return co_await whole(200, kJson, text);
  }
  Work& work = std::get<Work>(decision);
  if (request->debug_render_only && !work.load_only) {
    const std::string text = debug_answer(*request, work.rendered, server_.loop_.wall());
    co_return co_await whole(200, kJson, text);
  }
  co_return co_await generate(*request, std::move(work));
}

net::Task<After> Exchange::generate(Request& request, Work work) {
  const auto writer = make_writer(request, hash_text(request.model, ask_.value));
  Ask ask =
      std::exchange(work.ask, {.id = ask_, .model = work.ask.model, .options = {}, .keep_alive = {}, .parts = {}});
  ask.id = ask_;
  if (work.script != nullptr) ending_.reason = work.script->done_reason();
  server_.mailboxes_[ask_] = &mailbox_;
  asked_ = true;
  server_.node_.submit(std::move(ask), server_.loop_.now());
  server_.alarm_.ring();
  const bool streamed = request.stream && !request.is_embedding() && !work.load_only && !work.refusal;
  if (streamed) co_return co_await relay(*writer, work);
  co_return co_await gather(*writer, work, request);
}

net::Task<After> Exchange::gather(AnswerWriter& writer, const Work& work, const Request& request) {
  for (bool finished = false; !finished;) {
    const auto event = co_await next_event();
    if (!event) co_return After::broken;
    if (event->kind == NodeEvent::Kind::failed) co_return co_await refuse(event->failure, request.stream && ready_);
    finished = event->kind == NodeEvent::Kind::finished;
    if (work.refusal) continue;  // nothing to break: the runner refuses
    if (const auto over = co_await misbehave(writer, work, false)) co_return *over;
  }
  if (work.refusal) co_return co_await refuse(*work.refusal, request.stream && !request.is_embedding());
  if (work.load_only && request.stream && route_ == api::Route::completions) {
    // OpenAI's layer makes a stream of it, whatever it was.
    ending_.reason = "load";
    const std::string events = writer.last(ending_, work, server_.loop_.wall());
    if (!co_await chunk(writer.stream_type(), events)) co_return After::broken;
    co_return co_await end_stream();
  }
  const std::string body = writer.whole(ending_, work, server_.loop_.wall());
  co_return co_await whole(200, writer.whole_type(), body);
}

net::Task<After> Exchange::relay(AnswerWriter& writer, const Work& work) {
  const Script& script = *work.script;
  const std::string_view type = writer.stream_type();
  while (true) {
    const auto event = co_await next_event();
    if (!event) co_return After::broken;
    const Wall now = server_.loop_.wall();
    std::string line;
    if (event->kind == NodeEvent::Kind::token) line = writer.piece(script.piece(event->index), now);
    if (event->kind == NodeEvent::Kind::failed) {
      if (!begun_) co_return co_await refuse(event->failure, ready_);
      line = writer.error(event->failure.message);
    }
    if (!line.empty() && !co_await chunk(type, line)) co_return After::broken;
    if (event->kind == NodeEvent::Kind::failed) co_return co_await end_stream();
    if (const auto over = co_await misbehave(writer, work, true)) co_return *over;
    if (event->kind != NodeEvent::Kind::finished) continue;
    if (!script.calls().empty() && work.ask.model->tool_shape == ToolShape::own_line) {
      line = writer.calls(script.calls(), now);
      if (!co_await chunk(type, line)) co_return After::broken;
    }
    line = writer.last(ending_, work, now);
    if (!co_await chunk(type, line)) co_return After::broken;
    co_return co_await end_stream();
  }
}

net::Task<std::optional<NodeEvent>> Exchange::next_event() {
  while (mailbox_.events.empty()) {
    const auto notified = co_await mailbox_.signal.notified(kNever);
    if (!notified) co_return std::nullopt;
    mailbox_.signal.reset();
  }
  NodeEvent event = std::move(mailbox_.events.front());
  mailbox_.events.pop_front();
  switch (event.kind) {
    case NodeEvent::Kind::ready:
      ready_ = true;
      ending_.load = event.at - began_;
      break;
    case NodeEvent::Kind::token:
      ++ending_.tokens;
      ++server_.counts_.tokens;
      break;
    case NodeEvent::Kind::finished:
      asked_ = false;
      ending_.usage = event.usage;
      ending_.total = event.at - began_;
      break;
    case NodeEvent::Kind::failed: asked_ = false; break;
  }
  co_return event;
}

// The client is gone, or has ended its side, which a node takes for the same (6.3).
After Exchange::left() {
  Counts& counts = server_.counts_;
  ++counts.aborted;
  counts.aborted_ages.push_back(server_.loop_.now() - began_);
  if (counts.aborted_ages.size() > kAges) counts.aborted_ages.pop_front();
  if (!asked_) return After::broken;
  const Left left = server_.node_.leave(ask_, server_.loop_.now());
  server_.alarm_.ring();
  if (left == Left::leaked) return After::leak;
  // If only its side has ended, it can still hear why.
  const ErrorAnswer error = error_answer(route_, {500, std::string(kCancelled)}, false);
  std::string bytes;
  if (!begun_) {
    bytes = head(500, error.content_type, {http::BodyKind::length, error.body.size()}) + error.body;
  } else if (api::dialect(route_) == api::Dialect::ollama && can_chunk()) {
    bytes = fmt::format("{:x}\r\n{}\n\r\n0\r\n\r\n", error.body.size() + 1, error.body);
  }
  [[maybe_unused]] const auto heard = connection_.stream().write(bytes);
  return After::broken;
}

net::Task<> Exchange::run_into_leak(std::string body) {
  auto request = read_request(route_, body);
  if (!request) co_return;
  Decision decision = decide(*request, server_.store_, server_.node_, server_.seed_);
  auto* work = std::get_if<Work>(&decision);
  if (work == nullptr || work->load_only) co_return;
  work->ask.id = ask_;
  server_.mailboxes_[ask_] = &mailbox_;
  server_.node_.submit(std::move(work->ask), server_.loop_.now());
  server_.alarm_.ring();
  const auto event = co_await next_event();
  if (!event || event->kind != NodeEvent::Kind::ready) co_return;
  server_.node_.leak_slot(ask_, server_.loop_.now());
  server_.alarm_.ring();
}

net::Task<std::optional<After>> Exchange::fail_at_once() {
  if (!fault_) co_return std::nullopt;
  const bool now = fault_->after_tokens == 0;
  switch (fault_->kind) {
    case FaultKind::out_of_memory: co_return co_await refuse({500, std::string(kOutOfMemory)}, false);
    case FaultKind::busy:
      co_return co_await refuse({503, "server busy, please try again.  maximum pending requests exceeded"}, false);
    case FaultKind::slow_load:
      server_.node_.delay_next_load(fault_->seconds.value_or(Duration::zero()));
      fault_.reset();
      break;
    case FaultKind::hang: co_return co_await silence();
    case FaultKind::stall:
      if (now) co_return co_await silence();
      break;
    case FaultKind::error:
      if (now) co_return co_await refuse({500, fault_->text}, false);
      break;
    case FaultKind::cut:
      if (now) co_return After::close;
      break;
    case FaultKind::reset:
      if (now) co_return co_await reset();
      break;
    case FaultKind::garbage:
      if (!now) break;
      co_await send(kGarbage);
      co_return After::close;
    case FaultKind::refuse:
    case FaultKind::silent_end:
    case FaultKind::drip:
    case FaultKind::crash:
    case FaultKind::empty_listing: break;
  }
  co_return std::nullopt;
}

// Also when the answer is over before so many tokens were.
bool Exchange::fault_is_due() const { return fault_ && (ending_.tokens >= fault_->after_tokens || !asked_); }

net::Task<std::optional<After>> Exchange::misbehave(AnswerWriter& writer, const Work& work, bool streamed) {
  if (!fault_is_due()) co_return std::nullopt;
  const Fault fault = *std::exchange(fault_, std::nullopt);
  if (fault.kind == FaultKind::drip) {
    drip_gap_ = fault.seconds.value_or(std::chrono::seconds(1));
    co_return std::nullopt;
  }
  if (fault.kind == FaultKind::crash) {
    server_.node_.kill_runner(*work.ask.model, server_.loop_.now());
    server_.alarm_.ring();
    co_return std::nullopt;
  }
  // The node's work on it ends here, unless it goes on unheard.
  if (asked_ && fault.kind != FaultKind::stall) {
    server_.node_.leave(ask_, server_.loop_.now());
    server_.alarm_.ring();
    asked_ = false;
  }
  if (streamed) co_return co_await break_stream(fault.kind, writer, fault.text);
  co_return co_await break_body(fault.kind, writer, work, fault.text);
}

net::Task<After> Exchange::break_stream(FaultKind kind, AnswerWriter& writer, const std::string& text) {
  const std::string_view type = writer.stream_type();
  if (!begun_) {
    const std::string begun = begin(type);
    if (!co_await send(begun)) co_return After::broken;
  }
  if (kind == FaultKind::stall) co_return co_await silence();
  if (kind == FaultKind::reset) co_return co_await reset();
  if (kind == FaultKind::silent_end) co_return co_await end_stream();
  if (kind == FaultKind::error) {
    const std::string line = writer.error(text);
    if (!co_await chunk(type, line)) co_return After::broken;
    co_return co_await end_stream();
  }
  if (kind == FaultKind::garbage && !co_await send("zz\r\nno chunk\r\n")) co_return After::broken;
  if (co_await settled() == After::broken) co_return After::broken;
  co_return After::close;
}

// An answer that is not streamed gets as far as the middle of its body.
net::Task<After> Exchange::break_body(FaultKind kind, AnswerWriter& writer, const Work& work, const std::string& text) {
  if (kind == FaultKind::error) co_return co_await refuse({500, text}, false);
  if (kind == FaultKind::reset) co_return co_await reset();
  if (kind == FaultKind::garbage) {
    co_await send(kGarbage);
    co_return After::close;
  }
  ending_.done = kind != FaultKind::silent_end;
  const std::string body = writer.whole(ending_, work, server_.loop_.wall());
  if (kind == FaultKind::silent_end) co_return co_await whole(200, writer.whole_type(), body);
  const std::string part =
      head(200, writer.whole_type(), {http::BodyKind::length, body.size()}) + body.substr(0, body.size() / 2);
  begun_ = true;
  if (!co_await send(part) || co_await settled() == After::broken) co_return After::broken;
  if (kind == FaultKind::stall) co_return co_await silence();
  co_return After::close;
}

net::Task<After> Exchange::silence() {
  co_await net::sleep_until(kNever);
  co_return After::broken;
}

// A reset overtakes what the client has not read yet, so it gets a moment to read.
net::Task<After> Exchange::reset() {
  constexpr Duration kMoment = std::chrono::milliseconds(5);
  if (begun_ && co_await settled() != After::broken) co_await net::sleep_until(server_.loop_.now() + kMoment);
  connection_.stream().abort();
  co_return After::broken;
}

std::string Exchange::head(int status, std::string_view type, http::Framing framing) {
  return answer_head(
      connection_, incoming_,
      {.status = status, .type = type, .framing = framing, .loopback = server_.endpoint().is_loopback()});
}

net::Task<bool> Exchange::send(std::string_view bytes) {
  net::Stream& stream = connection_.stream();
  if (drip_gap_) {
    for (const char& byte : bytes) {
      if (!stream.write(std::string_view(&byte, 1))) co_return false;
      if (!co_await net::sleep_until(server_.loop_.now() + *drip_gap_)) co_return false;
    }
    co_return true;
  }
  if (!stream.write(bytes)) co_return false;
  if (stream.unsent() <= kUnread) co_return true;
  const auto drained = co_await stream.drained(kUnread, kNever);
  co_return drained.has_value();
}

// A stream to an HTTP/1.0 client has no chunks and ends with the connection.
std::string Exchange::begin(std::string_view type) {
  if (std::exchange(begun_, true)) return {};
  if (!can_chunk()) connection_.close_after_this();
  return head(200, type, {can_chunk() ? http::BodyKind::chunked : http::BodyKind::until_close, 0});
}

net::Task<bool> Exchange::chunk(std::string_view type, std::string_view payload) {
  std::string bytes = begin(type);
  if (can_chunk()) {
    bytes += fmt::format("{:x}\r\n{}\r\n", payload.size(), payload);
  } else {
    bytes += payload;
  }
  co_return co_await send(bytes);
}

net::Task<After> Exchange::end_stream() {
  if (can_chunk() && !co_await send(http::kLastChunk)) co_return After::broken;
  co_return co_await settled();
}

net::Task<After> Exchange::whole(int status, std::string_view type, std::string_view body, bool in_chunks) {
  begun_ = true;
  const std::string bytes =
      whole_answer(connection_, incoming_,
                   {.status = status, .type = type, .loopback = server_.endpoint().is_loopback()}, body, in_chunks);
  if (!co_await send(bytes)) co_return After::broken;
  co_return co_await settled();
}

net::Task<After> Exchange::refuse(const Failure& failure, bool streamed) {
  const ErrorAnswer error = error_answer(route_, failure, streamed);
  const bool native = api::dialect(route_) == api::Dialect::ollama;
  co_return co_await whole(failure.status, error.content_type, error.body, streamed && native);
}

// Until the client has taken all.
net::Task<After> Exchange::settled() {
  const auto drained = co_await connection_.stream().drained(0, kNever);
  if (!drained) co_return After::broken;
  co_return connection_.keep_alive(incoming_) ? After::next : After::close;
}

}  // namespace drover::sim
