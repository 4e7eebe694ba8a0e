// What nodes say, honest and not.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "fleet/probe_answers.h"

namespace drover::fleet {
namespace {

// A captured answer of v0.34.4, with its odd bytes kept.
constexpr std::string_view kEntry =
    R"({"name":"Qwen3:8b","model":"Qwen3:8b","modified_at":"2026-08-22T10:00:00.5+02:00","size":5225388164,)"
    R"("digest":"500a1f067a9f782620b40bee6f7b0c89e17ae61f686b92c24933e4ca4b2b8b41","details":{"parent_model":"",)"
    R"("format":"gguf","family":"qwen3","families":["qwen3"],"parameter_size":"8.2B","quantization_level":"Q4_K_M",)"
    R"("context_length":40960,"embedding_length":4096},"capabilities":["completion","tools","\u003cnew\u003e"]})";

std::string tags_of(std::string_view entries) { return fmt::format(R"({{"models":[{}]}})", entries); }

std::string entry_named(std::string_view name) { return fmt::format(R"({{"name":"{}"}})", name); }

TEST(TagsAnswer, is_read_and_its_entries_are_kept_as_they_came) {
  const auto listing = parse_tags_answer(tags_of(kEntry)).value();
  ASSERT_EQ(listing.models.size(), 1U);
  const StoredModel& model = listing.models[0];
  EXPECT_EQ(model.name, "Qwen3:8b");
  EXPECT_EQ(model.key, "registry.ollama.ai/library/qwen3:8b");
  EXPECT_EQ(model.digest, "500a1f067a9f782620b40bee6f7b0c89e17ae61f686b92c24933e4ca4b2b8b41");
  EXPECT_EQ(model.size, Bytes{5225388164});
  EXPECT_EQ(model.modified.time_since_epoch(), std::chrono::milliseconds(1787385600500));
  EXPECT_TRUE(model.capabilities.known());
  EXPECT_TRUE(model.capabilities.has(Capability::tools));
  EXPECT_FALSE(model.capabilities.has(Capability::vision));
  EXPECT_EQ(model.entry, kEntry);
  EXPECT_EQ(listing.passed_over, 0U);
}

TEST(TagsAnswer, may_be_empty_null_or_spread_over_lines) {
  for (const auto* body : {R"({"models":[]})", R"({"models":null})", "\n{ \"models\" : [ ] }\n",
                           R"({"more":{"models":[1]},"models":[]})"}) {
    const auto listing = parse_tags_answer(body);
    ASSERT_TRUE(listing) << body;
    EXPECT_TRUE(listing->models.empty()) << body;
  }
  EXPECT_EQ(parse_tags_answer("{ \"models\": [ {\"name\": \"a:b\"} , {\"name\":\"c:d\"}\n]}")->models.size(), 2U);
}

TEST(TagsAnswer, that_is_none_is_an_error_of_the_node) {
  for (const auto* body : {"", "null", "[]", "{}", R"({"models":{}})", R"({"models":7})", R"({"models":[)",
                           R"({"models":[]} x)", R"({"models":[}])", R"({"models":"[]"})", "<html>", "{\"models\":[]",
                           R"({"models")", R"({"models":[{"name":"a:b"} {}]})"}) {
    const auto listing = parse_tags_answer(body);
    ASSERT_FALSE(listing) << body;
    EXPECT_EQ(listing.error().code, ErrorCode::protocol);
    EXPECT_EQ(listing.error().side, Side::upstream);
  }
}

TEST(TagsAnswer, passes_over_entries_that_make_no_sense_and_keeps_the_others) {
  for (const auto* entry : {"{}", "7", "null", "[]", R"({"name":7})", R"({"name":"a b:c"})", R"({"name":" a:b"})",
                            R"({"name":"a:b)"
                            "\x01"
                            R"("})",
                            R"({"name":"../../etc/passwd"})", R"({"name":"a:b","size":1e999})", R"({"name":"a:b"]})",
                            R"({"name":"a:b" "x"})", R"({"name":"\u0000"})"}) {
    const auto listing = parse_tags_answer(tags_of(fmt::format("{},{}", entry, kEntry)));
    if (!listing) continue;  // so broken that the rest cannot be trusted either
    EXPECT_EQ(listing->models.size(), 1U) << entry;
    EXPECT_EQ(listing->passed_over, 1U) << entry;
  }
  EXPECT_EQ(parse_tags_answer(tags_of(entry_named(std::string(300, 'a'))))->passed_over, 1U);
}

