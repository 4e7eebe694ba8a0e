// The engine against what a real Ollama did: a model of 12 layers on two cores, alone, in batches, and under an open
// loop of conversations. The data is not part of the sources: it is looked for in $DROVER_MEASUREMENTS, then beside
// them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "base/json.h"
#include "engine/runner.h"

namespace drover::engine {
namespace {

using namespace std::chrono_literals;

std::filesystem::path folder() {
  if (const char* given = std::getenv("DROVER_MEASUREMENTS")) return given;
  return std::filesystem::path(DROVER_SOURCE_DIR) / "../shared/measurements";
}

std::vector<Json> rows_of(const std::string& file, std::string_view scenario) {
  std::vector<Json> rows;
  std::ifstream input(folder() / file);
  for (std::string line; std::getline(input, line);) {
    Result<Json> row = parse_json(line);
    if (row && text_at(*row, "scenario") == scenario) rows.push_back(std::move(*row));
  }
  return rows;
}

Mono at(double seconds) { return Mono{} + Duration{std::llround(seconds * 1e9)}; }

Runner measured_runner(std::uint32_t slots) {
  return Runner(card_named("measured")->costs, {.slots = slots, .context = 4'096});
}

// A prompt that goes on as its conversation does. Its answer does not: random weights give text that becomes other
// tokens when it comes back in a prompt.
Job job_of(std::uint64_t id, std::uint64_t talk, std::size_t size, std::uint32_t answer) {
  Job job{.id = JobId{id}, .prompt = {}, .answer = answer, .token = {}};
  for (std::size_t i = 0; i < size; ++i) job.prompt.push_back((talk << 40) + i);
  job.token = [id](std::uint32_t index) { return (1ULL << 60) + (id << 20) + index; };
  return job;
}

double percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
}

double median(std::vector<double> values) { return percentile(std::move(values), 0.5); }

// Each first token and each end of `rows` as the engine has it, in seconds from sending.
struct Times {
  double first = 0;
  double last = 0;
};
std::vector<Times> replay(Runner& runner, const std::vector<Json>& rows) {
  std::vector<Times> times(rows.size());
  std::map<JobId, std::size_t> row_of;
  std::map<std::int64_t, std::uint64_t> first_of;  // conversation -> the row that began it
  const auto take = [&](Mono now) {
    for (const RunnerEvent& event : runner.advance(now)) {
      const std::size_t row = row_of.at(event.job);
      const double since = seconds(event.at - at(number_at(rows[row], "t")));
      if (event.kind == RunnerEvent::Kind::finished) times[row].last = since;
      if (event.kind == RunnerEvent::Kind::token && event.index == 0) times[row].first = since;
    }
  };
  std::vector<std::size_t> order(rows.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::sort(order, {}, [&](std::size_t row) { return std::pair(number_at(rows[row], "t"), row); });
  for (const std::size_t row : order) {
    const Json& each = rows[row];
    const Mono now = at(number_at(each, "t"));
    take(now);
    const JobId id{row};
    row_of[id] = row;
    // A conversation is named by its first prompt. What found nothing in the cache began anew.
    const std::int64_t talk = integer_at(each, "talk", -1);
    if (talk < 0 || integer_at(each, "cached") <= 5) first_of[talk] = row;
    const std::uint64_t sequence = talk < 0 ? row : first_of[talk];
    runner.submit(job_of(row, sequence, static_cast<std::size_t>(integer_at(each, "prompt")),
                         static_cast<std::uint32_t>(integer_at(each, "out"))),
                  now);
  }
  take(at(1e6));
  return times;
}

class Measured : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(folder())) GTEST_SKIP() << "no measurements in " << folder();
  }
};

TEST_F(Measured, alone_prompt_and_decode_times_are_within_a_fifth_of_the_real_ones) {
  std::vector<double> prompt_errors, decode_errors;
  for (const Json& row : rows_of("llama-solo.jsonl", "solo")) {
    Runner runner = measured_runner(1);
    const auto cached = static_cast<std::size_t>(integer_at(row, "cached"));
    const auto size = static_cast<std::size_t>(integer_at(row, "prompt"));
    runner.submit(job_of(0, 7, std::max<std::size_t>(cached, 1), 0), Mono{});
    runner.advance(Mono{} + 1h);
    runner.submit(job_of(1, 7, size, static_cast<std::uint32_t>(integer_at(row, "out"))), Mono{} + 1h);
    const JobUsage usage = runner.advance(Mono{} + 2h).back().usage;
    ASSERT_EQ(usage.cached, cached);
    if (size - cached > 20)
      prompt_errors.push_back(std::abs(seconds(usage.prompt_time) * 1e3 / number_at(row, "prompt_ms") - 1));
    if (usage.answer > 8)
      decode_errors.push_back(std::abs(seconds(usage.answer_time) * 1e3 / number_at(row, "out_ms") - 1));
  }
  EXPECT_LT(median(prompt_errors), 0.10);
  EXPECT_LT(median(decode_errors), 0.10);
  EXPECT_LT(percentile(prompt_errors, 0.9), 0.20);
  EXPECT_LT(percentile(decode_errors, 0.9), 0.20);
}

TEST_F(Measured, streams_slow_one_another_as_they_really_do) {
  std::map<std::int64_t, std::vector<double>> real, model;
  for (std::int64_t rep = 0; rep < 2; ++rep) {
    for (std::int64_t streams = 1; streams <= 4; ++streams) {
      std::vector<Json> rows;
      for (const Json& row : rows_of("llama-batch.jsonl", "batch")) {
        if (integer_at(row, "k") == streams && integer_at(row, "rep") == rep && integer_at(row, "words") == 12)
          rows.push_back(row);
      }
      Runner runner = measured_runner(4);
      const std::vector<Times> times = replay(runner, rows);
      for (std::size_t i = 0; i < rows.size(); ++i) {
        if (integer_at(rows[i], "out") < 30) continue;
        const auto tokens = static_cast<double>(integer_at(rows[i], "out") - 1);
        real[streams].push_back((number_at(rows[i], "last") - number_at(rows[i], "first")) / tokens);
        model[streams].push_back((times[i].last - times[i].first) / tokens);
      }
    }
  }
  for (std::int64_t streams = 1; streams <= 4; ++streams) {
    EXPECT_NEAR(median(model[streams]) / median(real[streams]), 1, 0.25) << streams << " streams";
  }
}

TEST_F(Measured, a_long_prompt_holds_three_streams_as_long_as_it_really_did) {
  Runner runner = measured_runner(4);
  for (std::uint64_t id = 0; id < 3; ++id) runner.submit(job_of(id, id, 46, 120), Mono{});
  std::map<JobId, Mono> previous;
  Duration longest{};
  const auto take = [&](Mono now) {
    for (const RunnerEvent& event : runner.advance(now)) {
      if (event.kind != RunnerEvent::Kind::token) continue;
      if (previous.contains(event.job)) longest = std::max(longest, event.at - previous[event.job]);
      previous[event.job] = event.at;
    }
  };
  take(Mono{} + 1500ms);
  runner.submit(job_of(3, 3, 1'448, 8), Mono{} + 1500ms);
  take(Mono{} + 1h);
  EXPECT_NEAR(seconds(longest), 2.06, 0.15);
}

TEST_F(Measured, an_open_loop_of_conversations_ends_as_late_as_it_really_did) {
  // One run on one node: the conversations of the first rate go on in the second.
  std::vector<Json> rows;
  for (Json& row : rows_of("llama-mix.jsonl", "mix")) {
    if (integer_at(row, "out") > 0) rows.push_back(std::move(row));
  }
  ASSERT_GT(rows.size(), 100U);
  Runner runner = measured_runner(4);
  const std::vector<Times> times = replay(runner, rows);
  for (const double rate : {0.35, 0.7}) {
    std::vector<double> real_first, real_last, first, last, errors;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (number_at(rows[i], "rate") != rate) continue;
      real_first.push_back(number_at(rows[i], "first"));
      real_last.push_back(number_at(rows[i], "last"));
      first.push_back(times[i].first);
      last.push_back(times[i].last);
      errors.push_back(std::abs(times[i].last / number_at(rows[i], "last") - 1));
    }
    EXPECT_NEAR(percentile(last, 0.95) / percentile(real_last, 0.95), 1, 0.12) << "rate " << rate;
    EXPECT_NEAR(percentile(first, 0.95) / percentile(real_first, 0.95), 1, 0.20) << "rate " << rate;
    EXPECT_LT(median(errors), 0.15) << "rate " << rate;
  }
}

}  // namespace
}  // namespace drover::engine
