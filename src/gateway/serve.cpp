// The life of a request, step by step: read, understand, authorise, admit, try, relay, account. Each step is one call
// to a noun elsewhere.

#include "gateway/serve.h"

#include <array>
#include <charconv>

#include "api/body_rules.h"
#include "api/command.h"
#include "api/model_name.h"
#include "api/model_refusal.h"
#include "balance/retry.h"
#include "base/ascii.h"
#include "gateway/attempt.h"
#include "gateway/commands.h"
#include "gateway/exchange.h"
#include "gateway/local_routes.h"
#include "gateway/node_body.h"
#include "gateway/relay.h"
#include "gateway/reload_options.h"
#include "gateway/understand.h"

namespace drover::gateway {
namespace {

using Read = wire::ServerConnection::Read;

constexpr std::size_t kMaxRequestId = 128;

// ---- read
// ------------------------------------------------------------------------------------------------------------

// The client's own request id if it is fit to be repeated, else one of ours.
std::string request_id(Exchange& exchange) {
  const auto theirs = exchange.incoming.head->find(http::Known::x_request_id);
  const auto is_plain = [](char c) { return ascii::is_alnum(c) || c == '-' || c == '_' || c == '.' || c == ':'; };
  if (theirs && !theirs->empty() && theirs->size() <= kMaxRequestId && std::ranges::all_of(*theirs, is_plain)) {
    return std::string(*theirs);
  }
  return exchange.worker.make_request_id();
}

// ---- authorise
// -------------------------------------------------------------------------------------------------------

// Host and Origin: who may use this listener at all. nullopt: go on.
std::optional<api::Refusal> refuse_by_name(Exchange& exchange, bool& preflight) {
  const http::RequestHead& head = *exchange.incoming.head;
  if (!exchange.published->hosts.allows(head.host())) {
    return api::Refusal{api::Reason::host, 421, "the gateway does not answer to this host name; add it under `hosts`"};
  }
  const auto verdict =
      exchange.published->origins.decide({.origin = head.origin(),
                                          .host = head.host(),
                                          .sec_fetch_site = head.find("sec-fetch-site").value_or(std::string_view{}),
                                          .is_options = head.method() == http::Method::options});
  exchange.cors = verdict.headers;
  preflight = verdict.action == guard::OriginVerdict::Action::preflight;
  if (verdict.action == guard::OriginVerdict::Action::refuse) {
    return api::Refusal{api::Reason::origin, 403, "this origin may not use the gateway; add it under `origins`"};
  }
  if (head.find("x-drover-hop") == exchange.worker.shared().instance) {
    return api::Refusal{api::Reason::loop, 508, "the gateway is its own node; check the addresses of its nodes"};
  }
  return std::nullopt;
}

// ---- admit
// -----------------------------------------------------------------------------------------------------------

api::Refusal refusal_for(const Exchange& exchange, balance::Why why) {
  switch (why) {
    case balance::Why::no_such_model: return api::model_not_found(exchange.match.route, exchange.model);
    case balance::Why::no_backend:
    case balance::Why::budget_exhausted:
      return api::refuse(api::Reason::no_backend, "no node that could serve this model is available now; try again");
    case balance::Why::queue_full:
      return api::refuse(api::Reason::queue_full, "too many requests are waiting; try again");
    case balance::Why::tenant_queue_full:
      return api::refuse(api::Reason::queue_full, "too many requests of this tenant are waiting; try again");
    case balance::Why::deadline:
      return api::refuse(api::Reason::queue_timeout, "no node had a free slot in time; try again");
    case balance::Why::load_failed:
      return api::refuse(api::Reason::no_backend,
                         "every node that could serve this model failed to load it; try again");
  }
  return api::refuse(api::Reason::internal, "unknown decision");
}

// No node can serve the model, now or soon; not merely that all are busy.
bool is_out_of_service(balance::Why why) {
  return why == balance::Why::no_such_model || why == balance::Why::no_backend || why == balance::Why::load_failed;
}

// Why a request got no slot.
struct NotAdmitted {
  enum class Kind : std::uint8_t { refused, cancelled } kind;
  balance::Why why = balance::Why::no_backend;
  Duration retry_after{};
};

// A slot, and what becomes of the context that the request names.
struct Admitted {
  Slot slot;
  balance::ContextFit context;
};

// Asks the scheduler for a slot and waits for it, in its queue if need be.
net::Task<std::expected<Admitted, NotAdmitted>> admit(Exchange& exchange, balance::Submission submission,
                                                      const ReloadOptions& options) {
  SharedScheduler& scheduler = exchange.worker.shared().scheduler;
  net::Loop& loop = exchange.loop();
  Ticket ticket;
  exchange.phase = observe::Phase::queued;
  exchange.worker.await_decision(exchange.id, ticket);
  const auto decision = scheduler.submit(submission, options);
  if (const auto* queued = std::get_if<balance::Queued>(&decision)) {
    exchange.expected_wait = queued->wait;
    const auto decided = co_await ticket.decided.notified(kNever);
    exchange.queued += loop.now() - submission.now;
    exchange.worker.forget(exchange.id);
    if (!decided) {
      scheduler.cancelled(exchange.id, loop.now());
      co_return std::unexpected(NotAdmitted{NotAdmitted::Kind::cancelled});
    }
    if (ticket.refuse) {
      co_return std::unexpected(
          NotAdmitted{NotAdmitted::Kind::refused, ticket.refuse->why, ticket.refuse->retry_after});
    }
    const Duration loading = scheduler.loading_time(ticket.grant->node, submission.model, submission.now);
    if (loading > Duration{0}) exchange.loaded = exchange.loaded.value_or(Duration{0}) + loading;
    exchange.picked = ticket.grant->reason;
    exchange.started = loop.now();
    exchange.expected = ticket.grant->expected;
    co_return Admitted{{scheduler, loop, exchange.id, ticket.grant->node}, ticket.grant->context};
  }
  exchange.worker.forget(exchange.id);
  if (const auto* refused = std::get_if<balance::Refused>(&decision)) {
    co_return std::unexpected(NotAdmitted{NotAdmitted::Kind::refused, refused->why, refused->retry_after});
  }
  const auto& start = std::get<balance::Start>(decision);
  exchange.picked = start.reason;
  exchange.started = submission.now;
  exchange.expected = start.expected;
  co_return Admitted{{scheduler, loop, exchange.id, start.node}, start.context};
}

// ---- relay
// -----------------------------------------------------------------------------------------------------------

http::StreamShape shape_of(api::Framing framing) {
  switch (framing) {
    case api::Framing::ndjson: return http::StreamShape::lines;
    case api::Framing::sse: return http::StreamShape::events;
    case api::Framing::single: return http::StreamShape::bytes;
  }
  return http::StreamShape::bytes;
}

Pooled<balance::NodeDurations> durations_of(const api::AnswerMetrics& metrics) {
  if (!metrics.total) return nullptr;
  return make_pooled<balance::NodeDurations>(
      balance::NodeDurations{.total = *metrics.total,
                             .load = metrics.load.value_or(Duration{0}),
                             .prompt_eval = metrics.prompt_eval.value_or(Duration{0}),
                             .eval = metrics.eval.value_or(Duration{0}),
                             .prompt_tokens = metrics.prompt_tokens.value_or(0),
                             .cached_tokens = metrics.cached_tokens,
                             .eval_tokens = metrics.eval_tokens.value_or(0)});
}

void take_over(Exchange& exchange, const Relayed& relayed, Slot& slot) {
  using Kind = balance::Outcome::Kind;
  exchange.reason = relayed.reason;
  switch (relayed.end) {
    case Relayed::End::complete:
      exchange.reason.reset();
      slot.outcome.kind = Kind::ok;
      return;
    case Relayed::End::done_false:
      exchange.reason.reset();
      exchange.outcome = observe::Outcome::truncated;
      slot.outcome.kind = Kind::ok;
      return;
    case Relayed::End::truncated:
      exchange.outcome = observe::Outcome::truncated;
      exchange.worker.metrics().cuts[static_cast<std::size_t>(relayed.cause)].add();
      slot.outcome = {.kind = Kind::truncated, .code = ErrorCode::closed};
      return;
    case Relayed::End::failed_in_band:
      exchange.outcome = observe::Outcome::failed;
      slot.outcome = {.kind = Kind::truncated, .code = ErrorCode::runner_died};
      return;
    case Relayed::End::client_stalled: exchange.phase = observe::Phase::stalled_reader; [[fallthrough]];
    case Relayed::End::client_left: exchange.outcome = observe::Outcome::cancelled; return;
    case Relayed::End::shut_down:
      exchange.outcome = observe::Outcome::truncated;
      exchange.worker.metrics().cuts[static_cast<std::size_t>(observe::CutCause::shutdown)].add();
      return;
  }
}

// A number as text.
class Digits {
 public:
  explicit Digits(std::uint64_t number) : end_(std::to_chars(digits_.begin(), digits_.end(), number).ptr) {}
  Digits(const Digits&) = delete;
  Digits& operator=(const Digits&) = delete;
  std::string_view text() const { return {digits_.begin(), end_}; }

