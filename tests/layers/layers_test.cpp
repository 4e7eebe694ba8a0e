// The arrows of the architecture: a file includes its own folder and the folders above it in the list, never below; and
// the pure layers touch no clock, no random source, no thread and no socket.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

const fs::path kSource = DROVER_SOURCE_DIR "/src";

// Top to bottom. Layers in one row do not include one another.
const std::vector<std::vector<std::string>> kLayers = {
    {"base"},   {"net"},       {"http"},    {"wire"},  {"api"},     {"traces"}, {"gpu"},     {"fleet"},
    {"engine"}, {"calibrate"}, {"balance"}, {"guard"}, {"observe"}, {"config"}, {"gateway"}, {"agent", "sim", "plan"},
    {"load"},   {"replay"},    {"world"},   {"cli"}};

int row_of(const std::string& layer) {
  for (std::size_t row = 0; row < kLayers.size(); ++row) {
    for (const auto& name : kLayers[row]) {
      if (name == layer) return static_cast<int>(row);
    }
  }
  return -1;
}

struct SourceFile {
  fs::path path;
  std::string layer;
  std::vector<std::string> lines;
};

std::vector<SourceFile> source_files() {
  std::vector<SourceFile> files;
  for (const auto& entry : fs::recursive_directory_iterator(kSource)) {
    if (entry.path().extension() != ".h" && entry.path().extension() != ".cpp") continue;
    SourceFile file{entry.path(), (*fs::relative(entry.path(), kSource).begin()).string(), {}};
    std::ifstream in(entry.path());
    for (std::string line; std::getline(in, line);) file.lines.push_back(line);
    files.push_back(std::move(file));
  }
  return files;
}

std::string place(const SourceFile& file, std::size_t line) {
  return fs::relative(file.path, kSource.parent_path()).string() + ":" + std::to_string(line + 1);
}

TEST(Layers, every_folder_is_in_the_list) {
  for (const auto& entry : fs::directory_iterator(kSource)) {
    if (entry.is_directory()) EXPECT_GE(row_of(entry.path().filename().string()), 0) << entry.path();
  }
}

TEST(Layers, no_include_points_down_or_sideways) {
  const std::regex include(R"(^\s*#include\s+"([a-z_]+)/)");
  std::size_t includes = 0;
  for (const SourceFile& file : source_files()) {
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      std::smatch match;
      if (!std::regex_search(file.lines[i], match, include)) continue;
      ++includes;
      const std::string target = match[1];
      if (target == file.layer) continue;
      EXPECT_GE(row_of(target), 0) << place(file, i) << ": no layer of this name";
      EXPECT_LT(row_of(target), row_of(file.layer))
          << place(file, i) << ": " << file.layer << " may not include " << target;
    }
  }
  EXPECT_GT(includes, 100U) << "the test reads no files";
}

TEST(Layers, pure_layers_read_no_clock_and_no_chance_and_start_no_thread) {
  const std::vector<std::string> pure = {"http",   "api",       "traces",  "gpu",  "fleet",
                                         "engine", "calibrate", "balance", "guard"};
  const std::regex banned(
      R"((system_clock|steady_clock|high_resolution_clock)::now|random_device|\brand\(|std::(thread|mutex|jthread)\b|\bgetenv\b|clock_gettime|net/(loop|stream|network|linux))");
  for (const SourceFile& file : source_files()) {
    if (std::find(pure.begin(), pure.end(), file.layer) == pure.end()) continue;
    const std::string name = file.path.filename().string();
    if (name.ends_with("_test.cpp") || name.ends_with("_bench.cpp") || name.ends_with("_fuzz.cpp")) continue;
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      EXPECT_FALSE(std::regex_search(file.lines[i], banned)) << place(file, i) << ": " << file.lines[i];
    }
  }
}

}  // namespace
