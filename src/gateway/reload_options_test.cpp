// Which options make a node load a model anew, and how a load says them.
#include "gateway/reload_options.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "api/body_scanner.h"

namespace drover::gateway {
namespace {

ReloadOptions read(std::string_view body) {
  api::BodyScanner scanner(api::Route::chat);
  scanner.feed(body);
  const auto understood = scanner.finish();
  EXPECT_TRUE(understood) << body;
  return understood ? reload_options(*understood, body) : ReloadOptions{};
}

struct TokensCase {
  std::string_view num_ctx;
  std::uint64_t tokens;
  std::string_view members;  // of a load with them
};
constexpr TokensCase kTokens[] = {
    {"8192", 8192, R"(,"options":{"num_ctx":8192})"},
    {"8192.0", 8192, R"(,"options":{"num_ctx":8192})"},
    {"8192.9", 8192, R"(,"options":{"num_ctx":8192})"},
    {"1e4", 10'000, R"(,"options":{"num_ctx":10000})"},
    {"1", 1, R"(,"options":{"num_ctx":1})"},
    {"2147483647", 2'147'483'647, R"(,"options":{"num_ctx":2147483647})"},
    // No number of tokens: an option like others.
    {"2147483648", 0, R"(,"options":{"num_ctx":2147483648})"},
    {"1e400", 0, R"(,"options":{"num_ctx":1e400})"},
    {"0", 0, R"(,"options":{"num_ctx":0})"},
    {"0.5", 0, R"(,"options":{"num_ctx":0.5})"},
    {"-1", 0, R"(,"options":{"num_ctx":-1})"},
    // The node refuses the request.
    {R"("8192")", 0, ""},
    {"null", 0, ""},
    {"[8192]", 0, ""},
};

TEST(ReloadOptions, read_a_context_as_the_node_does) {
  for (const auto& [num_ctx, tokens, members] : kTokens) {
    const ReloadOptions options = read(fmt::format(R"({{"options":{{"num_ctx":{}}}}})", num_ctx));
    EXPECT_EQ(options.need.context, tokens) << num_ctx;
    EXPECT_EQ(options.need.fingerprint != 0, tokens == 0 && !members.empty()) << num_ctx;
    EXPECT_EQ(load_members(options, options.need.context), members) << num_ctx;
  }
}

TEST(ReloadOptions, other_options_are_one_need_in_whatever_order) {
  const ReloadOptions one = read(R"({"options":{"num_gpu":1,"num_ctx":512,"use_mmap":true},"shift":false})");
  const ReloadOptions same = read(R"({"shift":false,"options":{"use_mmap":true,"num_gpu":1}})");
  const ReloadOptions other = read(R"({"options":{"use_mmap":true,"num_gpu":2}})");
  EXPECT_EQ(one.need.fingerprint, same.need.fingerprint);
  EXPECT_NE(one.need.fingerprint, other.need.fingerprint);
  EXPECT_EQ(load_members(one, 512), R"(,"options":{"num_gpu":1,"use_mmap":true,"num_ctx":512},"shift":false)");
  EXPECT_EQ(load_members(same, 0), R"(,"options":{"num_gpu":1,"use_mmap":true},"shift":false)");
  EXPECT_EQ(load_members(read(R"({"shift":true,"options":{"seed":1}})"), 0), "");
  EXPECT_EQ(load_members(read(R"({"shift":false})"), 0), R"(,"shift":false)");
}

}  // namespace
}  // namespace drover::gateway