TEST(TagsAnswer, with_wrong_types_and_absurd_numbers_reads_as_unknown) {
  const auto listing = parse_tags_answer(
      tags_of(R"({"name":"a:b","size":-5,"digest":"../x","modified_at":7,"remote_host":{},"capabilities":{"a":1}})"));
  const StoredModel& model = listing->models.at(0);
  EXPECT_EQ(model.size, Bytes{});
  EXPECT_EQ(model.digest, "");
  EXPECT_EQ(model.modified, Wall{});
  EXPECT_EQ(model.remote_host, "");
  EXPECT_FALSE(model.capabilities.known());
}

TEST(TagsAnswer, counts_a_name_once_however_it_is_spelled) {
  const auto listing = parse_tags_answer(tags_of(R"({"name":"a:b","size":1},{"name":"A:B","size":2})"));
  ASSERT_EQ(listing->models.size(), 1U);
  EXPECT_EQ(listing->models[0].size, Bytes{1});
  EXPECT_EQ(listing->passed_over, 1U);
}

TEST(TagsAnswer, with_a_million_models_is_cut_at_the_bound) {
  std::string entries;
  for (int i = 0; i < 1'000'000; ++i)
    fmt::format_to(std::back_inserter(entries), R"({}{{"name":"m{}:x"}})", i ? "," : "", i);
  const auto listing = parse_tags_answer(tags_of(entries));
  EXPECT_EQ(listing->models.size(), kMaxModelsPerNode);
  EXPECT_EQ(listing->passed_over, 1'000'000 - kMaxModelsPerNode);
}

TEST(TagsAnswer, leaves_out_an_entry_above_the_bound) {
  const auto entry = [](std::size_t size) {
    const std::string head = R"({"name":"a:b","x":")";
    return head + std::string(size - head.size() - 2, 'x') + "\"}";
  };
  EXPECT_EQ(parse_tags_answer(tags_of(entry(kMaxEntryBytes)))->models.size(), 1U);
  EXPECT_EQ(parse_tags_answer(tags_of(entry(kMaxEntryBytes + 1)))->models.size(), 0U);
}

TEST(PsAnswer, tells_where_a_model_lies_and_for_how_long) {
  const auto listing = parse_ps_answer(
      R"({"models":[{"name":"a:b","model":"a:b","size":100,"digest":"","expires_at":"1970-01-01T00:00:02Z",)"
      R"("size_vram":60,"context_length":8192},{"name":"old:x","size":10,"size_vram":20}]})");
  ASSERT_EQ(listing->models.size(), 2U);
  const RunningModel& split = listing->models[0];
  EXPECT_EQ(split.size, Bytes{100});
  EXPECT_EQ(split.size_vram, Bytes{60});
  EXPECT_EQ(split.expires.time_since_epoch(), std::chrono::seconds(2));
  EXPECT_EQ(split.context_length, 8192U);
  // More in VRAM than there is: the node does not know. No time: for ever.
  const RunningModel& odd = listing->models[1];
  EXPECT_EQ(odd.size, Bytes{});
  EXPECT_EQ(odd.size_vram, Bytes{});
  EXPECT_EQ(odd.expires, Wall::max());
  EXPECT_EQ(odd.context_length, 0U);
}

TEST(PsAnswer, with_an_absurd_context_reads_as_unknown) {
  for (const auto* value : {"-1", "1e30", "\"8192\"", "18446744073709551615", "9223372036854775807"}) {
    const auto listing = parse_ps_answer(fmt::format(R"({{"models":[{{"name":"a:b","context_length":{}}}]}})", value));
    EXPECT_EQ(listing->models.at(0).context_length, 0U) << value;
  }
}

