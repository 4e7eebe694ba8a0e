#pragma once
// One request for inference on its connection: from the body to the last byte, through the fault that is armed for it.

#include <optional>
#include <string>
#include <string_view>

#include "sim/answers.h"
#include "sim/server.h"

namespace drover::sim {

// How an exchange leaves its connection.
enum class After : std::uint8_t {
  next,    // the next request may come
  close,   // FIN
  broken,  // nothing can be said on it any more, or the client is gone
  leak,    // the node forgot it: held open for ever
};

class Exchange {
 public:
  Exchange(Server& server, wire::ServerConnection& connection, const wire::Incoming& incoming, api::Route route);
  Exchange(const Exchange&) = delete;
  ~Exchange();

  // Answers `body`. The flow is cancelled when the client hangs up, as Go cancels a handler's context.
  net::Task<After> run(std::string body);
  // The client of a chunked upload left before the last chunk: generation had begun, and leaks its slot (6.3).
  net::Task<> run_into_leak(std::string body);

 private:
  net::Task<After> answer(std::string body);
  net::Task<After> generate(Request& request, Work work);
  net::Task<After> gather(AnswerWriter& writer, const Work& work, const Request& request);
  net::Task<After> relay(AnswerWriter& writer, const Work& work);
  // The next event of ours; what it tells of figures is noted. nullopt: the client left, or the server stops.
  net::Task<std::optional<NodeEvent>> next_event();
  After left();

  // Faults: those that come before anything is done, and those whose time comes as the answer grows.
  net::Task<std::optional<After>> fail_at_once();
  bool fault_is_due() const;
  net::Task<std::optional<After>> misbehave(AnswerWriter& writer, const Work& work, bool streamed);
  net::Task<After> break_stream(FaultKind kind, AnswerWriter& writer, const std::string& text);
  net::Task<After> break_body(FaultKind kind, AnswerWriter& writer, const Work& work, const std::string& text);
  net::Task<After> silence();
  net::Task<After> reset();

  // Writing. False: the connection broke, or the flow was cancelled.
  std::string head(int status, std::string_view type, http::Framing framing);
  net::Task<bool> send(std::string_view bytes);
  std::string begin(std::string_view type);  // the head, if it is not out yet
  net::Task<bool> chunk(std::string_view type, std::string_view payload);
  net::Task<After> end_stream();
  net::Task<After> whole(int status, std::string_view type, std::string_view body, bool in_chunks = false);
  net::Task<After> refuse(const Failure& failure, bool streamed);
  net::Task<After> settled();
  bool can_chunk() const { return incoming_.head->minor() > 0; }

  Server& server_;
  wire::ServerConnection& connection_;
  const wire::Incoming& incoming_;
  api::Route route_;
  Mono began_;
  std::optional<Fault> fault_;
  AskId ask_;
  bool asked_ = false;  // the node works on it
  bool ready_ = false;  // and has a runner for it
  Mailbox mailbox_;
  Ending ending_;
  bool begun_ = false;                // the head is out
  std::optional<Duration> drip_gap_;  // bytes go one by one, this far apart
};

}  // namespace drover::sim
