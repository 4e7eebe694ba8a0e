#include "world/clients.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <utility>

#include "base/ascii.h"

namespace drover::world {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kPatience = seconds(130);  // longer than any deadline that a plan draws

// How often a habit comes, beside the others.
double share(Habit habit) {
  switch (habit) {
    case Habit::patient: return 6;
    case Habit::sdk: return 4;
    case Habit::keeps_alive: return 1;
    case Habit::pipelines: return 0.4;
    case Habit::leaves: return 2;
    case Habit::leaves_queue: return 0.2;
    case Habit::half_closes: return 0.3;
    case Habit::reads_slowly: return 0.5;
    case Habit::never_reads: return 0.2;
    case Habit::stays_open: return 0.7;
    case Habit::slow_body: return 0.7;
    case Habit::malformed: return 0.7;
    case Habit::browses: return 2;
    case Habit::commands: return 0.1;
    case Habit::crowds: return 0.03;
  }
  return 0;
}

// Requests that one visit makes, on average.
double requests_of(Habit habit) {
  switch (habit) {
    case Habit::keeps_alive: return 4;
    case Habit::pipelines: return 3;
    case Habit::leaves_queue: return 6;
    case Habit::crowds: return 200;
    default: return 1;
  }
}

// With this mean, and in bursts: half of the time short, else long. No function of libm is asked, whose last bit
// differs from machine to machine.
Duration burst(Random& random, Duration mean) {
  const double most = random.chance(0.5) ? 0.2 : 3.8;
  return Duration{static_cast<std::int64_t>(random.uniform() * most * static_cast<double>(mean.count()))};
}
// Answers are short, and some are long.
std::uint32_t answer_length(Random& random) {
  return 6 + static_cast<std::uint32_t>(std::min(300.0, 22 / std::sqrt(1 - random.uniform())));
}

}  // namespace

Clients::Clients(net::SimWorld& world, net::SimLoop& loop, Ledger& ledger, const Plan& plan, net::Endpoint gateway,
                 std::vector<std::string> models)
    : world_(world),
      loop_(loop),
      network_(world, loop),
      ledger_(ledger),
      plan_(plan),
      gateway_(gateway),
      models_(std::move(models)),
      flows_(loop) {}

