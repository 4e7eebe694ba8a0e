// The shapes of errors, and the list of reasons.
#include "api/dialect.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "api/body_rules.h"
#include "api/node_error.h"

namespace drover::api {
namespace {

TEST(Dialect, says_errors_in_the_shape_of_each_api) {
  EXPECT_EQ(error_body(Dialect::ollama, 404, "model 'x' not found"), R"({"error":"model 'x' not found"})");
  EXPECT_EQ(error_body(Dialect::openai, 404, "model 'x' not found"),
            R"({"error":{"message":"model 'x' not found","type":"not_found_error","param":null,"code":null}})"
            "\n");
  EXPECT_EQ(error_body(Dialect::openai, 400, "EOF"),
            R"({"error":{"message":"EOF","type":"invalid_request_error","param":null,"code":null}})");
  EXPECT_EQ(error_body(Dialect::openai, 503, "busy"),
            R"({"error":{"message":"busy","type":"api_error","param":null,"code":null}})"
            "\n");
  EXPECT_EQ(error_body(Dialect::anthropic, 503, "busy", "req_1"),
            R"({"type":"error","error":{"type":"overloaded_error","message":"busy"},"request_id":"req_1"})"
            "\n");
  EXPECT_EQ(error_body(Dialect::ollama, 400, "a <b> & \"c\""), R"({"error":"a \u003cb\u003e \u0026 \"c\""})");
}

TEST(Dialect, frames_errors_inside_streams) {
  EXPECT_EQ(error_frame(Dialect::ollama, "cut"), "{\"error\":\"cut\"}\n");
  EXPECT_EQ(error_frame(Dialect::openai, "cut"),
            R"(data: {"error":{"message":"cut","type":"api_error","param":null,"code":null}})"
            "\n\n");
  EXPECT_EQ(error_frame(Dialect::anthropic, "cut"),
            "event: error\ndata: "
            R"({"type":"error","error":{"type":"api_error","message":"cut"}})"
            "\n\n");
}

TEST(Dialect, names_the_content_type_of_errors_as_ollama_does) {
  EXPECT_EQ(error_content_type(Dialect::ollama, 503), "application/json; charset=utf-8");
  EXPECT_EQ(error_content_type(Dialect::openai, 400), "application/json; charset=utf-8");
  EXPECT_EQ(error_content_type(Dialect::openai, 404), "application/json");
}

TEST(Reason, has_one_slug_each_fit_for_labels_and_headers) {
  std::set<std::string_view> slugs;
  for (std::size_t i = 0; i < kReasonCount; ++i) {
    const auto reason = static_cast<Reason>(i);
    EXPECT_TRUE(slugs.insert(slug(reason)).second) << slug(reason) << " twice";
    EXPECT_EQ(slug(reason).find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), std::string_view::npos) << slug(reason);
    EXPECT_EQ(reason_named(slug(reason)), reason);
    EXPECT_GE(default_status(reason), 400) << slug(reason);
    EXPECT_LT(default_status(reason), 600) << slug(reason);
    // Advice to come back and advice not to would contradict each other.
    EXPECT_FALSE(traits(reason).retry_after && traits(reason).final_word) << slug(reason);
  }
  EXPECT_FALSE(reason_named("no_such_reason"));
}

TEST(Reason, tells_libraries_not_to_repeat_what_we_have_repeated) {
  for (const Reason reason : {Reason::upstream_reset, Reason::connect_timeout, Reason::first_byte_timeout,
                              Reason::bad_upstream_response, Reason::not_served, Reason::deadline}) {
    EXPECT_TRUE(traits(reason).final_word) << slug(reason);
  }
  for (const Reason reason : {Reason::no_backend, Reason::queue_full, Reason::queue_timeout, Reason::buffer_budget}) {
    EXPECT_TRUE(traits(reason).retry_after) << slug(reason);
    EXPECT_EQ(default_status(reason), 503) << slug(reason);
  }
}

TEST(BodyRules, row_62_row_63_a_body_beyond_the_routes_bound_is_413) {
  const BodyBounds bounds{.prompt = Bytes{100}, .small = Bytes{10}, .drained = Bytes{5}};
  EXPECT_FALSE(refuse_length(Route::chat, Bytes{100}, bounds));
  const auto refused = refuse_length(Route::chat, Bytes{101}, bounds);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 413);
  EXPECT_EQ(slug(refused->reason), "body_too_large");
  EXPECT_EQ(refused->message, "the body is larger than the 100 bytes that /api/chat takes");
  EXPECT_TRUE(refuse_length(Route::show, Bytes{11}, bounds));
  EXPECT_TRUE(refuse_length(Route::tags, Bytes{6}, bounds));
  EXPECT_FALSE(refuse_length(Route::tags, Bytes{5}, bounds));
}

