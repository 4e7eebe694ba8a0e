#pragma once
// Carries a node's answer to the client, byte for byte, and never lets it end silently short.

#include <functional>
#include <string>
#include <string_view>

#include "api/answer_tap.h"
#include "api/dialect.h"
#include "gateway/buffer_budget.h"
#include "gateway/settings.h"
#include "http/lines.h"
#include "observe/outcome.h"
#include "wire/client_connection.h"
#include "wire/server_connection.h"

namespace drover::gateway {

// How an answer ended that had begun. The client has been told in every case: a clean end, or an error frame and a
// connection that breaks off, or it is gone itself.
struct Relayed {
  enum class End : std::uint8_t {
    complete,
    done_false,      // one object that says itself it broke off: passed on as it is
    truncated,       // the node broke off; the client got an error frame
    failed_in_band,  // the node said so itself
    client_left,
    client_stalled,
    shut_down,
  };
  End end;
  api::Reason reason = api::Reason::internal;           // unless complete or done_false
  observe::CutCause cause = observe::CutCause::closed;  // truncated only
  Bytes sent{};                                         // of the body, without framing
  std::uint64_t pauses = 0;                             // how often the node was not read because the client was slow
};

struct RelayTask {
  api::Route route;
  std::string head;         // of the answer, ready to be sent; leaves with the first bytes of the body
  http::Framing framing;    // towards the client
  http::StreamShape shape;  // of the body
  bool opaque;              // compressed although we asked for identity: passed on as it is, its end is the framing's
  Mono deadline;            // of the whole request
  std::function<bool()> may_be_silent;  // asked after `silence` without a byte: true waits on
};

// `first` is the first piece of the body, as ClientConnection::first() or decode() gave it: nothing may suspend in
// between. The tap has not seen it yet. `task.head` goes with the first bytes.
net::Task<Relayed> relay(wire::ClientConnection& upstream, wire::ServerConnection& client, api::AnswerTap& tap,
                         BufferLease& buffered, const GatewaySettings& settings, RelayTask& task,
                         wire::BodyDecoder::Piece first);

}  // namespace drover::gateway