 private:
  std::array<char, 20> digits_;
  char* end_;
};

// The node's head with what the gateway has to say. Not inlined: a coroutine would keep room for its fields as long as
// the stream lasts.
[[gnu::noinline]] std::string head_for_client(Exchange& exchange, const http::ResponseHead& head,
                                              http::Framing framing) {
  const auto in_ms = [](Duration time) {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(time).count());
  };
  const Digits queued_ms(in_ms(exchange.queued)), expected_ms(in_ms(exchange.expected)), context(exchange.context);
  OwnFields own = answer_fields(exchange);
  own.add("x-drover-node", exchange.node);
  own.add("x-drover-queue-ms", queued_ms.text());
  own.add("x-drover-picked", exchange.picked);
  if (exchange.expected > Duration{0}) own.add("x-drover-estimate-ms", expected_ms.text());
  if (exchange.context != 0) own.add("x-drover-context", context.text());
  if (exchange.streams) own.add("X-Accel-Buffering", "no");
  std::string text = exchange.loop().take_string();
  http::append_relayed_response(text, head,
                                {.framing = framing,
                                 .keep_alive = exchange.client.keep_alive(exchange.incoming),
                                 .client_minor = exchange.incoming.head->minor(),
                                 .own = own.all()});
  return text;
}

// What the request took, for its tenant's account: a stream carries about a token a message, whoever does not count.
void note_tokens(const api::AnswerTap& answer, bool streams, Slot& slot) {
  const api::AnswerMetrics& metrics = answer.metrics();
  slot.durations = durations_of(metrics);
  slot.outcome.prompt_tokens = metrics.prompt_tokens;
  slot.outcome.answer_tokens = metrics.eval_tokens;
  if (!metrics.eval_tokens && streams) slot.outcome.answer_tokens = answer.messages();
}

observe::AttemptOutcome outcome_of(observe::Outcome relayed) {
  using observe::AttemptOutcome;
  switch (relayed) {
    case observe::Outcome::ok: return AttemptOutcome::ok;
    case observe::Outcome::cancelled: return AttemptOutcome::cancelled;
    default: return AttemptOutcome::truncated;
  }
}

void count_attempt(Exchange& exchange, observe::AttemptOutcome outcome) {
  exchange.worker.metrics().node(exchange.node).attempts[static_cast<std::size_t>(outcome)].add();
}

// An answer that has begun on a node: the first piece of its body is at hand, and nothing may suspend before it is
// passed on.
struct Begun {
  Pooled<Attempt> attempt;
  wire::BodyDecoder::Piece first;
  bool may_be_silent;  // the node may say nothing for long, as long as it is alive
};

// The node's answer begins: its head goes out with the first piece of its body, then the rest as it comes. True: the
// connection can carry another request.
net::Task<bool> relay_answer(Exchange& exchange, Begun begun) {
  Attempt& attempt = *begun.attempt;
  const http::ResponseHead& head = attempt.upstream().head();
  const int minor = exchange.incoming.head->minor();
  const api::Framing framing = api::framing_of(head.content_type());
  exchange.streams = framing != api::Framing::single;
  exchange.phase = observe::Phase::streaming;
  exchange.status = head.status();
  exchange.first_byte = exchange.loop().now();
  if (exchange.worker.draining()) exchange.client.close_after_this();

  RelayTask task{.route = exchange.match.route,
                 .head = {},
                 .framing = {http::BodyKind::chunked, 0},
                 .shape = shape_of(framing),
                 .opaque = !head.find(http::Known::content_encoding).value_or("identity").starts_with("identity"),
                 .deadline = exchange.deadline,
                 .may_be_silent = [&] { return begun.may_be_silent && attempt.node_is_alive(); }};
  // A stream is always framed so that it can break off: a length that was reached would look like a proper end.
  if (head.body() == http::BodyKind::length && !exchange.streams) {
    task.framing = {http::BodyKind::length, head.content_length().value_or(0)};
  } else if (minor == 0) {
    task.framing = {http::BodyKind::until_close, 0};
    exchange.client.close_after_this();
  }
  task.head = head_for_client(exchange, head, task.framing);
  attempt.upstream().drop_head();
  exchange.client.drop_head(exchange.incoming);

  api::AnswerTap& tap = exchange.answer.emplace(exchange.match.route, framing);
  BufferLease buffered(exchange.worker.shared().buffers);
  const Relayed relayed =
      co_await relay(attempt.upstream(), exchange.client, tap, buffered, exchange.settings(), task, begun.first);
  exchange.sent = relayed.sent.value;
  exchange.worker.metrics().paused.add(relayed.pauses);
  if (relayed.end == Relayed::End::truncated && relayed.cause == observe::CutCause::protocol) {
    attempt.count_fault(attempt.upstream().decode_reason());
  }
  take_over(exchange, relayed, attempt.slot());
  note_tokens(tap, exchange.streams, attempt.slot());
  if (relayed.end == Relayed::End::complete || relayed.end == Relayed::End::done_false) attempt.complete();
  count_attempt(exchange, outcome_of(exchange.outcome));
  co_return !exchange.client.closing();
}

// ---- try
// -------------------------------------------------------------------------------------------------------------

// The last attempt failed: the client gets the node's own words if it had any, else ours.
net::Task<bool> answer_failure(Exchange& exchange, const AttemptFailure& failure) {
  exchange.outcome = observe::Outcome::failed;
  if (!failure.answer) {
    co_return co_await answer_refusal(exchange,
                                      api::refuse(failure.reason, "the request failed: " + failure.error.detail));
  }
  exchange.reason = failure.reason;
  if (failure.error.code == ErrorCode::refused_by_node && failure.answer->status < 500) {
    exchange.outcome = observe::Outcome::ok;  // the node's verdict on the request, delivered
    exchange.reason.reset();
  }
  OwnFields own;
  own.add("x-drover-node", exchange.node);
  if (!failure.answer->retry_after.empty()) own.add("Retry-After", failure.answer->retry_after);
  co_return co_await answer_here(exchange, failure.answer->status, failure.answer->content_type, failure.answer->body,
                                 own.all());
}

// What the scheduler judges the node by; of the others it learns in another way, or they say nothing of it.
bool concerns_node(ErrorCode code) {
  return code != ErrorCode::cancelled && code != ErrorCode::model_absent && code != ErrorCode::slot_leaked;
}

// In the words of the metric: how an attempt ended before its first byte.
observe::AttemptOutcome outcome_of(const AttemptFailure& failure) {
  using observe::AttemptOutcome;
  switch (failure.error.code) {
    case ErrorCode::connect_refused:
    case ErrorCode::unreachable:
    case ErrorCode::system: return AttemptOutcome::refused;
    case ErrorCode::connect_timed_out: return AttemptOutcome::connect_timeout;
    case ErrorCode::reset: return AttemptOutcome::reset_pre;
    case ErrorCode::closed: return AttemptOutcome::eof_pre;
    case ErrorCode::timed_out:
    case ErrorCode::slot_leaked:
    case ErrorCode::response_timed_out: return AttemptOutcome::timeout_pre;
    case ErrorCode::cancelled: return AttemptOutcome::cancelled;
    case ErrorCode::server_busy: return AttemptOutcome::busy;
    default: break;
  }
  if (!failure.answer) return AttemptOutcome::bad_answer;
  return failure.answer->status < 500 ? AttemptOutcome::client_error : AttemptOutcome::server_error;
}

// Tells the scheduler and the control loop what a failed attempt says about the node.
void learn_from(Exchange& exchange, Attempt& attempt, const Error& error) {
  Slot& slot = attempt.slot();
  if (error.code == ErrorCode::model_absent || error.code == ErrorCode::connect_refused) {
    exchange.worker.shared().control.look_again(slot.node());
  }
  if (concerns_node(error.code)) {
    slot.outcome.kind = balance::Outcome::Kind::node_failed;
    slot.outcome.code = error.code;
    slot.outcome.reused_connection = attempt.reused_connection();
  }
}

// For the access log, which may say how prompts begin only under its own key.
void note_beginning(Exchange& exchange, const api::Understood& understood) {
  const auto& key = exchange.worker.shared().log_key;
  if (!key) return;
  exchange.beginning = make_pooled<Beginning>();
  if (const auto session = session_of(exchange)) exchange.beginning->session = key->hash(*session);
  const auto hashes = understood.prompt_hashes.all();
  exchange.beginning->prefix.resize(api::logged_hashes(hashes.size()));
  api::write_logged_prefix(hashes, *key, exchange.beginning->prefix);
}

static_assert(balance::kPrefixBlock == api::kPromptBlock);

// What fills no block is half a block on average.
balance::Prompt prompt_of(const api::Understood& understood) {
  const auto prefix = understood.prompt_hashes.all();
  return {.bytes = prefix.size() * balance::kPrefixBlock + balance::kPrefixBlock / 2, .prefix = prefix};
}

// Tries one node after another until an answer has begun, by rule R. Otherwise the client has been answered: whether
// its connection can carry another request. The request is bound to a node only when one has a free slot for it; a
// client that leaves ends whatever is under way.
// `model` lives as long as exchange.published.
net::Task<std::expected<Begun, bool>> try_nodes(Exchange& exchange, const fleet::Model* model, PromptBody& body) {
  const api::Understood& understood = body.understood();  // until the answer begins
  const ReloadOptions options = reload_options(understood, body.text());
  const bool may_be_silent =
      understood.has_tools() || understood.stream == api::Switch::off ||
      (understood.stream == api::Switch::absent && !api::streams_by_default(exchange.match.route));
  const std::uint64_t affinity = affinity_of(exchange, understood);
  const balance::Prompt prompt = prompt_of(understood);
  std::vector<NodeId> excluded;
  balance::RetryKind kind = balance::RetryKind::first;
  unsigned runner_deaths = 0;
  unsigned stale = 0;  // attempts that only found a pooled connection closed, or a leaked slot: they do not count
  std::optional<AttemptFailure> last;
  while (true) {
    auto admitted = co_await admit(exchange,
                                   {.request = exchange.id,
                                    .model = model->key,
                                    .now = exchange.loop().now(),
                                    .arrival = exchange.arrived,
                                    .deadline = exchange.deadline,
                                    .need = options.need,
                                    .excluded = excluded,
                                    .retry = kind,
                                    .pinned = std::nullopt,
                                    .affinity = affinity,
                                    .tenant = exchange.tenant,
                                    .priority = exchange.priority,
                                    .prompt = prompt,
                                    .name = exchange.request_id},
                                   options);
    if (!admitted) {
      if (admitted.error().kind == NotAdmitted::Kind::cancelled)
        co_return std::unexpected(co_await answer_cancelled(exchange));
      if (is_out_of_service(admitted.error().why)) {
        if (const fleet::Model* const instead = fall_back(exchange, *model)) {
          model = instead;
          excluded.clear();
          kind = balance::RetryKind::first;
          last.reset();
          continue;
        }
      }
      if (last && admitted.error().why != balance::Why::deadline)
        co_return std::unexpected(co_await answer_failure(exchange, *last));
      const NotAdmitted& why = admitted.error();
      co_return std::unexpected(co_await answer_refusal(exchange, refusal_for(exchange, why.why), why.retry_after));
    }
    const std::shared_ptr<const Published>& published = exchange.worker.published();
    const NodeAddress* node = published->node(admitted->slot.node());
    if (node == nullptr) continue;  // removed a moment ago; the slot goes back by itself

    auto attempt = make_pooled<Attempt>(exchange, published, *node, std::move(admitted->slot));
    NodeBody node_body(exchange, body);
    node_body.fit(admitted->context);
    const NodeRequest request{api::label(exchange.match.route), node_body.body()};
    exchange.node = node->name;
    exchange.context = admitted->context.tokens == options.need.context ? 0 : admitted->context.tokens;
    bool fresh = false;
    while (true) {
      ++exchange.attempts;
      auto first = co_await attempt->start(request, fresh);
      if (first) {
        if (admitted->context.num_ctx) exchange.worker.metrics().model(exchange.known_model).reloads_avoided.add();
        co_return Begun{std::move(attempt), *first, may_be_silent};
      }
      last = std::move(first.error());
      if (last->error.code == ErrorCode::cancelled) {
        count_attempt(exchange, observe::AttemptOutcome::cancelled);
        co_return std::unexpected(co_await answer_cancelled(exchange));
      }
      if (last->error.code == ErrorCode::runner_died) ++runner_deaths;
      if (last->error.code == ErrorCode::slot_leaked) ++stale;
      const auto retry =
          balance::retry_after(last->error, {.number = exchange.attempts - stale,
                                             .limit = exchange.worker.published()->attempts,
                                             .sent_to_client = Bytes{0},
                                             .reused_connection = attempt->reused_connection(),
                                             .replayable = true,
                                             .runner_deaths = runner_deaths,
                                             .route = balance::RouteKind::inference,
                                             .deadline_left = exchange.loop().now() < exchange.deadline});
      count_attempt(exchange, retry == balance::Retry::same_node ? observe::AttemptOutcome::stale : outcome_of(*last));
      if (retry == balance::Retry::same_node) {
        fresh = true;
        ++stale;
        continue;
      }
      learn_from(exchange, *attempt, last->error);
      if (retry == balance::Retry::no) co_return std::unexpected(co_await answer_failure(exchange, *last));
      exchange.worker.metrics().retries[static_cast<std::size_t>(last->reason)].add();
      // A node whose load queue is full, or that lost a slot, is no worse for it: the scheduler takes care of that.
      const bool may_go_back = last->error.code == ErrorCode::server_busy || last->error.code == ErrorCode::slot_leaked;
      if (!may_go_back) excluded.push_back(attempt->slot().node());
      kind = retry == balance::Retry::requeue ? balance::RetryKind::lost_node : balance::RetryKind::budgeted;
      break;
    }
  }
}

// ---- the request
// -----------------------------------------------------------------------------------------------------

// How the body comes, if the head lets it come at all.
std::expected<api::Coding, api::Refusal> check_head(Exchange& exchange, const api::BodyBounds& bounds) {
  const http::RequestHead& head = *exchange.incoming.head;
  const api::Route route = exchange.match.route;
  auto coding = api::body_coding(route, head.content_encoding());
  if (!coding) return std::unexpected(std::move(coding.error()));
  if (auto refusal = api::refuse_content_type(head.content_type())) return std::unexpected(std::move(*refusal));
  if (auto refusal = api::refuse_length(route, Bytes{head.content_length()}, bounds)) {
    exchange.client.close_after_this();
    return std::unexpected(std::move(*refusal));
  }
  return *coding;
}

// Notes who asks. nullopt: go on.
std::optional<api::Refusal> refuse_asker(Exchange& exchange) {
  auto asker = asker_of(*exchange.incoming.head, exchange.client.stream().peer(), exchange.settings());
  if (!asker) return std::move(asker.error());
  exchange.tenant = std::move(asker->tenant);
  exchange.priority = asker->priority;
  return std::nullopt;
}

// Commands place models; prompts run on them.
net::Task<bool> serve_command(Exchange& exchange, api::Command command, const fleet::Model& model, PromptBody& body) {
  std::string text = NodeBody(exchange, body).body().text();
  if (command == api::Command::load) co_return co_await serve_load(exchange, model, std::move(text));
  co_return co_await serve_unload(exchange, model, std::move(text));
}

// Small on purpose: this is what stays while a stream lasts, and what each step needed is gone by then.
net::Task<bool> serve_inference(Exchange& exchange) {
  const api::BodyBounds bounds{.prompt = exchange.settings().prompt_body, .small = exchange.settings().small_body};
  const auto coding = check_head(exchange, bounds);
  if (!coding) co_return co_await answer_refusal(exchange, coding.error());
  BufferLease lease(exchange.worker.shared().buffers);
  PromptBody body(exchange.match.route, bounds, lease, exchange.worker.bodies(), *coding,
                  exchange.incoming.head->content_length());
  const auto read = co_await read_prompt(exchange, body);
  if (!read) co_return read.error();

  net::HangupGuard gone(exchange.client.stream(), co_await net::this_flow());
  const auto model = co_await authorise(exchange, body.understood());
  if (!model) co_return model.error();
  if (auto refusal = refuse_asker(exchange)) co_return co_await answer_refusal(exchange, std::move(*refusal));
  const api::Command command = api::command_of(exchange.match.route, body.understood());
  if (command != api::Command::none) co_return co_await serve_command(exchange, command, **model, body);
  note_beginning(exchange, body.understood());
  auto begun = co_await try_nodes(exchange, *model, body);
  if (!begun) co_return begun.error();
  body.drop();  // an answer that has begun is not asked for again
  co_return co_await relay_answer(exchange, std::move(*begun));
}

// No coroutine: it only says whose task it is.
net::Task<bool> serve_route(Exchange& exchange) {
  switch (api::kind(exchange.match.route)) {
    case api::RouteClass::inference: return serve_inference(exchange);
    case api::RouteClass::show: return serve_show(exchange);
    case api::RouteClass::listing:
    case api::RouteClass::local: return serve_local(exchange);
    case api::RouteClass::unserved: break;
  }
  return answer_refusal(exchange, api::not_served(exchange.match.route));
}

// Whose business the request is. No coroutine either.
net::Task<bool> answer_request(Exchange& exchange, Read read) {
  if (read == Read::refused) return answer_reject(exchange);
  exchange.request_id = request_id(exchange);
  exchange.match = api::match(exchange.incoming.head->method(), exchange.incoming.head->path());
  if (exchange.match.kind == api::MatchKind::route) exchange.dialect = api::dialect(exchange.match.route);
  bool preflight = false;
  if (auto refusal = refuse_by_name(exchange, preflight)) return answer_refusal(exchange, std::move(*refusal));
  if (preflight) return answer_here(exchange, 204, {}, {});
  if (exchange.match.kind != api::MatchKind::route) return answer_unmatched(exchange);
  return serve_route(exchange);
}

// What became of an answer that its client did not take whole, by how the wait for it ended.
void note_undelivered(Exchange& exchange, ErrorCode why) {
  const bool stalled = exchange.loop().now() < exchange.deadline;
  if (why == ErrorCode::reset || exchange.client.stream().hung_up() || (why == ErrorCode::timed_out && stalled)) {
    exchange.outcome = observe::Outcome::cancelled;
    exchange.reason = why == ErrorCode::timed_out ? api::Reason::client_stalled : api::Reason::client_left;
    if (why == ErrorCode::timed_out) exchange.phase = observe::Phase::stalled_reader;
    return;
  }
  const bool late = why == ErrorCode::timed_out;
  exchange.outcome = observe::Outcome::truncated;
  exchange.reason = late ? api::Reason::deadline : api::Reason::shutting_down;
  const auto cause = late ? observe::CutCause::deadline : observe::CutCause::shutdown;
  exchange.worker.metrics().cuts[static_cast<std::size_t>(cause)].add();
}

// An answer has ended when the client has taken it, not when it was written: what a slow client leaves is kept for as
// long as it takes some of it, and counts. False: it did not take all.
net::Task<bool> deliver_rest(Exchange& exchange) {
  net::Stream& stream = exchange.client.stream();
  const auto patience = [&] {
    return std::min(exchange.deadline, after(stream.last_progress(), exchange.settings().server.stalled));
  };
  BufferLease kept(exchange.worker.shared().buffers);
  while (stream.unsent() > 0) {
    [[maybe_unused]] const bool counted = kept.resize(stream.unsent());  // it is there, whether or not it may be
    const auto drained = co_await stream.drained(stream.unsent() / 2, patience());
    if (drained || (drained.error() == ErrorCode::timed_out && exchange.loop().now() < patience())) continue;
    note_undelivered(exchange, drained.error());
    exchange.client.close_after_this();
    stream.abort();
    co_return false;
  }
  co_return true;
}

// One request, from its first byte to its line in the log. True: the connection can carry another.
net::Task<bool> serve_request(Worker& worker, wire::ServerConnection& client) {
  Exchange exchange(worker, client);
  const Read read = co_await client.read_head(exchange.incoming);
  if (read == Read::ended || read == Read::cancelled) co_return false;
  if (read == Read::nothing) co_return true;
  worker.metrics().request_began();
  bool answered = co_await answer_request(exchange, read);
  const bool whole = exchange.outcome != observe::Outcome::cancelled && exchange.outcome != observe::Outcome::truncated;
  if (whole && client.stream().unsent() > 0) answered &= co_await deliver_rest(exchange);
  account(exchange);
  co_return answered&& co_await client.finish_request(exchange.incoming);
}

// Waits for a request. False: the connection is over.
net::Task<bool> idle(Worker& worker, wire::ServerConnection& client) {
  if (worker.draining()) co_return false;  // it was accepted a moment before the drain began
  net::Flow& flow = co_await net::this_flow();
  Worker::IdleMark mark(worker, flow);
  co_return co_await client.wait_for_request();
}

}  // namespace

net::Task<> serve_connection(Worker& worker, std::unique_ptr<net::Stream> stream) {
  const auto limits = worker.published();  // a connection keeps the limits it began with
  wire::ServerConnection client(*stream, worker.loop(), limits->settings.server);
  worker.metrics().connections_open.add();
  // Two statements, so that the first one's frame is gone before the second, which may last.
  while (co_await idle(worker, client)) {
    if (!co_await serve_request(worker, client)) break;
  }
  if (client.closing()) {
    co_await stream->drained(0, worker.loop().now() + limits->settings.server.stalled);
    co_await client.linger();
  } else if (!client.asked() && worker.draining()) {
    worker.turn_away(std::move(stream), api::Reason::shutting_down);  // its first request may be on its way
  }
  worker.metrics().connections_open.subtract();
}

}  // namespace drover::gateway
