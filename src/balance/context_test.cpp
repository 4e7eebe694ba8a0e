// Which runners have enough context for a request, and what it must say there.
#include "balance/context.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace drover::balance {
namespace {

constexpr std::uint64_t kOwn = 4096;  // what the node gives by itself

// A runner as the gateway knows it: loaded by others (unset) or by a load of ours with this `num_ctx` (0: none).
struct Past {
  std::optional<std::uint64_t> loaded;
  std::uint64_t tokens;  // that the node says it has
};
struct ContextCase {
  std::string_view name;
  std::vector<Past> past;  // one load after another; the last one is there now
  std::uint64_t wanted;    // num_ctx of the request; 0: none
  std::string_view fate;   // "load N": not enough, and a load asks for N; else what it says (-: as it came) and gets
};
const ContextCase kCases[] = {
    {"no_wish_on_the_nodes_own", {{0, kOwn}}, 0, "says - gets 0"},
    {"no_wish_on_one_that_others_loaded", {{{}, kOwn}}, 0, "says - gets 0"},
    {"no_wish_on_another_context", {{8192, 8192}}, 0, "load 0"},
    {"no_wish_on_a_number_that_is_the_nodes_own", {{0, kOwn}, {kOwn, kOwn}}, 0, "says - gets 0"},
    {"less_than_the_nodes_own", {{0, kOwn}}, 2048, "says nothing gets 4096"},
    {"just_the_nodes_own", {{0, kOwn}}, kOwn, "says - gets 4096"},
    {"more_than_the_nodes_own", {{0, kOwn}}, kOwn + 1, "load 4097"},
    {"less_than_what_others_loaded", {{{}, 16384}}, 8192, "says 16384 gets 16384"},
    {"just_what_others_loaded", {{{}, 16384}}, 16384, "says - gets 16384"},
    {"more_than_what_others_loaded", {{{}, 16384}}, 32768, "load 32768"},
    {"what_others_loaded_is_the_nodes_own", {{0, kOwn}, {{}, kOwn}}, 2048, "says nothing gets 4096"},
    {"others_and_the_node_does_not_say", {{{}, 0}}, 2048, "load 2048"},
    {"less_than_a_number_of_ours", {{8192, 8192}}, 2048, "says 8192 gets 8192"},
    {"just_a_number_of_ours", {{8192, 8192}}, 8192, "says - gets 8192"},
    {"a_number_of_ours_and_the_node_does_not_say", {{8192, 0}}, 2048, "says 8192 gets 8192"},
    {"more_than_a_number_of_ours", {{8192, 8192}}, 8193, "load 8193"},
    {"a_load_asks_for_nothing_where_the_nodes_own_is_enough", {{0, kOwn}, {1024, 1024}}, 2048, "load 0"},
    {"a_load_asks_for_it_where_the_nodes_own_is_not_known", {{1024, 1024}}, 2048, "load 2048"},
    {"the_model_has_no_more", {{32768, 8192}}, 32768, "says - gets 8192"},
    {"the_model_has_no_more_than_that_either", {{32768, 8192}}, 16384, "says - gets 8192"},
    {"nobody_gets_more_than_the_model_has", {{32768, 8192}, {0, kOwn}}, 16384, "load 16384"},
    {"the_nodes_own_is_all_that_the_model_has", {{32768, kOwn}, {0, kOwn}}, 16384, "says - gets 4096"},
    {"it_has_more_after_all", {{32768, 8192}, {32768, 32768}}, 32768, "says - gets 32768"},
    {"others_show_that_it_has_more", {{32768, 8192}, {{}, 16384}}, 20000, "load 20000"},
    {"the_node_gives_more_than_was_asked_for", {{512, 2048}}, 512, "says - gets 2048"},
    {"that_is_enough_for_others_too", {{512, 2048}}, 1024, "says 512 gets 2048"},
    {"and_may_be_what_it_gives_by_itself", {{0, 2048}, {512, 2048}}, 0, "says - gets 0"},
};

std::string fate_of(const RunnerContext& context, const std::optional<LoadNeed>& loaded, LoadNeed wanted,
                    ContextRule rule) {
  if (!context.suffices(loaded, wanted, rule)) return fmt::format("load {}", context.to_load(wanted, rule).context);
  const ContextFit fit = context.fit(loaded, wanted, rule);
  const std::string says = !fit.num_ctx ? "-" : *fit.num_ctx == 0 ? "nothing" : fmt::format("{}", *fit.num_ctx);
  return fmt::format("says {} gets {}", says, fit.tokens);
}

TEST(RunnerContext, is_enough_or_not_and_what_a_request_says_there) {
  for (const ContextCase& each : kCases) {
    RunnerContext context;
    std::optional<LoadNeed> loaded;
    for (const Past& past : each.past) {
      loaded.reset();
      if (past.loaded) loaded = LoadNeed{.context = *past.loaded};
      context.begin_load();
      context.saw(past.tokens, loaded);
    }
    EXPECT_EQ(fate_of(context, loaded, {.context = each.wanted}, ContextRule::fit), each.fate) << each.name;
  }
}

TEST(RunnerContext, as_sent_only_the_same_number_will_do) {
  RunnerContext context;
  const auto fate = [&](std::optional<LoadNeed> loaded, std::uint64_t wanted) {
    context.saw(8192, loaded);
    return fate_of(context, loaded, {.context = wanted}, ContextRule::as_sent);
  };
  EXPECT_EQ(fate(LoadNeed{}, 0), "says - gets 0");
  EXPECT_EQ(fate(LoadNeed{}, 2048), "load 2048");
  EXPECT_EQ(fate(LoadNeed{}, 8192), "load 8192") << "the node's own is taken for another one";
  EXPECT_EQ(fate(LoadNeed{.context = 8192}, 8192), "says - gets 8192");
  EXPECT_EQ(fate(LoadNeed{.context = 8192}, 2048), "load 2048");
  EXPECT_EQ(fate(std::nullopt, 2048), "load 2048");
}

TEST(RunnerContext, other_options_must_be_the_same_whatever_the_context_is) {
  RunnerContext context;
  const LoadNeed loaded{.fingerprint = 7, .context = 8192};
  context.saw(8192, loaded);
  EXPECT_EQ(fate_of(context, loaded, {.fingerprint = 7, .context = 2048}, ContextRule::fit), "says 8192 gets 8192");
  EXPECT_EQ(fate_of(context, loaded, {.fingerprint = 8, .context = 2048}, ContextRule::fit), "load 2048");
  EXPECT_EQ(fate_of(context, std::nullopt, {.fingerprint = 7}, ContextRule::fit), "load 0");
}

}  // namespace
}  // namespace drover::balance
