// Addresses of nodes as people write them, and content types.
#include "http/url.h"

#include <gtest/gtest.h>

#include <string>

#include "http/host.h"
#include "http/media_type.h"

namespace drover::http {
namespace {

TEST(BaseUrl, reads_every_form_that_ollama_host_has) {
  struct UrlCase {
    std::string_view text, url;
  };
  // The second column always states the port, so that each default shows.
  constexpr UrlCase kCases[] = {
      {"", "http 127.0.0.1 11434"},
      {"1.2.3.4", "http 1.2.3.4 11434"},
      {":1234", "http 127.0.0.1 1234"},
      {"1.2.3.4:1234", "http 1.2.3.4 1234"},
      {"Example.com", "http example.com 11434"},
      {"ollama_1:80", "http ollama_1 80"},
      {"[::1]", "http ::1 11434"},
      {"::1", "http ::1 11434"},
      {"[::1]:1337", "http ::1 1337"},
      {" \" 1.2.3.4 \" ", "http 1.2.3.4 11434"},
      {"'1.2.3.4'", "http 1.2.3.4 11434"},
      {"http://1.2.3.4", "http 1.2.3.4 80"},
      {"http://1.2.3.4:4321", "http 1.2.3.4 4321"},
      {"HTTPS://1.2.3.4", "https 1.2.3.4 443"},
      {"https://example.com/ollama/", "https example.com 443 /ollama"},
      {"http://gpu:8000/a/b", "http gpu 8000 /a/b"},
      {"http://gpu/", "http gpu 80"},
      {"gpu:8000/v", "http gpu 8000 /v"},
  };
  for (const auto& [text, expected] : kCases) {
    const auto url = parse_base_url(text);
    ASSERT_TRUE(url) << text << ": " << url.error().detail;
    std::string seen = (url->scheme == Scheme::http ? "http " : "https ") + url->host + " " + std::to_string(url->port);
    if (!url->path.empty()) seen += " " + url->path;
    EXPECT_EQ(seen, expected) << text;
  }
}

TEST(BaseUrl, refuses_what_it_cannot_dial) {
  for (const auto* text : {"ftp://a",     "http://",       "http:///x",   "a:0",        "a:65536",
                           "a:-1",        "a:b",           "a b",         ":",          "[::1",
                           "[::1]x",      "[x]",           "a?b",         "http://a?b", "http://a/x?y",
                           "http://a/#f", "http://a/../b", "http://a//b", "a\\b",       "http://a/%2e%2e"}) {
    EXPECT_FALSE(parse_base_url(text)) << text;
  }
}

TEST(BaseUrl, never_repeats_a_password) {
  const auto url = parse_base_url("http://user:s3cret@a");
  ASSERT_FALSE(url);
  EXPECT_EQ(url.error().detail.find("s3cret"), std::string::npos);
  EXPECT_EQ(url.error().code, ErrorCode::config);
}

TEST(BaseUrl, is_written_as_it_is_read) {
  for (const auto* text : {"http://a:11434", "https://a", "http://[::1]:11434/x", "http://a"}) {
    const auto url = parse_base_url(text).value();
    EXPECT_EQ(to_text(url), text);
    EXPECT_EQ(parse_base_url(to_text(url)).value(), url);
  }
  EXPECT_EQ(authority(parse_base_url("[::1]").value()), "[::1]:11434");
}

TEST(Authority, tells_host_from_port) {
  const auto place = parse_authority("[fe80::1]:80");
  ASSERT_TRUE(place);
  EXPECT_EQ(place->host, "fe80::1");
  EXPECT_EQ(place->port, 80);
  EXPECT_FALSE(parse_authority("a")->port);
  EXPECT_FALSE(parse_authority(std::string(256, 'a')));
}

TEST(MediaType, compares_without_parameters_and_case) {
  EXPECT_TRUE(is_media_type("Application/JSON; charset=utf-8", "application/json"));
  EXPECT_TRUE(is_media_type("application/json", "application/json"));
  EXPECT_FALSE(is_media_type("application/json-seq", "application/json"));
  EXPECT_FALSE(is_media_type("", "application/json"));
}

TEST(MediaType, finds_parameters) {
  EXPECT_EQ(media_parameter("a/b; x=\"1;y=2\"; Y = 3", "y"), "3");
  EXPECT_EQ(media_parameter("a/b;x;y=3", "y"), "3");
  EXPECT_EQ(media_parameter("a/b; x=\"open", "x"), std::nullopt);
  EXPECT_EQ(media_parameter("a/b", "x"), std::nullopt);
}

TEST(MediaType, row_76_bounds_the_multipart_boundary) {
  const auto boundary = [](std::size_t size) { return "multipart/form-data; boundary=" + std::string(size, 'b'); };
  EXPECT_TRUE(multipart_boundary_is_valid(boundary(70)));
  EXPECT_FALSE(multipart_boundary_is_valid(boundary(71)));
  EXPECT_FALSE(multipart_boundary_is_valid(boundary(1 << 20)));
  EXPECT_FALSE(multipart_boundary_is_valid(boundary(0)));
  EXPECT_FALSE(multipart_boundary_is_valid("Multipart/form-data"));
  EXPECT_FALSE(multipart_boundary_is_valid("multipart/form-data; boundary=\"a\\\"b\""));
  EXPECT_TRUE(multipart_boundary_is_valid("multipart/form-data; boundary=\"a b:c\"; x=y"));
  EXPECT_TRUE(multipart_boundary_is_valid("application/x-www-form-urlencoded"));
  EXPECT_TRUE(multipart_boundary_is_valid(""));
}

}  // namespace
}  // namespace drover::http
