#include "gateway/exchange.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/ascii.h"

namespace drover::gateway {

Exchange::Exchange(Worker& its_worker, wire::ServerConnection& its_client)
    : worker(its_worker),
      client(its_client),
      published(worker.published()),
      id(worker.next_request()),
      arrived(worker.loop().now()),
      deadline(after(arrived, published->settings.request)) {}

OwnFields answer_fields(const Exchange& exchange) {
  OwnFields fields;
  fields.add("x-request-id", exchange.request_id);
  fields.add("X-Content-Type-Options", "nosniff");
  fields.add("Cache-Control", "no-store");
  if (exchange.renamed && !exchange.known_model.empty()) fields.add("x-drover-model", exchange.known_model);
  if (!exchange.fell_back_from.empty()) fields.add("x-drover-fallback", exchange.fell_back_from);
  for (const guard::Header& header : exchange.cors) fields.add(header.name, header.value);
  return fields;
}

net::Task<bool> answer_here(Exchange& exchange, int status, std::string_view content_type, std::string_view body,
                            std::span<const http::Field> own) {
  if (exchange.worker.draining()) exchange.client.close_after_this();
  exchange.status = status;
  exchange.sent = body.size();
  OwnFields fields = answer_fields(exchange);
  for (const http::Field& field : own) fields.add(field.name, field.value);
  exchange.first_byte = exchange.loop().now();
  co_return co_await exchange.client.answer(
      exchange.incoming, {.status = status, .content_type = content_type, .body = body, .fields = fields.all()});
}

net::Task<bool> answer_refusal(Exchange& exchange, api::Refusal refusal, Duration retry_after) {
  exchange.reason = refusal.reason;
  if (exchange.outcome == observe::Outcome::ok) exchange.outcome = observe::Outcome::refused;
  const api::ReasonTraits& traits = api::traits(refusal.reason);
  OwnFields own;
  own.add("x-drover-reason", traits.slug);
  std::string after_seconds, after_ms;
  if (traits.retry_after) {
    const auto wait = std::clamp<Duration>(retry_after, std::chrono::seconds(1), std::chrono::seconds(60));
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(wait).count();
    after_ms = std::to_string(ms);
    after_seconds = std::to_string((ms + 999) / 1000);
    own.add("Retry-After", after_seconds);
    own.add("retry-after-ms", after_ms);
  }
  if (traits.final_word) own.add("x-should-retry", "false");
  const std::string body = api::error_body(exchange.dialect, refusal.status, refusal.message, exchange.request_id);
  co_return co_await answer_here(exchange, refusal.status, api::error_content_type(exchange.dialect, refusal.status),
                                 body, own.all());
}

net::Task<bool> answer_cancelled(Exchange& exchange) {
  exchange.client.close_after_this();
  if (!exchange.client.stream().hung_up()) {
    co_return co_await answer_refusal(
        exchange, api::refuse(api::Reason::shutting_down, "the gateway is shutting down; try again"));
  }
  exchange.outcome = observe::Outcome::cancelled;
  exchange.reason = api::Reason::client_left;
  co_return false;
}

net::Task<bool> answer_reject(Exchange& exchange) {
  const http::Reject& reject = exchange.client.refusal();
  const api::Reason reason = api::reason_named(reject.reason).value_or(api::Reason::syntax);
  if (!exchange.request_id.empty()) {
    co_return co_await answer_refusal(exchange, {reason, reject.status, reject.detail});
  }
  exchange.request_id = exchange.worker.make_request_id();
  exchange.worker.metrics().http_rejects[static_cast<std::size_t>(reason)].add();
  co_return co_await answer_refusal(exchange, {reason, reject.status, reject.detail});
}

net::Task<bool> answer_unread(Exchange& exchange, wire::ServerConnection::Read read) {
  if (read == wire::ServerConnection::Read::refused) co_return co_await answer_reject(exchange);
  exchange.outcome = observe::Outcome::cancelled;
  exchange.reason =
      read == wire::ServerConnection::Read::cancelled ? api::Reason::shutting_down : api::Reason::incomplete;
  exchange.client.close_after_this();
  co_return false;
}

void account(Exchange& exchange) {
  const Mono now = exchange.loop().clock().mono();  // the loop's own is that of its last wake-up
  const Duration total = now - exchange.arrived;
  const bool routed = exchange.match.kind == api::MatchKind::route;
  const std::uint64_t messages = exchange.answer ? exchange.answer->messages() : 0;
  const api::AnswerMetrics metrics = exchange.answer ? exchange.answer->metrics() : api::AnswerMetrics{};

  observe::MetricShard& shard = exchange.worker.metrics();
  observe::ModelSeries& model = shard.model(exchange.known_model);
  observe::NodeSeries& node = shard.node(exchange.node);
  shard.request_ended(model, node, exchange.dialect, exchange.status, exchange.outcome);
  if (exchange.outcome == observe::Outcome::cancelled) {
    shard.disconnects[static_cast<std::size_t>(exchange.phase)].add();
  }
  if (!exchange.known_model.empty()) {
    model.duration.observe(total);
    model.queue_wait.observe(exchange.queued - exchange.loaded.value_or(Duration{0}));
    if (exchange.loaded) model.load.observe(*exchange.loaded);
    if (exchange.first_byte && messages > 0) model.first_token.observe(*exchange.first_byte - exchange.arrived);
    if (exchange.first_byte && messages > 1) {
      const auto after_first = static_cast<std::int64_t>(messages - 1);
      model.output_token.observe((now - *exchange.first_byte) / after_first);
    }
    if (exchange.outcome == observe::Outcome::ok && messages > 0) {
      observe::observe_ratio(model.answer_ratio, now - exchange.started, exchange.expected);
      const bool told = exchange.attempts == 1 && exchange.expected_wait;
      if (told) observe::observe_ratio(model.wait_ratio, exchange.queued, *exchange.expected_wait);
    }
    model.prompt_tokens.add(metrics.prompt_tokens.value_or(0));
    model.cached_tokens.add(metrics.cached_tokens.value_or(0));
    model.completion_tokens.add(metrics.eval_tokens.value_or(0));
  }

  const auto& access_line = exchange.worker.shared().access_line;
  if (!access_line) return;
  observe::AccessRecord record;
  record.request_id = exchange.request_id;
  record.time = exchange.loop().wall() - total;
  const std::string client = net::ip_text(exchange.client.stream().peer());
  record.client = client;
  record.method = exchange.incoming.head ? exchange.incoming.head->method_text() : "POST";  // dropped: it was a prompt
  record.route = routed ? api::label(exchange.match.route) : std::string_view{};
  record.dialect = exchange.dialect;
  record.model = exchange.model;
  if (exchange.renamed) record.served_model = exchange.known_model;
  record.fell_back_from = exchange.fell_back_from;
  record.node = exchange.node;
  record.status = exchange.status;
  record.outcome = exchange.outcome;
  record.reason = exchange.reason;
  record.picked = exchange.picked;
  record.tenant = exchange.tenant;
  record.attempts = exchange.attempts;
  record.stream = exchange.streams;
  record.total = total;
  if (exchange.attempts > 0) {
    record.expected_queue = exchange.expected_wait;
    record.queue = exchange.queued - exchange.loaded.value_or(Duration{0});
    if (exchange.loaded || metrics.load) {
      record.load = exchange.loaded.value_or(Duration{0}) + metrics.load.value_or(Duration{0});
    }
    record.prefill = metrics.prompt_eval;
    record.decode = metrics.eval;
    if (metrics.total) {
      record.overhead = std::max(Duration{0}, total - exchange.queued - *metrics.total);
    }
  }
  if (exchange.first_byte) record.first_byte = *exchange.first_byte - exchange.arrived;
  record.received = exchange.received;
  record.sent = Bytes{exchange.sent};
  record.prompt_tokens = metrics.prompt_tokens;
  record.cached_tokens = metrics.cached_tokens;
  record.completion_tokens = metrics.eval_tokens;
  if (exchange.beginning) {
    record.session = exchange.beginning->session;
    record.prefix_hashes = exchange.beginning->prefix;
  }
  std::string line = exchange.loop().take_string();
  observe::append_access_line(line, record);
  access_line(line);
  exchange.loop().give_back(line);
}

}  // namespace drover::gateway
