#include "balance/request_table.h"

#include <gtest/gtest.h>

#include <map>

#include "balance/lane.h"
#include "base/random.h"

namespace drover::balance {
namespace {

TEST(RequestTable, agrees_with_a_map_whatever_happens) {
  constexpr std::uint64_t kSeed = 20261;
  SCOPED_TRACE(kSeed);
  Random random(kSeed);
  RequestTable table;
  std::map<std::uint64_t, Request*> model;
  for (int step = 0; step < 100'000; ++step) {
    // Few distinct ids, some of them far apart, so that they collide and come back.
    const std::uint64_t id = random.below(300) << (random.chance(0.5) ? 0 : 32);
    const auto known = model.find(id);
    Request* found = table.find(RequestId{id});
    ASSERT_EQ(found, known == model.end() ? nullptr : known->second) << "step " << step;
    if (found == nullptr) {
      Request& added = table.add(RequestId{id});
      EXPECT_TRUE(added.excluded.empty() && added.node == nullptr && added.arrival == Mono{});
      added.arrival = Mono{} + std::chrono::seconds(1);
      added.excluded.push_back(NodeId{1});
      model.emplace(id, &added);
    } else if (random.chance(0.5)) {
      table.remove(*found);
      model.erase(known);
    }
    ASSERT_EQ(table.size(), model.size());
  }
}

TEST(Line, keeps_the_order_of_arrival_and_puts_the_requeued_in_their_old_place) {
  RequestTable table;
  Line line;
  const auto join = [&](std::uint64_t id, int arrival) {
    Request& request = table.add(RequestId{id});
    request.arrival = Mono{} + std::chrono::seconds(arrival);
    return line.join(request);
  };
  const auto order = [&] {
    std::string ids;
    for (const Request* request = line.first(); request != nullptr; request = request->behind) {
      ids += std::to_string(request->id.value) + " ";
    }
    return ids;
  };
  EXPECT_EQ(join(1, 10), 1U);
  EXPECT_EQ(join(2, 20), 2U);
  EXPECT_EQ(join(3, 20), 3U);
  EXPECT_EQ(join(4, 15), 2U);
  EXPECT_EQ(join(5, 5), 1U);
  EXPECT_EQ(order(), "5 1 4 2 3 ");
  for (const std::uint64_t id : {4U, 5U, 3U}) line.leave(*table.find(RequestId{id}));
  EXPECT_EQ(order(), "1 2 ");
  EXPECT_EQ(join(6, 30), 3U);
  EXPECT_EQ(order(), "1 2 6 ");
  for (const std::uint64_t id : {1U, 2U, 6U}) line.leave(*table.find(RequestId{id}));
  EXPECT_TRUE(line.empty());
  EXPECT_EQ(join(7, 1), 1U);
  EXPECT_EQ(order(), "7 ");
}

}  // namespace
}  // namespace drover::balance