TEST(VersionAnswer, is_a_short_printable_text) {
  EXPECT_EQ(parse_version_answer(R"({"version":"0.34.4"})").value(), "0.34.4");
  for (const auto* body : {"", "{}", R"({"version":7})", R"({"version":""})", R"({"version":"a b"})",
                           R"({"version":"a\u0000"})", "Ollama is running"}) {
    EXPECT_FALSE(parse_version_answer(body)) << body;
  }
  EXPECT_TRUE(parse_version_answer(fmt::format(R"({{"version":"{}"}})", std::string(kMaxVersionBytes, '1'))));
  EXPECT_FALSE(parse_version_answer(fmt::format(R"({{"version":"{}"}})", std::string(kMaxVersionBytes + 1, '1'))));
}

TEST(Version, is_compared_number_by_number) {
  constexpr std::string_view kRising[] = {"0.0.0-dev", "", "0.9.0", "0.24.0-rc1", "v0.24.0", "0.34.4", "1", "1.0.1"};
  for (std::size_t i = 0; i < std::size(kRising); ++i) {
    for (std::size_t j = 0; j < std::size(kRising); ++j) {
      EXPECT_EQ(version_less(kRising[i], kRising[j]), i < j) << kRising[i] << " < " << kRising[j];
    }
  }
  EXPECT_FALSE(version_less("0.34", "0.34.0"));
  EXPECT_FALSE(version_less("0.34.4+cpu", "0.34.4"));
}

TEST(ShowAnswer, names_the_weights_by_the_first_from_line) {
  const std::string hex(64, 'a');
  const auto show = parse_show_answer(fmt::format(
      R"({{"thinking":{{"values":[false,true]}},"modelfile":"# Modelfile\n# FROM x:latest\n\nFROM /r/blobs/sha256-{}\n)"
      R"(FROM /r/blobs/sha256-{}\nTEMPLATE x","model_info":{{"general.architecture":"qwen3","qwen3.context_length":40960}},)"
      R"("capabilities":["embedding"],"modified_at":"1970-01-01T00:00:01Z"}})",
      hex, std::string(64, 'b')));
  EXPECT_EQ(show->weights, hex);
  EXPECT_EQ(show->trained_context, 40960U);
  EXPECT_TRUE(show->capabilities.embedding_only());
  EXPECT_EQ(show->modified.time_since_epoch(), std::chrono::seconds(1));
}

TEST(ShowAnswer, without_what_is_sought_reads_as_unknown) {
  for (const auto* body :
       {"{}", R"({"modelfile":"FROM x:latest\n"})", R"({"modelfile":7,"model_info":[],"capabilities":1})",
        R"({"modelfile":"FROM /x/sha256-abc"})", R"({"model_info":{"general.architecture":"x"}})"}) {
    const auto show = parse_show_answer(body);
    ASSERT_TRUE(show) << body;
    EXPECT_EQ(show->weights, "") << body;
    EXPECT_EQ(show->trained_context, 0U) << body;
    EXPECT_EQ(show->body, body);
  }
  for (const auto* body : {"", "[]", "{", "{} {}"}) EXPECT_FALSE(parse_show_answer(body)) << body;
}

TEST(ProbeAnswers, survive_any_bytes) {
  constexpr std::uint64_t kSeed = 1;
  Random random(kSeed);
  const std::string good = tags_of(fmt::format("{},{}", kEntry, entry_named("x:y")));
  for (int round = 0; round < 5000; ++round) {
    std::string body = good;
    for (std::uint64_t edits = random.below(8); edits > 0; --edits) {
      const auto at = random.below(body.size());
      if (random.chance(0.3)) {
        body.resize(at + 1);
      } else {
        body[at] = random.chance(0.5) ? "{}[]\",:\\"[random.below(8)] : static_cast<char>(random.next());
      }
    }
    const auto tags = parse_tags_answer(body);
    if (tags) EXPECT_LE(tags->models.size(), 100U) << "seed " << kSeed << " round " << round;
    // None may crash, whatever they say.
    (void)parse_ps_answer(body).has_value();
    (void)parse_show_answer(body).has_value();
    (void)parse_version_answer(body).has_value();
  }
  // Deep nesting costs nothing and is refused.
  const std::string deep = tags_of(std::string(100'000, '['));
  EXPECT_FALSE(parse_tags_answer(deep));
}

}  // namespace
}  // namespace drover::fleet
