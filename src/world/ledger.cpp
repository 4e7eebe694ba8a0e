#include "world/ledger.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/ascii.h"

namespace drover::world {
namespace {

using Event = MessageReader::Event;

// The answer to a connection that nobody reads a request from.
bool turns_away(const MessageHead& head) { return head.status == 503 && head.find("x-request-id").empty(); }

// What the body says to the node.
void note_body(Attempt& attempt, const std::string& body) {
  const auto parsed = parse_json(body);
  if (!parsed || !parsed->is_object()) return;
  attempt.model = parsed->value("model", "");
  const auto options = parsed->find("options");
  if (options == parsed->end() || !options->is_object()) return;
  attempt.num_ctx = options->value("num_ctx", std::uint64_t{0});
}

}  // namespace

std::size_t Request::node_part() const {
  if (attempts.empty()) return 0;
  const std::string& sent = attempts.back().payload;
  const auto same = static_cast<std::size_t>(std::ranges::mismatch(body, sent).in1 - body.begin());
  if (same == body.size()) return same;
  // An error frame may begin with the same bytes as the line that it stands in for.
  const auto line = body.rfind('\n', same == 0 ? 0 : same - 1);
  return line == std::string::npos || line >= same ? 0 : line + 1;
}

const Attempt* Request::sent_before(const Attempt& attempt) const {
  const Attempt* before = nullptr;
  for (const Attempt& each : attempts) {
    if (&each == &attempt) break;
    if (each.sent) before = &each;
  }
  return before;
}

std::string Request::outcome() const { return lines.empty() ? "" : lines.front().value("drover.outcome", ""); }

void Ledger::gateway_started(unsigned life, const std::vector<const net::Network*>& networks) {
  life_ = life;
  for (const net::Network* network : networks) lives_[network] = life;
}

void Ledger::gateway_crashed() {
  trace_.note(now(), "gateway crashed");
  crashed_ = now();
  for (Request& request : requests_) {
    if (request.life != life_ || request.lost) continue;
    if (request.lines.empty()) --open_;
    request.lost = request.lines.empty() || !request.over();
  }
}

std::uint64_t Ledger::lines_with(unsigned life, std::string_view outcome) const {
  const auto found = lines_.find({life, std::string(outcome)});
  return found == lines_.end() ? 0 : found->second;
}

std::uint64_t Ledger::lines(unsigned life) const {
  std::uint64_t count = 0;
  for (const auto& [key, each] : lines_) count += key.first == life ? each : 0;
  return count;
}

void Ledger::line(unsigned life, std::string_view text) {
  trace_.note(now(), "access " + std::string(text.substr(0, text.size() - 1)));
  auto json = parse_json(text);
  ++lines_[{life, json->value("drover.outcome", "")}];
  const auto found = by_id_.find(json->value("http.request.id", ""));
  if (found == by_id_.end()) return;
  Request& request = *found->second;
  if (request.lines.empty() && !request.lost) --open_;
  request.lines.push_back(std::move(*json));
  tell([&](Witness& witness) { witness.logged(request); });
}

void Ledger::told(std::string_view event, std::string_view text) {
  trace_.note(now(), "log " + std::string(text));
  tell([&](Witness& witness) { witness.told(event, text); });
}

void Ledger::struck(Fault fault, std::string what) {
  trace_.note(now(), fmt::format("chaos {} {}", name(fault), what));
  tell([&](Witness& witness) { witness.struck(fault); });
}

void Ledger::looked(const Look& look) {
  tell([&](Witness& witness) { witness.looked(look); });
}

void Ledger::at_rest() {
  tell([](Witness& witness) { witness.at_rest(); });
}

// ---- connections
// -----------------------------------------------------------------------------------------------------

void Ledger::opened(net::LinkId link, const net::Network& dialler, const net::Endpoint& to) {
  trace_.link(now(), Trace::Kind::opened, link, net::End::dialler, net::to_text(to));
  if (to == gateway_) {
    clients_[link].life = life_;
    return;
  }
  const auto life = lives_.find(&dialler);
  const auto node = nodes_.find(to);
  if (life == lives_.end() || node == nodes_.end()) return;  // a stranger
  NodeLink& upstream = upstreams_[link];
  upstream.node = node->second;
  upstream.life = life->second;
}

void Ledger::wrote(net::LinkId link, net::End by, std::string_view bytes) {
  trace_.link(now(), Trace::Kind::wrote, link, by, bytes);
  if (by == net::End::listener) {
    if (const auto found = clients_.find(link); found != clients_.end()) answer_bytes(found->second, bytes);
  } else {
    if (const auto found = upstreams_.find(link); found != upstreams_.end()) attempt_bytes(found->second, link, bytes);
  }
}

void Ledger::arrived(net::LinkId link, net::End from, std::string_view bytes) {
  trace_.link(now(), Trace::Kind::arrived, link, from, bytes);
  if (from == net::End::dialler) {
    if (const auto found = clients_.find(link); found != clients_.end()) request_bytes(found->second, link, bytes);
  } else {
    if (const auto found = upstreams_.find(link); found != upstreams_.end()) node_bytes(found->second, bytes);
  }
}

void Ledger::finished(net::LinkId link, net::End by) {
  trace_.link(now(), Trace::Kind::finished, link, by);
  closed(link, by);
}

void Ledger::aborted(net::LinkId link, net::End by) {
  trace_.link(now(), Trace::Kind::aborted, link, by);
  closed(link, by);
}

// If it is the gateway that did so.
void Ledger::closed(net::LinkId link, net::End by) {
  if (by == net::End::listener) {
    if (const auto found = clients_.find(link); found != clients_.end()) gateway_left(found->second);
  } else if (const auto found = upstreams_.find(link); found != upstreams_.end()) {
    end_attempt(found->second);
  }
}

void Ledger::end_arrived(net::LinkId link, net::End from) {
  trace_.link(now(), Trace::Kind::end_arrived, link, from);
  if (from == net::End::dialler) {
    if (const auto found = clients_.find(link); found != clients_.end()) client_left(found->second, false);
  } else if (const auto found = upstreams_.find(link); found != upstreams_.end()) {
    NodeLink& upstream = found->second;
    if (upstream.request != nullptr && upstream.answers.peer_ended()) {
      upstream.request->attempts[upstream.attempt].complete = true;
    }
    node_left(upstream);
  }
}

void Ledger::reset_arrived(net::LinkId link, net::End from) {
  trace_.link(now(), Trace::Kind::reset_arrived, link, from);
  if (from == net::End::dialler) {
    if (const auto found = clients_.find(link); found != clients_.end()) client_left(found->second, false);
  } else {
    if (const auto found = upstreams_.find(link); found != upstreams_.end()) node_left(found->second);
    // The gateway's bytes met a client that is no more, or the network broke the connection.
    if (const auto found = clients_.find(link); found != clients_.end()) client_left(found->second, true);
  }
}

// ---- between client and gateway
// --------------------------------------------------------------------------------------

void Ledger::request_bytes(ClientLink& link, net::LinkId id, std::string_view bytes) {
  while (true) {
    const Event event = link.requests.next(bytes);
    if (event == Event::more || event == Event::broken) return;
    if (event == Event::head) {
      const auto asked = asked_.find(link.requests.head().find("x-request-id"));
      if (asked == asked_.end() || link.turned_away) continue;
      Request& request = requests_.emplace_back();
      request.asked = asked->second;
      request.life = link.life;
      request.link = id;
      request.began = now();
      by_id_[request.asked.id] = &request;
      link.waiting.push_back(link.coming = &request);
      ++open_;
    } else if (event == Event::end && link.coming != nullptr) {
      link.coming->arrived = now();
      tell([&](Witness& witness) { witness.request_arrived(*link.coming); });
      link.coming = nullptr;
    }
  }
}

void Ledger::answer_bytes(ClientLink& link, std::string_view bytes) {
  while (true) {
    const Event event = link.answers.next(bytes);
    if (event == Event::more || event == Event::broken) return;
    if (event == Event::head && turns_away(link.answers.head())) link.turned_away = true;
    if (link.waiting.empty()) continue;
    Request& request = *link.waiting.front();
    if (event == Event::head) {
      const MessageHead& head = link.answers.head();
      request.status = head.status;
      request.reason = head.find("x-drover-reason");
      request.served = head.find("x-drover-model");
      request.fell_back = head.find("x-drover-fallback");
      request.queued = std::chrono::milliseconds(ascii::to_number(head.find("x-drover-queue-ms")).value_or(0));
      request.relayed = !head.find("x-drover-node").empty();
      request.turned_away = link.turned_away;
      request.streams = head.find("content-type").starts_with("application/x-ndjson") ||
                        head.find("content-type").starts_with("text/event-stream");
      request.first_byte = now();
      tell([&](Witness& witness) { witness.answer_began(request); });
    } else if (event == Event::payload) {
      if (!request.relayed) continue;
      request.body += link.answers.payload();
      tell([&](Witness& witness) { witness.forwarded(request, link.answers.payload()); });
    } else if (event == Event::end) {
      request.ended = now();
      link.waiting.pop_front();
      tell([&](Witness& witness) { witness.answer_ended(request); });
    }
  }
}

void Ledger::client_left(ClientLink& link, bool network) {
  for (Request* request : link.waiting) {
    if (request->over()) continue;
    if (network) request->link_broken = true;
    request->client_gone = now();
    tell([&](Witness& witness) { witness.client_gone(*request); });
  }
}

void Ledger::gateway_left(ClientLink& link) {
  for (Request* request : link.waiting) {
    if (request->over()) continue;
    request->broken_off = now();
    tell([&](Witness& witness) { witness.answer_ended(*request); });
  }
  if (link.answers.peer_ended() && !link.waiting.empty() && link.waiting.front()->first_byte) {
    link.waiting.front()->ended = now();
  }
  link.waiting.clear();
}

// ---- between gateway and node
// ----------------------------------------------------------------------------------------

void Ledger::attempt_bytes(NodeLink& link, net::LinkId id, std::string_view bytes) {
  while (true) {
    const Event event = link.requests.next(bytes);
    if (event == Event::more || event == Event::broken) return;
    if (event == Event::head) {
      const auto found = by_id_.find(link.requests.head().find("x-request-id"));
      ++link.carried;
      link.body.clear();
      if (found == by_id_.end()) continue;
      link.request = found->second;
      link.attempt = link.request->attempts.size();
      Attempt& attempt = link.request->attempts.emplace_back();
      attempt.node = link.node;
      attempt.link = id;
      attempt.reused = link.carried > 1;
      attempt.began = now();
      tell([&](Witness& witness) { witness.attempt_began(*link.request, attempt); });
    } else if (event == Event::payload) {
      link.body += link.requests.payload();
    } else if (event == Event::end && link.request != nullptr) {
      Attempt& attempt = link.request->attempts[link.attempt];
      attempt.sent = now();
      note_body(attempt, link.body);
      if (!attempt.open) continue;
      tell([&](Witness& witness) { witness.attempt_sent(*link.request, attempt); });
    }
  }
}

void Ledger::node_bytes(NodeLink& link, std::string_view bytes) {
  while (true) {
    if (link.request != nullptr && !bytes.empty()) link.request->attempts[link.attempt].last_byte = now();
    const Event event = link.answers.next(bytes);
    if (event == Event::more || event == Event::broken) return;
    if (link.request == nullptr) {
      const bool nothing = event == Event::payload && link.answers.payload().starts_with(R"({"models":[])");
      if (nothing) listed_nothing_[link.node] = now();
      continue;
    }
    Attempt& attempt = link.request->attempts[link.attempt];
    if (event == Event::head) {
      attempt.status = link.answers.head().status;
    } else if (event == Event::payload) {
      attempt.payload += link.answers.payload();
    } else if (event == Event::end) {
      attempt.complete = true;
      attempt.open = false;
      tell([&](Witness& witness) { witness.attempt_ended(*link.request, attempt); });
      link.request = nullptr;
    }
  }
}

void Ledger::node_left(NodeLink& link) {
  if (link.request == nullptr) return;
  Attempt& attempt = link.request->attempts[link.attempt];
  attempt.node_left = true;
  if (!std::exchange(attempt.open, false)) return;
  tell([&](Witness& witness) { witness.attempt_ended(*link.request, attempt); });
}

void Ledger::end_attempt(NodeLink& link) {
  if (link.request == nullptr) return;
  Attempt& attempt = link.request->attempts[link.attempt];
  attempt.cut = now();
  if (std::exchange(attempt.open, false)) {
    tell([&](Witness& witness) { witness.attempt_ended(*link.request, attempt); });
  }
  link.request = nullptr;
}

}  // namespace drover::world
