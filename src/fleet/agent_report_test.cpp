#include "fleet/agent_report.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "fleet/fleet_view.h"

namespace drover::fleet {
namespace {

TEST(AgentReport, is_read_gpu_by_gpu) {
  const auto report = parse_agent_answer(
      R"({"version":"9","gpus":[{"name":"NVIDIA H200","busy":0.5,"memory_free":100,"memory_total":400,"celsius":60},)"
      R"({"name":"b","busy":1,"memory_free":0,"memory_total":400}]})");
  ASSERT_TRUE(report) << report.error().detail;
  EXPECT_EQ(report->gpus[0].name, "NVIDIA H200");
  EXPECT_EQ(report->gpus.size(), 2U);
  EXPECT_DOUBLE_EQ(report->busy(), 0.75);
  EXPECT_EQ(report->memory_free(), Bytes{100});
  EXPECT_EQ(report->memory_total(), Bytes{800});
}

struct BadCase {
  std::string_view gpu;    // the second of two
  std::string_view error;  // a part of it
};
constexpr BadCase kBad[] = {
    {R"({"busy":0.5,"memory_free":1,"memory_total":4})", "gpus[1].name is missing; expected a short text"},
    {R"({"name":"\u001b[2J","busy":0.5,"memory_free":1,"memory_total":4})", "gpus[1].name is"},
    {R"({"name":"b","busy":42,"memory_free":1,"memory_total":4})", "gpus[1].busy is 42; expected a number from 0 to 1"},
    {R"({"name":"b","busy":-0.1,"memory_free":1,"memory_total":4})", "gpus[1].busy is -0.1"},
    {R"({"name":"b","busy":"NaN","memory_free":1,"memory_total":4})", "gpus[1].busy is \"NaN\""},
    {R"({"name":"b","busy":0.5,"memory_free":1,"memory_total":0})", "gpus[1].memory_total is 0"},
    {R"({"name":"b","busy":0.5,"memory_free":1,"memory_total":1000000000000000000})", "gpus[1].memory_total is"},
    {R"({"name":"b","busy":0.5,"memory_free":-1,"memory_total":4})", "gpus[1].memory_free is -1"},
    {R"({"name":"b","busy":0.5,"memory_free":5,"memory_total":4})", "memory_free is 5; expected bytes, at most"},
    {R"(7)", "gpus[1].name is missing"},
};

TEST(AgentReport, row_108_wild_values_are_refused_and_named) {
  for (const BadCase& test : kBad) {
    const auto report = parse_agent_answer(
        fmt::format(R"({{"gpus":[{{"name":"a","busy":0,"memory_free":1,"memory_total":1}},{}]}})", test.gpu));
    ASSERT_FALSE(report) << test.gpu;
    EXPECT_NE(report.error().detail.find(test.error), std::string::npos) << report.error().detail;
  }
  for (const std::string_view body : {"", "[]", "{}", R"({"gpus":[]})", R"({"gpus":{}})", "404 page not found"}) {
    EXPECT_FALSE(parse_agent_answer(body)) << body;
  }
  std::string many = R"({"gpus":[)";
  for (std::size_t i = 0; i <= kMaxGpus; ++i) many += R"({"name":"a","busy":0,"memory_free":1,"memory_total":1},)";
  many.back() = ']';
  EXPECT_NE(parse_agent_answer(many + "}").error().detail.find("65 gpus; expected 64"), std::string::npos);
}

TEST(AgentReport, is_carried_by_the_view_of_the_fleet) {
  NodeState with{.spec = {.id = NodeId{1}, .name = "a", .url = {}}, .report = {}};
  with.agent = AgentReport{.gpus = {{.name = "x", .busy = 0.25, .memory_free = Bytes{1}, .memory_total = Bytes{2}}}};
  const NodeState without{.spec = {.id = NodeId{2}, .name = "b", .url = {}}, .report = {}};
  const NodeState nodes[] = {with, without};
  const auto view = FleetView::build(nodes, ShowCache(), {});
  ASSERT_NE(view->agent(NodeId{1}), nullptr);
  EXPECT_EQ(*view->agent(NodeId{1}), *with.agent);
  EXPECT_EQ(view->agent(NodeId{2}), nullptr);
}

}  // namespace
}  // namespace drover::fleet
