// No request gets less context than it asked for: what a node is told of it, or does not need to be told, is at least
// what the client said; and just that where the route sends it as it came.

#include <fmt/format.h>

#include "world/oracles.h"

namespace drover::world {
namespace {

class Context final : public Witness {
 public:
  explicit Context(Court& court) : court_(court) {}

  void attempt_ended(const Request& request, const Attempt& attempt) override {
    const std::uint64_t asked = request.asked.num_ctx;
    if (!attempt.sent) return;
    const auto complain = [&](std::string_view what) {
      court_.complain("context",
                      fmt::format("{} of {}, and {} was sent: {}", what, asked, attempt.num_ctx, text_of(request)));
    };
    if (asked == 0 && attempt.num_ctx != 0) complain("a context was made up");
    const std::uint64_t gets = attempt.num_ctx == 0 ? kOwnContext : attempt.num_ctx;
    if (gets < asked) complain("less than the context");
    const auto& route = court_.settings().route_of(attempt.model);
    const bool as_sent = route.settings.context == balance::ContextRule::as_sent;
    if (as_sent && attempt.num_ctx != asked && court_.settings().since < request.began) {
      complain("another context on a route that sends it as it came,");
    }
  }

 private:
  Court& court_;
};

}  // namespace

std::unique_ptr<Witness> make_context(Court& court) { return std::make_unique<Context>(court); }

}  // namespace drover::world
