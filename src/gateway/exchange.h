#pragma once
// One request and what became of it: the state that the steps of serve.cpp pass on to one another.

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "api/answer_tap.h"
#include "api/dialect.h"
#include "api/routes.h"
#include "api/understood.h"
#include "base/check.h"
#include "base/pooled.h"
#include "gateway/asker.h"
#include "gateway/worker.h"
#include "observe/access_log.h"
#include "wire/server_connection.h"

namespace drover::gateway {

// How a prompt begins, by hashes of the access log's own key.
struct Beginning {
  std::optional<std::uint64_t> session;
  std::vector<std::uint64_t, PooledAllocator<std::uint64_t>> prefix;
};

// As long as a stream lasts there is one of these for it, so its size is counted.
struct Exchange {
  Exchange(Worker& its_worker, wire::ServerConnection& its_client);

  Worker& worker;
  wire::ServerConnection& client;
  std::shared_ptr<const Published> published;  // the settings and the fleet that it was admitted under
  RequestId id;
  std::string request_id;  // x-request-id: the client's, or ours
  Mono arrived;
  Mono deadline;

  wire::Incoming incoming;
  std::vector<guard::Header> cors;  // to be added to its answer
  api::RouteMatch match;
  api::Dialect dialect = api::Dialect::ollama;
  std::optional<balance::Priority> priority;  // as a trusted proxy said, and
  std::string tenant;                         // who asks; empty: nobody in particular

  // For the account.
  observe::Phase phase = observe::Phase::reading;
  observe::Outcome outcome = observe::Outcome::ok;
  std::optional<api::Reason> reason;
  int status = 0;
  bool streams = false;
  bool renamed = false;  // `known_model` is not how the client may call it: nodes and clients are told
  unsigned attempts = 0;
  std::string model;             // as the client wrote it
  std::string_view known_model;  // the model that it goes to, as the fleet of `published` lists it; empty: unknown
  std::string fell_back_from;    // the model that no node can serve now; empty: it goes where it was to go
  std::string node;              // of the last attempt
  std::string_view picked;       // why that node
  std::uint64_t context = 0;     // tokens that it gets there, where it asked for other ones
  Duration queued{};             // for a slot, a load of ours included
  std::optional<Duration> expected_wait;  // for a slot, when it came to wait for one
  std::optional<Duration> loaded;         // of that, for the load
  Mono started;                           // on its node
  Duration expected{};                    // from then on, as the policy estimates; 0: it does not
  std::optional<Mono> first_byte;
  Bytes received;
  std::uint64_t sent = 0;
  std::optional<api::AnswerTap> answer;  // none: none has begun that a node gave
  Pooled<Beginning> beginning;           // null: the access log has no key

  net::Loop& loop() { return worker.loop(); }
  const GatewaySettings& settings() const { return published->settings; }
};

// What the gateway adds to an answer's head: few fields, so no allocation. Views: names and values must outlive it.
class OwnFields {
 public:
  static constexpr std::size_t kMost = 24;
  void add(std::string_view name, std::string_view value) {
    CHECK(count_ < kMost);
    fields_[count_++] = {name, value};
  }
  std::span<const http::Field> all() const { return {fields_.data(), count_}; }

 private:
  std::array<http::Field, kMost> fields_;
  std::size_t count_ = 0;
};

// Answers with an error in the dialect of the caller, with x-drover-reason and what tells client libraries whether to
// try again. False: the client is gone.
net::Task<bool> answer_refusal(Exchange& exchange, api::Refusal refusal, Duration retry_after = {});

// Any other answer that is whole and ours. `own`: further fields.
net::Task<bool> answer_here(Exchange& exchange, int status, std::string_view content_type, std::string_view body,
                            std::span<const http::Field> own = {});

// The flow was cancelled: the client is gone, or the gateway ends and says so. What is written then leaves at once or
// not at all.
net::Task<bool> answer_cancelled(Exchange& exchange);

// Answers what the parsers refused. The connection closes after it: nobody knows where the next request begins.
net::Task<bool> answer_reject(Exchange& exchange);
// The body could not be read to its end: answers if there is somebody to answer. False: the connection is over.
net::Task<bool> answer_unread(Exchange& exchange, wire::ServerConnection::Read read);

// The fields that every answer carries.
OwnFields answer_fields(const Exchange& exchange);

// The last step: metrics and the line of the access log.
void account(Exchange& exchange);

}  // namespace drover::gateway
