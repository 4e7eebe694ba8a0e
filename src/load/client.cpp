#include "load/client.h"

#include <array>

#include "load/sim_check.h"

namespace drover::load {
namespace {

constexpr Duration kIdle = std::chrono::seconds(4);  // servers close idle connections, some after five seconds
constexpr Bytes kRefusal = 64_KiB;                   // of an answer other than 200
constexpr std::size_t kShown = 64;                   // bytes of a field that goes into reports

std::string field(const http::ResponseHead& head, std::string_view name) {
  return std::string(head.find(name).value_or(std::string_view{}).substr(0, kShown));
}

}  // namespace

// An answer's tokens beside those that a simulated node must give. Without a seed there is nothing to compare.
class Client::TokenCheck {
 public:
  TokenCheck(const Settings& settings, const Question& question) {
    if (settings.sim_seed) expected_ = SimCheck::make(settings.route, question.body, *settings.sim_seed);
  }
  TokenCheck(const TokenCheck&) = delete;

  void begin(api::Framing framing) {
    if (!expected_ || !*expected_) return;
    text_.emplace(framing, [this](std::string_view text, AnswerText::Kind kind) { (**expected_)->take(text, kind); });
  }
  void feed(std::string_view piece) {
    if (text_) text_->feed(piece);
  }
  // The body is over.
  void finish() {
    if (text_) text_->finish();
  }
  std::string_view wrong() const {
    if (!expected_) return {};
    if (text_ && text_->damaged()) return "a message of the answer is no JSON, or above 16 MiB";
    return *expected_ ? std::string_view((**expected_)->fault()) : std::string_view(expected_->error().detail);
  }
  bool tokens_missing() const { return text_ && !(**expected_)->complete(); }

 private:
  std::optional<Result<std::unique_ptr<SimCheck>>> expected_;
  std::optional<AnswerText> text_;
};

net::Task<> Client::ask(Question question, Outcome& outcome) {
  outcome.sent = since_start();
  Ending ending = co_await exchange(question, outcome, network_.loop().now() + settings_.timeout);
  outcome.ended = since_start();
  outcome.end = ending.end;
  outcome.kind = std::move(ending.kind);
  outcome.message = std::move(ending.message);
}

net::Task<Ending> Client::exchange(const Question& question, Outcome& outcome, Mono deadline) {
  auto stream = co_await connect();
  if (!stream) co_return ending_without_answer(stream.error(), {});
  wire::ClientConnection connection(std::move(*stream), network_.loop());
  std::array<std::string_view, 2> pieces{question.head, question.body};
  const auto sent = co_await connection.send(pieces, settings_.timeout);
  if (!sent) co_return ending_without_answer(sent.error().code, sent.error().reason);
  TokenCheck check(settings_, question);  // while the server is at it
  const auto read = co_await connection.read_head(http::Method::post, deadline);
  if (!read) co_return ending_without_answer(read.error().code, read.error().reason);

  outcome.status = connection.head().status();
  outcome.node = field(connection.head(), "x-drover-node");
  outcome.request_id = field(connection.head(), "x-request-id");
  if (outcome.status == 200) co_return co_await read_answer(connection, check, outcome, deadline);
  const std::string reason = field(connection.head(), "x-drover-reason");
  const auto body = co_await connection.read_all(kRefusal, deadline);
  keep(connection);
  co_return ending_of_refusal(outcome.status, reason, body ? std::string_view(*body) : std::string_view{});
}

net::Task<Ending> Client::read_answer(wire::ClientConnection& connection, TokenCheck& check, Outcome& outcome,
                                      Mono deadline) {
  const api::Framing framing = api::framing_of(connection.head().content_type());
  api::AnswerTap tap(settings_.route, framing);
  check.begin(framing);
  AnswerSeen seen;
  for (auto piece = connection.first();;) {
    const std::uint64_t before = tap.messages();
    tap.feed(piece.payload);
    messages_ += tap.messages() - before;
    // An answer that comes as a whole shows nothing of its first token.
    const bool streamed = framing != api::Framing::single;
    if (streamed && tap.first_token_seen() && !outcome.first_token) outcome.first_token = since_start();
    check.feed(piece.payload);
    if (piece.state == wire::BodyDecoder::State::done) break;
    if (piece.state == wire::BodyDecoder::State::error) {
      seen.broke = ErrorCode::protocol;
      break;
    }
    const auto bytes = co_await connection.stream().read_some(deadline);
    if (!bytes || bytes->empty()) {
      if (!bytes) seen.broke = bytes.error();
      if (bytes && !connection.ends_at_close()) seen.broke = ErrorCode::closed;
      break;
    }
    piece = connection.decode(*bytes);
  }
  if (!seen.broke) check.finish();
  keep(connection);
  outcome.tokens = Tokens{tap.metrics().eval_tokens.value_or(tap.messages())};
  outcome.prompt_read = Tokens{tap.metrics().prompt_tokens.value_or(0)};
  seen.verdict = tap.verdict();
  seen.first_token = tap.first_token_seen();
  seen.wrong = check.wrong();
  seen.tokens_missing = check.tokens_missing();
  co_return ending_of_answer(seen);
}

// The connection that was used last, if there is one that still stands; else a new one.
net::Task<net::IoResult<std::unique_ptr<net::Stream>>> Client::connect() {
  const Mono now = network_.loop().now();
  while (!idle_.empty() && idle_.front().since + kIdle < now) idle_.pop_front();
  while (!idle_.empty()) {
    auto stream = std::move(idle_.back().stream);
    idle_.pop_back();
    if (!stream->has_input() && !stream->hung_up()) co_return std::move(stream);
  }
  co_return co_await network_.dial(target_, now + settings_.connect_timeout);
}

void Client::keep(wire::ClientConnection& connection) {
  if (connection.reusable()) idle_.push_back({connection.release(), network_.loop().now()});
}

}  // namespace drover::load
