// The world's own parts. What it proves of the gateway is a campaign: `drover world`.
#include <gtest/gtest.h>

#include "world/campaign.h"
#include "world/message_reader.h"
#include "world/rare_conditions.h"

namespace drover::world {
namespace {

// Events of a text that comes whole, and byte by byte: h head, p payload, e end, b broken.
std::string events_of(std::string_view text, std::size_t step) {
  MessageReader reader(MessageReader::Side::responses);
  std::string events;
  for (std::size_t at = 0; at < text.size(); at += step) {
    std::string_view bytes = text.substr(at, step);
    while (true) {
      const auto event = reader.next(bytes);
      if (event == MessageReader::Event::more) break;
      const char letter = "-hpeb"[static_cast<std::size_t>(event)];
      if (letter != 'p' || !events.ends_with('p')) events += letter;
      if (letter == 'b') break;
    }
  }
  return events;
}

TEST(MessageReader, reads_messages_however_they_are_cut) {
  struct Case {
    std::string_view text, events;
  };
  const Case cases[] = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 204 No\r\n\r\n", "hpehe"},
      {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
       "hpe"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "hb"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n", "hpb"},
      {"HTTP/1.1 200 OK\r\n\r\nuntil the end", "hp"},
      {"garbage\r\n\r\n", "b"},
  };
  for (const Case& each : cases) {
    EXPECT_EQ(events_of(each.text, each.text.size()), each.events) << each.text;
    EXPECT_EQ(events_of(each.text, 1), each.events) << each.text;
  }
}

TEST(Plan, leaving_a_fault_out_changes_nothing_else) {
  const Plan whole = draw_plan(7, {});
  const Plan less = draw_plan(7, {.without = {"node_crash", "sdk"}});
  EXPECT_EQ(whole.settings, less.settings);
  EXPECT_EQ(whole.nodes, less.nodes);
  EXPECT_FALSE(less.has(Fault::node_crash));
  EXPECT_FALSE(less.has(Habit::sdk));
  EXPECT_FALSE(check({.without = {"nonsense"}}));
}

TEST(World, the_same_seed_gives_the_same_trace_and_another_one_another) {
  const Overrides short_one{.minutes = 0.1};
  const Verdict once = run_world(draw_plan(3, short_one));
  const Verdict again = run_world(draw_plan(3, short_one));
  EXPECT_EQ(once.trace_hash, again.trace_hash);
  EXPECT_EQ(once.events, again.events);
  EXPECT_NE(once.trace_hash, run_world(draw_plan(4, short_one)).trace_hash);
  EXPECT_GT(once.requests, 50U);
}

TEST(RareConditions, are_at_least_forty) { EXPECT_GE(rare_conditions().size(), 40U); }

}  // namespace
}  // namespace drover::world