struct CodingCase {
  Route route;
  std::string_view encoding;
  int status;  // 0: taken
  Coding coding = Coding::identity;
};
constexpr CodingCase kCodings[] = {
    {Route::chat, "", 0},
    {Route::chat, "identity", 0},
    {Route::chat, "zstd", 415},
    {Route::chat, "gzip", 415},
    {Route::show, "zstd", 415},
    {Route::chat_completions, "", 0},
    {Route::chat_completions, "zstd", 0, Coding::zstd},
    {Route::completions, "ZSTD", 0, Coding::zstd},
    {Route::openai_embeddings, "zstd", 0, Coding::zstd},
    {Route::models, "zstd", 415},
    {Route::chat_completions, "gzip", 415},
    {Route::chat_completions, "gzip, zstd", 415},
};

TEST(BodyRules, row_75_zstd_is_taken_on_openai_posts_alone) {
  for (const auto& [route, encoding, status, coding] : kCodings) {
    const auto taken = body_coding(route, encoding);
    EXPECT_EQ(taken ? 0 : taken.error().status, status) << label(route) << ' ' << encoding;
    if (taken) {
      EXPECT_EQ(*taken, coding) << label(route) << ' ' << encoding;
    } else {
      EXPECT_EQ(slug(taken.error().reason), "decode");
    }
  }
}

TEST(BodyRules, row_76_content_types_are_ignored_but_for_a_boundary_nobody_could_mean) {
  for (const std::string_view type : {"", "application/json", "application/x-www-form-urlencoded", "text/plain; x",
                                      "multipart/form-data; boundary=abc"}) {
    EXPECT_FALSE(refuse_content_type(type)) << type;
  }
  const auto refused = refuse_content_type("multipart/form-data; boundary=" + std::string(1 << 20, 'b'));
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 400);
  EXPECT_TRUE(refuse_content_type("multipart/form-data"));
}

struct NodeErrorCase {
  int status;
  std::string_view body;
  ErrorCode meaning;
};
constexpr NodeErrorCase kNodeErrors[] = {
    {503, R"({"error":"server busy, please try again.  maximum pending requests exceeded"})", ErrorCode::server_busy},
    {503, R"({"error":{"message":"server busy, please try again.","type":"api_error"}})", ErrorCode::server_busy},
    {503, "Service Unavailable", ErrorCode::refused_by_node},
    {404, R"({"error":"model 'x' not found"})", ErrorCode::model_absent},
    {404, R"({"error":"model \"x\" not found, try pulling it first"})", ErrorCode::model_absent},
    {404, R"({"error":{"message":"model 'x' not found","type":"not_found_error"}})", ErrorCode::model_absent},
    {404, "404 page not found", ErrorCode::refused_by_node},
    {500, R"({"error":"model runner has unexpectedly stopped, this may be due to resource limitations"})",
     ErrorCode::runner_died},
    {500, R"({"error":"an error was encountered while running the model: unexpected EOF"})", ErrorCode::runner_died},
    {500, R"({"error":"llama-server process no longer running: unknown "})", ErrorCode::runner_died},
    {500, R"({"error":"llama-server process has terminated: exit status 1: "})", ErrorCode::runner_died},
    {500, R"({"error":"llama-server reported out-of-memory during startup: cudaMalloc failed"})",
     ErrorCode::runner_died},
    {500, R"x({"error":"tensor \"x\" offset+size (2) exceeds file size (1)"})x", ErrorCode::refused_by_node},
    {500, R"({"error":"option \"num_ctx\" must be of type integer"})", ErrorCode::refused_by_node},
    {500, R"({"error":"prediction aborted, token repeat limit reached"})", ErrorCode::refused_by_node},
    {400, R"({"error":"model is required"})", ErrorCode::refused_by_node},
    {429, "", ErrorCode::refused_by_node},
    {501, R"({"error":"This server does not support embeddings."})", ErrorCode::refused_by_node},
};

TEST(NodeError, tells_what_another_node_may_cure) {
  for (const auto& [status, body, meaning] : kNodeErrors) {
    EXPECT_EQ(name(node_error(status, body)), name(meaning)) << status << ' ' << body;
  }
}

}  // namespace
}  // namespace drover::api
