#pragma once
// `--name value` arguments of the two tools; the first argument may be a word without dashes. A mistake ends the
// program with 2, `--help` with 0: these are tools of ours, started by programs of ours.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace drover::bench {

class Arguments {
 public:
  // `help` is printed for --help and names every argument that the program asks for.
  Arguments(int count, char** values, std::string_view help);

  const std::string& word() const { return word_; }
  std::string text(std::string_view name, std::string_view otherwise);
  // Whole, from `least` to `most`.
  std::uint64_t number(std::string_view name, std::uint64_t otherwise, std::uint64_t least, std::uint64_t most);
  // Seconds, or part of one, as nanoseconds; at most an hour.
  std::int64_t seconds(std::string_view name, double otherwise);
  bool flag(std::string_view name);
  std::vector<std::string> all(std::string_view name);  // of an argument that may be given several times
  // Ends the program if an argument was given that nobody asked for.
  void check_all_used() const;
  [[noreturn]] void fail(std::string_view message) const;

 private:
  struct Given {
    std::vector<std::string> values;
    bool used = false;
  };
  Given* find(std::string_view name);

  std::string word_;
  std::map<std::string, Given, std::less<>> given_;
};

}  // namespace drover::bench
