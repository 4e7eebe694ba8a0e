// Slow, broken and vanishing sinks: nobody waits, and what is lost is counted.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "observe/line_writer.h"

namespace drover::observe {
namespace {

using namespace std::chrono_literals;

// A folder of the test's own.
class LineWriterTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "drover-lines-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string path(std::string_view name) const { return (folder_ / name).string(); }

  std::string content(std::string_view name) const {
    std::ifstream file(path(name));
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }

  std::filesystem::path folder_;
};

struct Pipe {
  Pipe() { EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0); }
  ~Pipe() { close_reader(); }
  int writer() const { return ends[1]; }
  void close_reader() {
    if (ends[0] >= 0) ::close(std::exchange(ends[0], -1));
  }
  std::string read_all() const {
    std::string text;
    char buffer[4096];
    for (ssize_t got = 0; (got = ::read(ends[0], buffer, sizeof buffer)) > 0;) {
      text.append(buffer, static_cast<std::size_t>(got));
    }
    return text;
  }
  int ends[2] = {-1, -1};
};

TEST_F(LineWriterTest, what_was_written_is_in_the_file_when_the_writer_is_gone) {
  {
    const auto writer = LineWriter::to_file(path("log"), {}).value();
    EXPECT_TRUE(writer->write("one\n"));
    EXPECT_TRUE(writer->write("two\n"));
  }
  EXPECT_EQ(content("log"), "one\ntwo\n");
  // A second run appends.
  LineWriter::to_file(path("log"), {}).value()->write("three\n");
  EXPECT_EQ(content("log"), "one\ntwo\nthree\n");
}

TEST_F(LineWriterTest, flush_waits_until_the_lines_are_out) {
  const auto writer = LineWriter::to_file(path("log"), {.batch = 1h}).value();
  writer->flush(10s);
  writer->write("one\n");
  writer->flush(10s);
  EXPECT_EQ(content("log"), "one\n");
}

TEST_F(LineWriterTest, reopen_goes_on_in_a_new_file_after_rotation) {
  const auto writer = LineWriter::to_file(path("log"), {}).value();
  writer->write("old\n");
  writer->flush(10s);
  std::filesystem::rename(path("log"), path("log.1"));
  writer->write("still old\n");
  writer->reopen();
  writer->flush(10s);
  writer->write("new\n");
  writer->flush(10s);
  EXPECT_EQ(content("log.1"), "old\nstill old\n");
  EXPECT_EQ(content("log"), "new\n");
}

TEST_F(LineWriterTest, reopen_that_fails_keeps_the_old_file) {
  std::filesystem::create_directory(path("sub"));
  const auto writer = LineWriter::to_file(path("sub/log"), {}).value();
  std::filesystem::rename(path("sub"), path("moved"));
  writer->reopen();
  writer->write("kept\n");
  writer->flush(10s);
  EXPECT_EQ(content("moved/log"), "kept\n");
}

TEST_F(LineWriterTest, a_file_that_cannot_be_opened_is_an_error_that_names_it) {
  const auto writer = LineWriter::to_file(path("absent/log"), {});
  ASSERT_FALSE(writer);
  EXPECT_EQ(writer.error().code, ErrorCode::system);
  EXPECT_NE(writer.error().detail.find("absent/log"), std::string::npos);
}

TEST(LineWriter, a_sink_that_hangs_stops_nobody_and_the_loss_is_counted) {
  const Pipe pipe;  // takes 64 KiB, then nothing: nobody reads
  const std::string line = std::string(1023, 'x') + "\n";
  constexpr std::uint64_t kLines = 1000;
  std::uint64_t refused = 0;
  {
    const auto writer = LineWriter::to_descriptor(pipe.writer(), {.buffer = 256_KiB, .batch = 1ms, .stop_grace = 10ms});
    for (std::uint64_t i = 0; i < kLines; ++i) refused += writer->write(line) ? 0 : 1;
    EXPECT_GT(refused, kLines / 3);
    EXPECT_EQ(writer->dropped(), refused);
    // It ends although the sink still hangs.
  }
  const std::string arrived = pipe.read_all();
  EXPECT_LE(arrived.size(), 64U * 1024);
}

TEST(LineWriter, lines_are_never_torn_by_other_threads) {
  const Pipe pipe;
  constexpr int kThreads = 4, kLines = 2000;
  std::string arrived;
  std::thread reader([&] { arrived = pipe.read_all(); });
  {
    const auto writer = LineWriter::to_descriptor(pipe.writer(), {.batch = 1ms, .stop_grace = 60s});
    std::vector<std::thread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&writer, thread] {
        for (int i = 0; i < kLines; ++i) writer->write(fmt::format("{}:{:04}\n", thread, i));
      });
    }
    for (auto& thread : threads) thread.join();
  }
  reader.join();
  ASSERT_EQ(arrived.size(), kThreads * kLines * 7U);
  std::array<int, kThreads> next{};
  for (std::size_t at = 0; at < arrived.size(); at += 7) {
    const int thread = arrived[at] - '0';
    ASSERT_EQ(arrived.substr(at, 7), fmt::format("{}:{:04}\n", thread, next.at(static_cast<std::size_t>(thread))++));
  }
}

TEST(LineWriter, a_reader_that_left_costs_lines_and_nothing_else) {
  Pipe pipe;
  const auto writer = LineWriter::to_descriptor(pipe.writer(), {.batch = 1ms});
  pipe.close_reader();
  writer->write("one\n");
  writer->write("two\n");
  writer->flush(10s);
  EXPECT_EQ(writer->dropped(), 2U);
}

TEST(LineWriter, a_full_disk_costs_lines_and_nothing_else) {
  const auto writer = LineWriter::to_file("/dev/full", {.batch = 1ms}).value();
  EXPECT_TRUE(writer->write("one\n"));
  writer->flush(10s);
  EXPECT_TRUE(writer->write("two\n"));
  writer->flush(10s);
  EXPECT_EQ(writer->dropped(), 2U);
}

TEST(LineWriter, takes_what_fits_exactly_and_no_byte_more) {
  const Pipe pipe;
  const auto writer = LineWriter::to_descriptor(pipe.writer(), {.buffer = Bytes{8}, .batch = 1h, .stop_grace = 10s});
  EXPECT_FALSE(writer->write("123456789\n"));
  EXPECT_TRUE(writer->write("1234567\n"));
  EXPECT_EQ(writer->dropped(), 1U);
}

}  // namespace
}  // namespace drover::observe
