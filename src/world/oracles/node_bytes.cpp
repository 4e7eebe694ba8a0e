// What the client gets of a node's answer is, byte for byte, the beginning of what one node sent; after it comes at
// most one error frame of ours. It ends properly only if the node's own terminator came.

#include <fmt/format.h>

#include <algorithm>

#include "world/oracles.h"

namespace drover::world {
namespace {

class NodeBytes final : public Witness {
 public:
  explicit NodeBytes(Court& court) : court_(court) {}

  void answer_ended(const Request& request) override {
    judge(request);
    if (request.ended && request.relayed && !request.attempts.empty()) judge_end(request, request.attempts.back());
  }
  void at_rest() override {
    for (const Request& request : court_.ledger.requests()) {
      if (!request.ended && !request.broken_off) judge(request);
    }
  }

 private:
  void judge(const Request& request) {
    if (!request.relayed || request.attempts.empty()) return;
    const std::size_t node_part = request.node_part();
    const std::string_view tail = std::string_view(request.body).substr(node_part);
    if (tail.empty()) return;
    // Who left, or was left because it took nothing, the gateway crashed, or the grace of a stop was over, may have a
    // part of it.
    const bool left = request.client_gone || request.broken_off || request.lost || court_.stopping;
    const bool in_part = left && std::ranges::any_of(kFrames, [&](std::string_view frame) {
                           return tail.starts_with(frame) || frame.starts_with(tail);
                         });
    const bool one_frame = is_error_frame(tail) || in_part;
    if (!one_frame) {
      court_.complain("node_bytes",
                      fmt::format("bytes that no node sent, behind {}: {:.200} {}", node_part, tail, text_of(request)));
    } else if (request.ended) {
      court_.complain("node_bytes", "an error frame, and then a proper end: " + text_of(request));
    }
  }

  // How frames of ours begin.
  static constexpr std::string_view kFrames[] = {R"({"error":"the gateway )", R"({"error":"the node )",
                                                 R"({"error":"the request )", R"(data: {"error":{"message":)"};
  static bool is_error_frame(std::string_view text) {
    const bool begins = text.starts_with("{\"error\":") || text.starts_with("data: {\"error\":");
    while (text.ends_with('\n')) text.remove_suffix(1);
    return begins && text.ends_with('}') && text.find('\n') == text.npos;
  }

  void judge_end(const Request& request, const Attempt& attempt) {
    if (request.status >= 400) {
      if (!attempt.complete) court_.complain("node_bytes", "an error that its node did not end: " + text_of(request));
      return;
    }
    const std::string_view given = request.body;
    if (!request.streams) {
      if (!attempt.complete) {
        court_.complain("node_bytes", "a proper end that its node did not give: " + text_of(request));
      }
      return;
    }
    const bool told = request.asked.openai ? given.ends_with("data: [DONE]\n\n") : says_done(given);
    if (!told) court_.complain("node_bytes", "a proper end without the node's terminator: " + text_of(request));
  }

  // In its last line; a node's garbage may have put a line's end into it.
  static bool says_done(std::string_view text) {
    constexpr std::size_t kLongestLine = 700;
    return text.substr(text.size() - std::min(text.size(), kLongestLine)).find("\"done\":true") != text.npos;
  }

  Court& court_;
};

}  // namespace

std::unique_ptr<Witness> make_node_bytes(Court& court) { return std::make_unique<NodeBytes>(court); }

}  // namespace drover::world
