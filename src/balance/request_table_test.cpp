#include "balance/request_table.h"

#include <gtest/gtest.h>

#include <map>

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

}  // namespace
}  // namespace drover::balance
