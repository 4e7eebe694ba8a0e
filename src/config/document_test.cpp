#include <gtest/gtest.h>

#include "config/document.h"

namespace drover::config {
namespace {

TEST(Document, remembers_where_everything_stands) {
  const auto document = parse_document("a: 1\nlist:\n  - x: \"two\"\n  - ~\n", "f.yaml");
  ASSERT_TRUE(document);
  const auto& entries = document->root.entries;
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].value.text, "1");
  EXPECT_FALSE(entries[0].value.quoted);
  EXPECT_EQ(entries[0].value.place, (Place{1, 4, 1}));
  const Value& element = entries[1].value.list.at(0);
  EXPECT_EQ(element.entries.at(0).place, (Place{3, 5, 1}));
  EXPECT_EQ(element.entries.at(0).value.place, (Place{3, 8, 5}));
  EXPECT_TRUE(element.entries.at(0).value.quoted);
  EXPECT_EQ(entries[1].value.list.at(1).kind, Value::Kind::empty);
}

TEST(Document, may_be_empty_or_only_comments) {
  for (const auto* text : {"", "\n\n", "# nothing\n", "---\n", "~", "{}"}) {
    const auto document = parse_document(text, "f");
    ASSERT_TRUE(document) << text;
    EXPECT_TRUE(document->root.entries.empty()) << text;
  }
}

struct SyntaxCase {
  std::string_view text, message;
  std::size_t line;
};
constexpr SyntaxCase kSyntax[] = {
    {"a: [1, 2\n", "not YAML", 2},
    {"a: 1\n b: 2\n", "not YAML", 2},
    {"a: 1\n\tb: 2\n", "not YAML", 2},
    {"a: 1\nb: \"1\nc: 2\n", "never closed", 2},
    {"a: 'it''s\n", "never closed", 1},
    {"- a\n- b\n", "expected settings", 1},
    {"just text", "expected settings", 1},
    {"a: &x 1\nb: *x\n", "anchors are not used", 1},
    {"a: !!int 1\n", "tags are not used", 1},
    {"a: 1\n---\nb: 2\n", "more than one document", 0},
    {"? [a]\n: 1\n", "a key is plain text", 1},
    {"? {a: 1}\n: 1\n", "a key is plain text", 1},
    {"~: 1\n", "a key is missing", 1},
};

TEST(Document, that_is_wrong_is_one_fault_with_a_place) {
  for (const auto& test : kSyntax) {
    const auto document = parse_document(test.text, "f.yaml");
    ASSERT_FALSE(document) << test.text;
    EXPECT_EQ(document.error().code, "syntax");
    EXPECT_NE(document.error().message.find(test.message), std::string::npos) << test.text << document.error().message;
    EXPECT_EQ(document.error().line, test.line) << test.text;
  }
}

TEST(Document, takes_every_closed_quote) {
  for (const auto* text : {"a: \"x\"", "a: 'it''s'", "a: \"\\\"\"", "a: 'x\n  y'\n", "\"a\": 'b'", "a: |\n  it's \"\n",
                           "a: [\"x\"] # \""}) {
    EXPECT_TRUE(parse_document(text, "f")) << text;
  }
}

TEST(Document, has_bounds) {
  const auto nested = [](std::size_t depth) {
    return "a: " + std::string(depth - 1, '[') + std::string(depth - 1, ']');
  };
  EXPECT_TRUE(parse_document(nested(kMaxFileDepth), "f"));
  EXPECT_FALSE(parse_document(nested(kMaxFileDepth + 1), "f"));
  EXPECT_FALSE(parse_document(nested(100'000), "f"));
  EXPECT_TRUE(parse_document(std::string(kMaxFileBytes, '\n'), "f"));
  EXPECT_FALSE(parse_document(std::string(kMaxFileBytes + 1, '\n'), "f"));
  EXPECT_FALSE(parse_document(std::string_view("a: \0", 4), "f"));
}

TEST(SourceLine, is_shown_without_secrets_and_cut) {
  EXPECT_EQ(source_line("a\nb\r\nc", 2), "b");
  EXPECT_EQ(source_line("a\nb", 3), "");
  EXPECT_EQ(source_line("a", 0), "");
  EXPECT_EQ(source_line("url: http://me:secret@host:1 # x@y", 1), "url: http://*********@host:1 # x@y");
  EXPECT_EQ(source_line("a\x1b[31m\tb", 1), "a?[31m\tb");
  EXPECT_EQ(source_line(std::string(1000, 'x'), 1).size(), 203U);
}

}  // namespace
}  // namespace drover::config
