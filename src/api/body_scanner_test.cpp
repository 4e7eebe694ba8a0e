// What the scanner accepts, what it refuses and in which words; and that cutting a body anywhere changes nothing.
#include "api/body_scanner.h"

#include <gtest/gtest.h>

#include <ostream>

#include "api/reference_scanner.h"
#include "base/random.h"

namespace drover::api {

void PrintTo(const Understood& u, std::ostream* out) {
  *out << "{model \"" << u.model << "\" at " << u.model_value.offset << '+' << u.model_value.length << ", stream "
       << int(u.stream) << ", keep_alive " << int(u.keep_alive) << ", prompt " << int(u.prompt.presence)
       << ", messages " << int(u.messages.presence) << ", input " << int(u.input.presence) << ", options "
       << int(u.options.presence) << ", images " << u.has_images << ", tools " << int(u.tools.presence) << ", reload "
       << u.reload.all().size() << '}';
}

namespace {

using Outcome = std::expected<Understood, Refusal>;

Outcome scan(Route route, std::string_view body) {
  BodyScanner scanner(route);
  scanner.feed(body);
  return scanner.finish();
}

Outcome scan_bytewise(Route route, std::string_view body) {
  BodyScanner scanner(route);
  for (const char& c : body) {
    if (!scanner.feed({&c, 1})) break;
  }
  return scanner.finish();
}

Outcome scan_in_pieces(Route route, std::string_view body, Random& random) {
  BodyScanner scanner(route);
  while (!body.empty()) {
    const std::size_t size = std::min<std::size_t>(1 + random.below(40), body.size());
    const std::string piece(body.substr(0, size));  // its own memory, so that asan sees a read beyond it
    if (!scanner.feed(piece)) break;
    body.remove_prefix(size);
  }
  return scanner.finish();
}

std::string repeat(std::string_view text, std::size_t times) {
  std::string result;
  for (std::size_t i = 0; i < times; ++i) result += text;
  return result;
}

struct RefusedCase {
  std::string_view name;
  Route route;
  std::string body;
  Reason reason;
  std::string_view message;  // empty: not compared
};

void PrintTo(const RefusedCase& refused, std::ostream* out) { *out << refused.name; }

std::vector<RefusedCase> refused_cases() {
  using enum Route;
  using enum Reason;
  const std::string deep = R"({"a":)" + repeat("[", 100'000);
  return {
      {"row_65_a_routing_key_twice", chat, R"({"model":"a","model":"b"})", duplicate_key,
       R"(duplicate key "model" in the request's body)"},
      {"row_65_twice_in_other_case", chat, R"({"model":"a","MODEL":"b"})", duplicate_key, {}},
      {"row_65_twice_after_unescaping", chat, R"({"model":"a","\u006dodel":"b"})", duplicate_key, {}},
      {"row_65_twice_with_a_long_s", chat, "{\"stream\":true,\"\xc5\xbftream\":false}", duplicate_key, {}},
      {"row_65_twice_with_a_kelvin_sign",
       chat,
       "{\"keep_alive\":0,\"\xe2\x84\xaa"
       "eep_alive\":1}",
       duplicate_key,
       {}},
      {"row_65_twice_with_an_escaped_kelvin_sign", chat, R"({"keep_alive":0,"\u212aeep_alive":1})", duplicate_key, {}},
      {"row_65_null_and_a_value", generate, R"({"prompt":null,"prompt":"x"})", duplicate_key, {}},
      {"row_65_messages_twice", chat_completions, R"({"messages":[],"messages":[{}]})", duplicate_key, {}},
      {"row_65_a_reload_option_twice", chat, R"({"options":{"num_ctx":1,"num_ctx":2}})", duplicate_key, {}},
      {"row_65_a_reload_option_more_often_than_there_are_options",
       chat,
       R"({"options":{)" + repeat(R"("num_ctx":1,)", 1'000) + R"("num_ctx":1}})",
       duplicate_key,
       {}},
      {"row_65_shift_more_often_than_there_are_options",
       chat,
       "{" + repeat(R"("shift":true,)", 1'000) + R"("shift":true})",
       duplicate_key,
       {}},
      {"row_66_model_a_number", chat, R"({"model":1})", invalid_model, {}},
      {"row_66_model_null", chat, R"({"model":null})", invalid_model, {}},
      {"row_66_model_an_object", chat, R"({"model":{}})", invalid_model, {}},
      {"row_66_model_an_array", chat, R"({"model":["x"]})", invalid_model, {}},
      {"row_66_model_of_a_mebibyte", chat, R"({"model":")" + std::string(1 << 20, 'm') + R"("})", invalid_model, {}},
      {"row_66_model_of_257_bytes", chat, R"({"model":")" + std::string(257, 'm') + R"("})", invalid_model, {}},
      {"row_66_model_with_an_escaped_newline", chat, R"({"model":"a\nb"})", invalid_model, {}},
      {"row_66_model_with_nul", chat, R"({"model":"a\u0000b"})", invalid_model, {}},
      {"row_66_model_with_delete", chat, "{\"model\":\"a\x7f\"}", invalid_model, {}},
      {"row_66_model_with_a_c1_control", chat, R"({"model":"a\u0085"})", invalid_model, {}},
      {"row_66_model_with_a_line_separator", chat, R"({"model":"a\u2028"})", invalid_model, {}},
      {"row_66_model_with_half_a_pair", chat, R"({"model":"a\ud83d"})", invalid_model, {}},
      {"row_66_model_with_the_other_half", chat, R"({"model":"\ude00x"})", invalid_model, {}},
      {"row_66_model_with_a_half_before_a_character", chat, R"({"model":"\ud83d\u0041"})", invalid_model, {}},
      {"row_66_name_of_show_a_number", show, R"({"name":7})", invalid_model, {}},
      {"row_68_depth_65", chat, R"({"a":)" + repeat("[", 64) + repeat("]", 64) + "}", json_depth,
       "JSON nested deeper than 64"},
      {"row_68_depth_100000", chat, deep, json_depth, {}},
      {"row_68_objects_too", chat, repeat(R"({"a":)", 65) + "1" + repeat("}", 65), json_depth, {}},
      {"row_69_a_number_without_digits", chat, R"({"a":-})", json, "invalid character '}' in numeric literal"},
      {"row_69_a_leading_zero", chat, R"({"a":01})", json, "invalid character '1' after object key:value pair"},
      {"row_69_a_bare_point", chat, R"({"a":1.})", json,
       "invalid character '}' after decimal point in numeric literal"},
      {"row_69_a_bare_exponent", chat, R"({"a":1e})", json, "invalid character '}' in exponent of numeric literal"},
      {"row_69_a_plus", chat, R"({"a":+1})", json, "invalid character '+' looking for beginning of value"},
      {"row_69_infinity", chat, R"({"a":Infinity})", json, "invalid character 'I' looking for beginning of value"},
      {"row_70_a_lone_continuation_byte", chat, "{\"a\":\"\x80\"}", json, "invalid UTF-8 in string literal"},
      {"row_70_an_overlong_slash", chat, "{\"a\":\"\xc0\xaf\"}", json, {}},
      {"row_70_an_encoded_surrogate", chat, "{\"a\":\"\xed\xa0\x80\"}", json, {}},
      {"row_70_beyond_the_last_character", chat, "{\"a\":\"\xf4\x90\x80\x80\"}", json, {}},
      {"row_70_a_character_cut_by_the_quote", chat, "{\"a\":\"\xe2\x82\"}", json, {}},
      {"row_70_invalid_utf8_in_a_key", chat, "{\"\xff\":1}", json, {}},
      {"row_70_byte_order_mark", chat, "\xef\xbb\xbf{}", json,
       "invalid character '\xc3\xaf' looking for beginning of value"},
      {"row_70_utf16", chat, std::string("\xff\xfe{\0}\0", 6), json,
       "invalid character '\xc3\xbf' looking for beginning of value"},
      {"row_70_trailing_garbage", chat, R"({"model":"m"}x)", json, "invalid character 'x' after top-level value"},
      {"row_70_two_documents", chat, R"({"model":"m"}{"model":"n"})", json,
       "invalid character '{' after top-level value"},
      {"row_70_two_lines", chat, "{\"model\":\"m\"}\n{}", json, {}},
      {"row_70_empty_body_native", generate, "", json, "missing request body"},
      {"row_70_empty_body_openai", chat_completions, "", json, "EOF"},
      {"row_70_blanks_alone", chat, " \r\n\t", json, "missing request body"},
      {"row_70_cut_in_an_object", chat, R"({"model":"m")", json, "unexpected EOF"},
      {"row_70_cut_in_a_string", chat, R"({"model":"m)", json, "unexpected EOF"},
      {"row_70_cut_in_an_escape", chat, R"({"model":"\u00)", json, "unexpected EOF"},
      {"row_70_cut_in_a_literal", chat, R"({"stream":tru)", json, "unexpected EOF"},
      {"row_70_no_value", chat, R"({"model":})", json, "invalid character '}' looking for beginning of value"},
      {"row_70_no_colon", chat, R"({"model" "m"})", json, R"(invalid character '"' after object key)"},
      {"row_70_a_comma_too_many", chat, R"({"model":"m",})", json,
       "invalid character '}' looking for beginning of object key string"},
      {"row_70_a_comma_too_many_in_an_array", chat, R"({"a":[1,]})", json,
       "invalid character ']' looking for beginning of value"},
      {"row_70_no_comma_in_an_array", chat, R"({"a":[1 2]})", json, "invalid character '2' after array element"},
      {"row_70_the_wrong_bracket", chat, R"({"a":[1}})", json, "invalid character '}' after array element"},
      {"row_70_single_quotes", chat, "{'model':1}", json,
       R"(invalid character '\'' looking for beginning of object key string)"},
      {"row_70_a_newline_in_a_string", chat, "{\"a\":\"\n\"}", json, R"(invalid character '\n' in string literal)"},
      {"row_70_an_unknown_escape", chat, R"({"a":"\x"})", json, "invalid character 'x' in string escape code"},
      {"row_70_a_bad_hex_digit", chat, R"({"a":"\u00g0"})", json,
       R"(invalid character 'g' in \u hexadecimal character escape)"},
      {"row_70_a_misspelt_literal", chat, R"({"a":trve})", json,
       "invalid character 'v' in literal true (expecting 'u')"},
      {"row_77_an_array", chat, R"([{"model":"m"}])", json,
       "json: cannot unmarshal array into Go value of type api.ChatRequest"},
      {"row_77_a_string", generate, R"("model")", json,
       "json: cannot unmarshal string into Go value of type api.GenerateRequest"},
      {"row_77_a_number", embed, "12", json, "json: cannot unmarshal number into Go value of type api.EmbedRequest"},
      {"row_77_a_number_and_a_blank", embed, "12 ", json, {}},
      {"row_77_true", completions, "true", json,
       "json: cannot unmarshal bool into Go value of type openai.CompletionRequest"},
      {"row_77_null", show, "null", json, {}},
  };
}

class Refused : public testing::TestWithParam<RefusedCase> {};

TEST_P(Refused, with_its_reason_however_the_body_is_cut) {
  const RefusedCase& expected = GetParam();
  Random random(1);
  for (const Outcome& outcome : {scan(expected.route, expected.body), scan_bytewise(expected.route, expected.body),
                                 scan_in_pieces(expected.route, expected.body, random)}) {
    ASSERT_FALSE(outcome) << "accepted";
    EXPECT_EQ(slug(outcome.error().reason), slug(expected.reason)) << outcome.error().message;
    EXPECT_EQ(outcome.error().status, 400);
    if (!expected.message.empty()) {
      EXPECT_EQ(outcome.error().message, expected.message);
    }
  }
  const auto reference = reference_scan(expected.route, expected.body);
  ASSERT_FALSE(reference);
  EXPECT_EQ(slug(reference.error()), slug(expected.reason)) << "by the reference";
}

INSTANTIATE_TEST_SUITE_P(BodyScanner, Refused, testing::ValuesIn(refused_cases()),
                         [](const auto& info) { return std::string(info.param.name); });

// Accepts the body in every cut, equal to the reference.
Understood understand(Route route, std::string_view body) {
  const auto reference = reference_scan(route, body);
  Random random(2);
  for (const Outcome& outcome : {scan(route, body), scan_bytewise(route, body), scan_in_pieces(route, body, random)}) {
    EXPECT_TRUE(outcome) << outcome.error().message << " in " << body;
    EXPECT_TRUE(reference) << slug(reference.error()) << " in " << body;
    if (outcome && reference) {
      EXPECT_EQ(*outcome, *reference) << body;
    }
  }
  return reference.value_or(Understood{});
}

TEST(BodyScanner, finds_what_routing_needs) {
  const std::string_view body =
      R"({"model":"qwen3:8b","stream":false,"messages":[{"role":"user","content":"hi"}],"keep_alive":"5m",)"
      R"("tools":[{"type":"function"}],"options":{"temperature":1,"num_ctx":8192},"shift":true,"format":"json"})";
  const Understood found = understand(Route::chat, body);
  EXPECT_EQ(found.model, "qwen3:8b");
  EXPECT_EQ(found.model_key.of(body), R"("model")");
  EXPECT_EQ(found.model_value.of(body), R"("qwen3:8b")");
  EXPECT_EQ(found.stream, Switch::off);
  EXPECT_EQ(found.keep_alive, KeepAlive::other);
  EXPECT_EQ(found.keep_alive_value.of(body), R"("5m")");
  EXPECT_TRUE(found.messages.filled());
  EXPECT_EQ(found.messages.value.of(body), R"([{"role":"user","content":"hi"}])");
  EXPECT_TRUE(found.has_tools());
  EXPECT_FALSE(found.has_images);
  ASSERT_EQ(found.reload.all().size(), 2U);
  const ReloadSetting* const context = found.reload.find(ReloadOption::num_ctx);
  ASSERT_NE(context, nullptr);
  EXPECT_EQ(context->member.of(body), R"("num_ctx":8192)");
  EXPECT_EQ(context->value.of(body), "8192");
  EXPECT_EQ(found.reload.find(ReloadOption::shift)->member.of(body), R"("shift":true)");
  EXPECT_EQ(found.reload.find(ReloadOption::num_gpu), nullptr);
}

TEST(BodyScanner, row_65_one_case_variant_is_the_key) {
  EXPECT_EQ(understand(Route::chat, R"({"MoDeL":"a"})").model, "a");
  EXPECT_EQ(understand(Route::chat, R"({"\u004dodel":"a"})").model, "a");
  EXPECT_EQ(understand(Route::chat, "{\"\xc5\xbftream\":true}").stream, Switch::on);
  EXPECT_EQ(understand(Route::chat,
                       "{\"\xe2\x84\xaa"
                       "eep_alive\":0}")
                .keep_alive,
            KeepAlive::zero);
}

TEST(BodyScanner, row_65_options_match_in_exact_case_and_only_inside_options) {
  EXPECT_EQ(understand(Route::chat, R"({"options":{"num_ctx":1,"NUM_CTX":2}})").reload.all().size(), 1U);
  EXPECT_EQ(understand(Route::chat, R"({"num_ctx":1,"num_ctx":2,"x":{"num_gpu":1}})").reload.all().size(), 0U);
}

TEST(BodyScanner, takes_unknown_and_inner_keys_as_often_as_they_come) {
  understand(Route::chat, R"({"seed":1,"seed":2,"messages":[{"model":"x","model":"y","stream":1,"stream":2}]})");
}

TEST(BodyScanner, row_66_accepts_models_of_other_engines) {
  for (const std::string_view model : {"org/Model-7B@main",
                                       "m\xc3\xb6"
                                       "del",
                                       "a b", "\xf0\x9f\xa6\x99"}) {
    EXPECT_EQ(understand(Route::chat, std::string(R"({"model":")") + std::string(model) + R"("})").model, model);
  }
  EXPECT_EQ(understand(Route::chat, R"({"model":"\ud83e\udd99"})").model, "\xf0\x9f\xa6\x99");
  EXPECT_EQ(understand(Route::chat, R"({"model":")" + std::string(256, 'm') + R"("})").model.size(), 256U);
}

TEST(BodyScanner, row_66_tells_an_empty_model_from_none) {
  EXPECT_EQ(understand(Route::generate, R"({"model":""})").model_value.length, 2U);
  EXPECT_EQ(understand(Route::generate, "{}").model_value.length, 0U);
}

TEST(BodyScanner, name_stands_for_an_empty_model_on_show_alone) {
  EXPECT_EQ(understand(Route::show, R"({"name":"n"})").model, "n");
  EXPECT_EQ(understand(Route::show, R"({"name":"n","model":""})").model, "n");
  EXPECT_EQ(understand(Route::show, R"({"name":"n","model":"m"})").model, "m");
  EXPECT_EQ(understand(Route::chat, R"({"name":"n"})").model, "");
  EXPECT_EQ(understand(Route::chat, R"({"name":7,"model":"m"})").model, "m");
}

TEST(BodyScanner, row_68_accepts_depth_64) {
  understand(Route::chat, R"({"a":)" + repeat("[", 63) + repeat("]", 63) + "}");
}

TEST(BodyScanner, row_69_passes_any_number_as_it_is) {
  understand(Route::chat, R"({"a":[1e1000000,-0,0.0e-0,123456789012345678901234567890]})");
  const std::string digits(10'000'000, '7');
  EXPECT_TRUE(scan(Route::chat, R"({"a":)" + digits + "}"));
}

TEST(BodyScanner, row_70_passes_every_character_and_half_pairs_outside_the_model) {
  understand(Route::chat,
             "{\"a\":\"\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"}");
  understand(Route::chat, R"({"a":"\ud800","b":"\udfff\ud800x"})");
}

TEST(BodyScanner, row_64_finds_a_model_behind_fifty_megabytes_of_images_without_keeping_them) {
  const std::string image(1 << 20, 'A');
  BodyScanner scanner(Route::generate);
  ASSERT_TRUE(scanner.feed(R"({"prompt":"what is this?","images":[)"));
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(scanner.feed(i == 0 ? "\"" : ",\""));
    ASSERT_TRUE(scanner.feed(image));
    ASSERT_TRUE(scanner.feed("\""));
  }
  ASSERT_TRUE(scanner.feed(R"(],"model":"llava"})"));
  const auto found = scanner.finish();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->model, "llava");
  EXPECT_TRUE(found->has_images);
  EXPECT_LE(sizeof(BodyScanner), 2048U) << "all the memory it has";
}

struct KeepAliveCase {
  std::string_view value;
  KeepAlive meaning;
};
constexpr KeepAliveCase kKeepAlives[] = {
    {"null", KeepAlive::absent},
    {"0", KeepAlive::zero},
    {R"("0")", KeepAlive::zero},
    {R"("0s")", KeepAlive::zero},
    {R"("-0h0m")", KeepAlive::zero},
    {"0.0", KeepAlive::zero},
    {"-0", KeepAlive::zero},
    {"0e5", KeepAlive::zero},
    {"1e-400", KeepAlive::zero},
    {"1e-10", KeepAlive::zero},
    {"1e-9", KeepAlive::other},
    {"300", KeepAlive::other},
    {"0.5", KeepAlive::other},
    {"-1", KeepAlive::other},
    {R"("-1m")", KeepAlive::other},
    {R"("5m")", KeepAlive::other},
    {R"("1h30m")", KeepAlive::other},
    {R"("250ms")", KeepAlive::other},
    {R"("\u0035m")", KeepAlive::other},
    {R"("300")", KeepAlive::invalid},
    {R"("")", KeepAlive::invalid},
    {R"("-1")", KeepAlive::invalid},
    {R"("5 m")", KeepAlive::invalid},
    {"true", KeepAlive::invalid},
    {"{}", KeepAlive::invalid},
    {"[0]", KeepAlive::invalid},
    {"1e400", KeepAlive::invalid},
    {"-1e400", KeepAlive::invalid},
};

TEST(BodyScanner, reads_keep_alive_as_the_node_does) {
  for (const auto& [value, meaning] : kKeepAlives) {
    const std::string body = R"({"keep_alive":)" + std::string(value) + "}";
    EXPECT_EQ(understand(Route::generate, body).keep_alive, meaning) << value;
    EXPECT_EQ(understand(Route::completions, body).keep_alive, KeepAlive::absent) << value;
  }
}

TEST(BodyScanner, tells_absent_empty_and_wrong_apart) {
  EXPECT_EQ(understand(Route::generate, R"({"prompt":null})").prompt.presence, Presence::absent);
  EXPECT_EQ(understand(Route::generate, R"({"prompt":""})").prompt.presence, Presence::empty);
  EXPECT_EQ(understand(Route::generate, R"({"prompt":" "})").prompt.presence, Presence::filled);
  EXPECT_EQ(understand(Route::generate, R"({"prompt":[]})").prompt.presence, Presence::wrong_type);
  EXPECT_EQ(understand(Route::chat, R"({"messages":[ ]})").messages.presence, Presence::empty);
  EXPECT_EQ(understand(Route::chat, R"({"messages":{}})").messages.presence, Presence::wrong_type);
  EXPECT_EQ(understand(Route::embed, R"({"input":""})").input.presence, Presence::empty);
  EXPECT_EQ(understand(Route::openai_embeddings, R"({"input":""})").input.presence, Presence::filled);
  EXPECT_EQ(understand(Route::openai_embeddings, R"({"input":[]})").input.presence, Presence::empty);
  EXPECT_EQ(understand(Route::chat, R"({"stream":"yes"})").stream, Switch::wrong_type);
  EXPECT_EQ(understand(Route::chat, R"({"stream":null})").stream, Switch::absent);
  EXPECT_EQ(understand(Route::completions, R"({"stream_options":{"include_usage":true}})").include_usage, Switch::on);
}

TEST(BodyScanner, sees_images_in_either_dialect) {
  EXPECT_TRUE(understand(Route::generate, R"({"images":["aGk="]})").has_images);
  EXPECT_FALSE(understand(Route::generate, R"({"images":[]})").has_images);
  EXPECT_TRUE(understand(Route::chat, R"({"messages":[{"role":"user"},{"images":["x"]}]})").has_images);
  EXPECT_TRUE(understand(Route::chat_completions,
                         R"({"messages":[{"content":[{"type":"text"},{"image_url":{"url":"data:"}}]}]})")
                  .has_images);
  EXPECT_FALSE(understand(Route::chat, R"({"messages":[{"tool_calls":[{"function":{"images":["x"]}}]}]})").has_images);
}

TEST(BodyScanner, openai_routes_have_no_reload_options) {
  const Understood found = understand(Route::chat_completions, R"({"options":{"num_ctx":1},"shift":false})");
  EXPECT_TRUE(found.reload.all().empty());
  EXPECT_EQ(found.options.presence, Presence::absent);
}

// Random bodies, some of them broken. Values and keys come from lists in which every branch is well represented.
class BodyWriter {
 public:
  explicit BodyWriter(Random& random) : random_(random) {}

  std::string body() {
    std::string text = object(0, true);
    if (random_.chance(0.1)) text = blanks() + text + blanks();
    if (random_.chance(0.3)) damage(text);
    return text;
  }

 private:
  template <std::size_t N>
  std::string_view one_of(const std::string_view (&list)[N]) {
    return list[random_.below(N)];
  }
  std::string blanks() {
    static constexpr std::string_view kBlanks[] = {"", "", "", " ", "\n", "\t ", "\r\n  "};
    return std::string(one_of(kBlanks));
  }
  std::string object(std::size_t depth, bool body) {
    static constexpr std::string_view kKeys[] = {
        "model", "Model",  "name",  "stream", "\xc5\xbftream", "keep_alive",     "options", "prompt", "messages",
        "input", "images", "tools", "format", "think",         "stream_options", "verbose", "system", "template",
        "shift", "a",      "bb",    "seed",   "\\u006dodel"};
    static constexpr std::string_view kInner[] = {"num_ctx",       "num_gpu",   "NUM_CTX",   "use_mmap",
                                                  "include_usage", "images",    "content",   "role",
                                                  "done",          "image_url", "num_batch", ""};
    std::string text = "{";
    const std::size_t count = random_.below(body ? 7 : 4);
    for (std::size_t i = 0; i < count; ++i) {
      if (i > 0) text += ",";
      const std::string_view key = body || random_.chance(0.1) ? one_of(kKeys) : one_of(kInner);
      text += blanks() + "\"" + std::string(key) + "\"" + blanks() + ":" + blanks() + value(depth + 1) + blanks();
    }
    return text + "}";
  }
  std::string value(std::size_t depth) {
    static constexpr std::string_view kScalars[] = {
        "null",
        "true",
        "false",
        "0",
        "-0",
        "12",
        "1.5e3",
        "1e-10",
        "\"\"",
        "\"5m\"",
        "\"0s\"",
        "\"m:8b\"",
        "\"x\\n\"",
        "\"\\ud83d\\ude00\"",
        "\"\\ud83d\"",
        "\"\xe2\x82\xac and \xf0\x9f\xa6\x99\"",
        "\"\\u212a\"",
        "\"\\u0000\"",
        "\"a long text without anything in it, so that the fast loop has something to do\"",
        "\"\x7f\""};
    if (depth > 5 || random_.chance(0.6)) return std::string(one_of(kScalars));
    if (random_.chance(0.5)) return object(depth, false);
    std::string text = "[";
    const std::size_t count = random_.below(4);
    for (std::size_t i = 0; i < count; ++i) text += (i > 0 ? "," : "") + blanks() + value(depth + 1) + blanks();
    return text + "]";
  }
  void damage(std::string& text) {
    const std::size_t at = random_.below(text.size());
    switch (random_.below(4)) {
      case 0: text.resize(at); break;
      case 1: text[at] = static_cast<char>(random_.below(256)); break;
      case 2: text.erase(at, 1); break;
      default: text.insert(at, 1, "{}[],:\"\\0eE.-x\xff"[random_.below(15)]);
    }
  }

  Random& random_;
};

TEST(BodyScanner, agrees_with_the_reference_on_random_bodies_in_random_pieces) {
  constexpr Route kRoutes[] = {Route::generate, Route::chat, Route::show, Route::openai_embeddings};
  constexpr std::uint64_t kSeed = 20261121;
  Random random(kSeed);
  BodyWriter writer(random);
  std::size_t accepted = 0;
  for (int i = 0; i < 20'000; ++i) {
    const Route route = kRoutes[random.below(4)];
    const std::string body = writer.body();
    const auto reference = reference_scan(route, body);
    accepted += reference ? 1U : 0U;
    for (const Outcome& outcome :
         {scan(route, body), scan_bytewise(route, body), scan_in_pieces(route, body, random)}) {
      ASSERT_EQ(outcome.has_value(), reference.has_value())
          << "seed " << kSeed << ", body " << i << ": " << body
          << "\nscanner: " << (outcome ? "accepts" : outcome.error().message)
          << "\nreference: " << (reference ? "accepts" : slug(reference.error()));
      if (outcome) {
        ASSERT_EQ(*outcome, *reference) << "seed " << kSeed << ", body " << i << ": " << body;
      }
    }
  }
  EXPECT_GT(accepted, 5'000U) << "too few good bodies to mean anything";
}

}  // namespace
}  // namespace drover::api