void Clients::arrive(Mono until) {
  double shares = 0;
  for (std::size_t i = 0; i < kHabitCount; ++i) {
    const auto habit = static_cast<Habit>(i);
    if (plan_.has(habit)) shares += share(habit) * requests_of(habit);
  }
  for (std::size_t i = 0; i < kHabitCount; ++i) {
    const auto habit = static_cast<Habit>(i);
    Random random = Random(plan_.seed).split(1'000 + i);
    if (plan_.has(habit)) flows_.spawn(come(habit, random, plan_.rate * share(habit) / shares, until));
  }
}

void Clients::ask_all(std::vector<Answer>& answers) {
  answers.assign(models_.size(), {});
  for (std::size_t i = 0; i < models_.size(); ++i) flows_.spawn(ask_once(models_[i], answers[i]));
}

net::Task<> Clients::come(Habit habit, Random random, double rate, Mono until) {
  const auto mean = Duration{static_cast<std::int64_t>(1e9 / rate)};
  while (true) {
    const Mono next = loop_.now() + burst(random, mean);
    if (next >= until || !co_await net::sleep_until(next)) co_return;
    const std::size_t many = habit == Habit::leaves_queue ? 6 : 1;
    for (std::size_t i = 0; i < many; ++i) flows_.spawn(visit(habit, random.split(i)));
  }
}

// No coroutine: it only says whose task it is.
net::Task<> Clients::visit(Habit habit, Random random) {
  switch (habit) {
    case Habit::patient:
    case Habit::browses:
    case Habit::commands: break;
    case Habit::sdk: return sdk(random);
    case Habit::keeps_alive: return keep_alive(random);
    case Habit::pipelines: return pipeline(random);
    case Habit::leaves: return leave(habit, random, seconds(5));
    case Habit::leaves_queue: return leave(habit, random, milliseconds(1'500));
    case Habit::half_closes: return half_close(random);
    case Habit::reads_slowly: return read_slowly(random);
    case Habit::never_reads: return never_read(random);
    case Habit::stays_open: return stay_open(random);
    case Habit::slow_body: return send_slowly(random);
    case Habit::malformed: return misspeak(random);
    case Habit::crowds: return crowd(random);
  }
  return patiently(wish(habit, random));
}

// ---- habits
// ----------------------------------------------------------------------------------------------------------

net::Task<> Clients::sdk(Random random) {
  const Random same = random;
  for (int tries = 0; tries < 3; ++tries) {
    random = same;
    const Answer answer = co_await ask(wish(Habit::sdk, random), {});
    if (!answer.should_retry) co_return;
    const Duration backoff = std::min<Duration>(milliseconds(500) * (1 << tries), seconds(8));
    if (!co_await net::sleep_until(loop_.now() + answer.retry_after.value_or(backoff))) co_return;
  }
}

net::Task<> Clients::keep_alive(Random random) {
  const auto stream = co_await connect();
  if (!stream) co_return;
  AnswerReader reader;
  for (auto left = 2 + random.below(5); left > 0; --left) {
    const Wish next = wish(Habit::keeps_alive, random);
    if (!stream->write(next.bytes)) co_return;
    const Answer answer = co_await read_answer(*stream, reader, {});
    if (!answer.whole || !answer.keep_alive) co_return;
    if (!co_await net::sleep_until(loop_.now() + burst(random, milliseconds(400)))) co_return;
  }
}

net::Task<> Clients::pipeline(Random random) {
  const auto stream = co_await connect();
  if (!stream) co_return;
  const auto many = 2 + random.below(3);
  std::string bytes;
  for (std::uint64_t i = 0; i < many; ++i) bytes += wish(Habit::pipelines, random).bytes;
  if (!stream->write(bytes)) co_return;
  AnswerReader reader;
  for (std::uint64_t i = 0; i < many; ++i) {
    const Answer answer = co_await read_answer(*stream, reader, {});
    if (!answer.whole || !answer.keep_alive) co_return;
  }
}

net::Task<> Clients::leave(Habit habit, Random random, Duration longest) {
  const auto stream = co_await begin(habit, random);
  if (!stream) co_return;
  const double moment = random.uniform();
  const bool reset = random.chance(0.5);
  if (moment > 0.15 && moment <= 0.5) {
    co_await net::sleep_until(loop_.now() + burst(random, milliseconds(15)));
  } else if (moment > 0.5) {
    AnswerReader reader;
    co_await read_answer(*stream, reader, {.until = loop_.now() + burst(random, longest / 3)});
  }
  if (reset) stream->abort();
}

net::Task<> Clients::half_close(Random random) {
  const auto stream = co_await begin(Habit::half_closes, random);
  if (!stream) co_return;
  if (random.chance(0.5)) co_await net::sleep_until(loop_.now() + up_to(random, seconds(1)));
  stream->finish();
  AnswerReader reader;
  co_await read_answer(*stream, reader, {});
}

net::Task<> Clients::read_slowly(Random random) {
  const auto stream = co_await begin(Habit::reads_slowly, random);
  if (!stream) co_return;
  AnswerReader reader;
  co_await read_answer(*stream, reader,
                       {.at_once = 200 + random.below(4'000), .pause = up_to(random, milliseconds(60))});
}

net::Task<> Clients::never_read(Random random) {
  const auto stream = co_await begin(Habit::never_reads, random);
  if (!stream) co_return;
  co_await net::sleep_until(loop_.now() + up_to(random, seconds(30)));
}

net::Task<> Clients::stay_open(Random random) {
  const auto stream = co_await begin(Habit::stays_open, random);
  if (!stream) co_return;
  AnswerReader reader;
  co_await read_answer(*stream, reader, {});
  co_await net::sleep_until(loop_.now() + up_to(random, seconds(30)));
}

net::Task<> Clients::send_slowly(Random random) {
  const auto stream = co_await connect();
  if (!stream) co_return;
  const Wish asked = wish(Habit::slow_body, random);
  const std::size_t drop = 1 + random.below(60);
  const std::size_t end = random.chance(0.3) ? random.below(asked.bytes.size()) : asked.bytes.size();
  const Duration gap = burst(random, milliseconds(random.chance(0.2) ? 400 : 20));
  for (std::size_t at = 0; at < end; at += drop) {
    if (!stream->write(std::string_view(asked.bytes).substr(at, std::min(drop, end - at)))) co_return;
    if (!co_await net::sleep_until(loop_.now() + gap)) co_return;
  }
  AnswerReader reader;
  co_await read_answer(*stream, reader,
                       {.until = loop_.now() + (end < asked.bytes.size() ? Duration{seconds(12)} : kPatience)});
}

net::Task<> Clients::misspeak(Random random) {
  const auto stream = co_await connect();
  if (!stream) co_return;
  static const std::string kRaw[] = {
      "\x16\x03\x01\x02garbage\r\n\r\n",
      "GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
      "POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}",
      "GET /api/tags HTTP/1.1\r\nX_Y: 1\r\n\r\n",
      "POST /api/chat HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
      "GET /api/tags HTTP/1.1\r\nHost: localhost\r\nA: " + std::string(40'000, 'a') + "\r\n\r\n",
  };
  const std::string kBodies[] = {
      "{",
      R"({"model":7})",
      R"({"model":"a","MODEL":"b"})",
      std::string(200, '['),
      R"({"messages":[]})",
      R"({"model":"","messages":[]})",
      "\xff\xfe",
  };
  const std::size_t which = random.below(std::size(kRaw) + std::size(kBodies));
  const std::string bytes = which < std::size(kRaw) ? kRaw[which]
                                                    : request(Habit::malformed, Asked::Kind::unknown_model, "POST",
                                                              "/api/chat", "", kBodies[which - std::size(kRaw)])
                                                          .bytes;
  if (!stream->write(bytes)) co_return;
  AnswerReader reader;
  co_await read_answer(*stream, reader, {.until = loop_.now() + seconds(5)});
}

// Each in its own measure, and from a moment of its own.
net::Task<> Clients::crowd(Random random) {
  const std::string model = models_[random.below(models_.size() - 1)];
  for (auto left = 2 + random.below(2); left > 0; --left) {
    flows_.spawn(crowd_in(fmt::format("{}{}", kCrowd, ++crowds_), model, random.split(left)));
  }
  co_return;
}

net::Task<> Clients::crowd_in(std::string tenant, std::string model, Random random) {
  const Prompt prompt{
      .model = std::move(model),
      .openai = random.chance(0.3),
      .text = std::string(12 + random.below(120), 'c'),
      .tokens = static_cast<std::uint32_t>(random.chance(0.5) ? 8 + random.below(16) : 50 + random.below(70)),
      .stream = random.chance(0.5),
      .tenant = std::move(tenant)};
  const std::size_t room = plan_.nodes * (plan_.slots > 0 ? plan_.slots : 2);
  const std::size_t many = std::min<std::size_t>(room * (2 + random.below(8)), 150);
  // Some have a long one under way before.
  if (random.chance(0.3)) {
    Prompt first = prompt;
    first.tokens = 120;
    flows_.spawn(patiently(write(Habit::crowds, first)));
  }
  if (!co_await net::sleep_until(loop_.now() + up_to(random, seconds(15)))) co_return;
  for (std::size_t i = 0; i < many; ++i) {
    flows_.spawn(patiently(write(Habit::crowds, prompt)));
    if (!co_await net::sleep_until(loop_.now() + up_to(random, milliseconds(10)))) co_return;
  }
}

net::Task<> Clients::patiently(Wish wish) { [[maybe_unused]] const auto answer = co_await ask(std::move(wish), {}); }

net::Task<> Clients::ask_once(std::string model, Answer& answer) {
  Random random(plan_.seed);
  const bool embeds = model == models_.back();
  Wish asked = embeds ? request(Habit::patient, Asked::Kind::embedding, "POST", "/api/embed", model,
                                fmt::format(R"({{"model":"{}","input":"x"}})", model))
                      : prompt(Habit::patient, random, model, 12, true);
  answer = co_await ask(std::move(asked), {});
}

// ---- asking
// ----------------------------------------------------------------------------------------------------------

net::Task<std::unique_ptr<net::Stream>> Clients::connect() {
  auto dialled = co_await network_.dial(gateway_, loop_.now() + seconds(2));
  co_return dialled ? std::move(*dialled) : nullptr;
}

net::Task<std::unique_ptr<net::Stream>> Clients::begin(Habit habit, Random& random) {
  auto stream = co_await connect();
  if (!stream || !stream->write(wish(habit, random).bytes)) co_return nullptr;
  co_return stream;
}

net::Task<Answer> Clients::ask(Wish wish, Reading reading) {
  const auto stream = co_await connect();
  Answer none;
  none.should_retry = true;
  if (!stream || !stream->write(wish.bytes)) co_return none;
  AnswerReader reader;
  co_return co_await read_answer(*stream, reader, reading);
}

net::Task<Answer> Clients::read_answer(net::Stream& stream, AnswerReader& reader, Reading reading) {
  Answer answer;
  answer.should_retry = true;  // so far nothing came
  const Mono until = std::min(reading.until, loop_.now() + kPatience);
  std::string memory(reading.at_once, '\0');
  while (loop_.now() < until) {
    if (reader.ahead.empty()) {
      if (reading.pause > Duration{0} && !co_await net::sleep_until(loop_.now() + reading.pause)) co_return answer;
      const auto bytes = co_await stream.read_some(std::span(memory), until);
      if (!bytes || bytes->empty()) {
        answer.whole = bytes && reader.messages.peer_ended();
        co_return answer;
      }
      reader.ahead = *bytes;
    }
    const std::string taken = std::exchange(reader.ahead, {});
    std::string_view rest = taken;
    while (true) {
      const MessageReader::Event event = reader.messages.next(rest);
      if (event == MessageReader::Event::more || event == MessageReader::Event::broken) break;
      if (event == MessageReader::Event::head) {
        const MessageHead& head = reader.messages.head();
        answer.status = head.status;
        const bool again = head.status == 408 || head.status == 409 || head.status == 429 || head.status >= 500;
        answer.should_retry = again && head.find("x-should-retry") != "false";
        if (const auto ms = ascii::to_number(head.find("retry-after-ms"))) answer.retry_after = milliseconds(*ms);
        answer.keep_alive = !ascii::equal_fold(head.find("connection"), "close");
      }
      if (event == MessageReader::Event::end) {
        answer.whole = true;
        reader.ahead = rest;
        co_return answer;
      }
    }
  }
  co_return answer;
}

// ---- what is asked
// ---------------------------------------------------------------------------------------------------

Clients::Wish Clients::wish(Habit habit, Random& random) {
  const std::string& model = models_[random.chance(0.6) ? 0 : random.below(models_.size() - 1)];
  if (habit == Habit::browses) {
    switch (random.below(8)) {
      case 0: return request(habit, Asked::Kind::listing, "GET", "/api/ps", "", "");
      case 1: return request(habit, Asked::Kind::listing, "GET", "/api/version", "", "");
      case 2: return request(habit, Asked::Kind::listing, "GET", "/v1/models", "", "");
      case 3: return request(habit, Asked::Kind::listing, "GET", "/no/such/path", "", "");
      case 4:
        return request(habit, Asked::Kind::listing, "POST", "/api/show", model,
                       fmt::format(R"({{"model":"{}"}})", model));
      case 5: return prompt(habit, random, std::string(kNobodys), 3, true);
      default: return request(habit, Asked::Kind::listing, "GET", "/api/tags", "", "");
    }
  }
  if (habit == Habit::commands) {
    const std::string_view keep = random.chance(0.3) ? R"(,"keep_alive":0)" : "";
    return request(habit, Asked::Kind::command, "POST", "/api/generate", model,
                   fmt::format(R"({{"model":"{}"{}}})", model, keep));
  }
  const bool takes_much = habit == Habit::reads_slowly || habit == Habit::never_reads;
  if (random.chance(takes_much ? 0.6 : 0.12)) {
    std::string inputs = R"("sky")";
    for (auto left = takes_much ? 4 + random.below(24) : 0; left > 0; --left) inputs += R"(,"sky")";
    return request(habit, Asked::Kind::embedding, "POST", "/api/embed", models_.back(),
                   fmt::format(R"({{"model":"{}","input":[{}]}})", models_.back(), inputs));
  }
  const bool stream = random.chance(habit == Habit::pipelines ? 0.2 : 0.5);
  return prompt(habit, random, model, stream ? answer_length(random) : 3 + static_cast<std::uint32_t>(random.below(8)),
                stream);
}

Clients::Wish Clients::prompt(Habit habit, Random& random, std::string model, std::uint32_t tokens, bool stream) {
  const bool openai = random.chance(0.3);
  // Of one of a few conversations, which had better meet on one node: long prompts begin alike, and some name it. Most
  // are of one, so that a node remembers them and some answers begin at once.
  const char conversation = random.chance(0.7) ? 'w' : static_cast<char>('a' + random.below(5));
  const std::string text(random.chance(0.05) ? 9'000 : 12 + random.below(120), conversation);
  // Half of these have less than a node gives by itself, or more.
  constexpr std::array<std::uint64_t, 4> kContexts{1'024, 3'000, 6'000, 8'192};
  const std::uint64_t num_ctx = openai || !random.chance(0.04) ? 0 : kContexts[random.below(kContexts.size())];
  Prompt said{.model = model, .openai = openai, .text = text, .tokens = tokens, .stream = stream, .num_ctx = num_ctx};
  if (model != kNobodys && random.chance(0.15)) {
    said.model = kSplit;
  } else if (model == kModels.front() && random.chance(0.1)) {
    said.model = kAlias;
  }
  const bool in_session = random.chance(0.2);
  if (in_session) said.fields = fmt::format("x-session-id: {}\r\n", conversation);
  // Of three tenants one asks most; those without a name are a fourth.
  if (random.chance(0.5)) said.tenant = fmt::format("t{}", random.chance(0.7) ? 0 : random.below(3));
  const bool has_priority = random.chance(0.1);
  if (has_priority) said.fields += fmt::format("x-drover-priority: {}\r\n", random.chance(0.5) ? "high" : "low");
  Wish wish = write(habit, said);
  if (said.model != kSplit) wish.asked.model = std::move(model);
  wish.asked.session = in_session ? conversation : '\0';
  wish.asked.has_priority = has_priority;
  ledger_.asks(wish.asked);
  return wish;
}

Clients::Wish Clients::write(Habit habit, const Prompt& prompt) {
  const std::string context = prompt.num_ctx == 0 ? "" : fmt::format(R"(,"num_ctx":{})", prompt.num_ctx);
  const std::string length = prompt.openai ? fmt::format(R"("max_tokens":{})", prompt.tokens)
                                           : fmt::format(R"("options":{{"num_predict":{}{}}})", prompt.tokens, context);
  const std::string body =
      fmt::format(R"({{"model":"{}","messages":[{{"role":"user","content":"{}"}}],"stream":{},{}}})", prompt.model,
                  prompt.text, prompt.stream, length);
  const auto kind = prompt.model == kNobodys ? Asked::Kind::unknown_model : Asked::Kind::prompt;
  const std::string tenant = prompt.tenant.empty() ? "" : fmt::format("x-drover-tenant: {}\r\n", prompt.tenant);
  Wish wish = request(habit, kind, "POST", prompt.openai ? "/v1/chat/completions" : "/api/chat",
                      prompt.model == kSplit ? "" : prompt.model, body, tenant + prompt.fields);
  wish.asked.called = prompt.model;
  wish.asked.openai = prompt.openai;
  wish.asked.num_ctx = prompt.num_ctx;
  wish.asked.tenant = prompt.tenant;
  wish.asked.prompt_bytes = prompt.text.size();
  wish.asked.answer_tokens = prompt.tokens;
  ledger_.asks(wish.asked);
  return wish;
}

Clients::Wish Clients::request(Habit habit, Asked::Kind kind, std::string_view method, std::string path,
                               std::string model, std::string_view body, std::string_view fields) {
  Wish wish;
  wish.asked.id = fmt::format("q{}", ++asked_);
  wish.asked.habit = habit;
  wish.asked.kind = kind;
  wish.asked.path = path;
  wish.asked.model = wish.asked.called = std::move(model);
  wish.bytes =
      fmt::format("{} {} HTTP/1.1\r\nHost: localhost\r\nx-request-id: {}\r\n{}", method, path, wish.asked.id, fields);
  if (method == "POST")
    wish.bytes += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", body.size());
  wish.bytes += "\r\n";
  wish.bytes += body;
  ledger_.asks(wish.asked);
  return wish;
}

}  // namespace drover::world
