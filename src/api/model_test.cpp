// Names of models, requests without one, and requests that are commands.
#include <gtest/gtest.h>

#include "api/body_edit.h"
#include "api/body_scanner.h"
#include "api/command.h"
#include "api/model_name.h"
#include "api/model_pattern.h"
#include "api/model_refusal.h"

namespace drover::api {
namespace {

Understood understand(Route route, std::string_view body) {
  BodyScanner scanner(route);
  scanner.feed(body);
  const auto found = scanner.finish();
  EXPECT_TRUE(found) << body << ": " << found.error().message;
  return found.value_or(Understood{});
}

struct NameCase {
  std::string_view name;
  std::string_view key;  // empty: no Ollama name
  std::string_view display;
};
constexpr NameCase kNames[] = {
    {"llama3.2", "registry.ollama.ai/library/llama3.2:latest", "llama3.2:latest"},
    {"Qwen3:8B", "registry.ollama.ai/library/qwen3:8b", "Qwen3:8B"},
    {" qwen3:8b\n", "registry.ollama.ai/library/qwen3:8b", "qwen3:8b"},
    {"me/x", "registry.ollama.ai/me/x:latest", "me/x:latest"},
    {"library/x", "registry.ollama.ai/library/x:latest", "x:latest"},
    {"registry.ollama.ai/library/x:latest", "registry.ollama.ai/library/x:latest", "x:latest"},
    {"Registry.Ollama.AI/me/x", "registry.ollama.ai/me/x:latest", "me/x:latest"},
    {"reg:5000/library/x", "reg:5000/library/x:latest", "reg:5000/library/x:latest"},
    {"http://reg:5000/a/b:c", "reg:5000/a/b:c", "reg:5000/a/b:c"},
    {"qwen3:8b:local", "registry.ollama.ai/library/qwen3:8b", "qwen3:8b"},
    {"qwen3:LOCAL", "registry.ollama.ai/library/qwen3:latest", "qwen3:latest"},
    {"gpt-oss:20b-cloud", "registry.ollama.ai/library/gpt-oss:20b-cloud", "gpt-oss:20b-cloud"},
    {"_x", "registry.ollama.ai/library/_x:latest", "_x:latest"},
    {"", "", ""},
    {" ", "", ""},
    {":8b", "", ""},
    {"x:", "", ""},
    {"-x", "", ""},
    {"a b", "", ""},
    {"m@sha", "", ""},
    {"a.b/x", "", ""},
    {"/x", "", ""},
    {"x/", "", ""},
    {"a/b/c/d", "", ""},
    {"x:cloud:local", "", ""},
    {"m\xc3\xb6", "", ""},
};

TEST(ModelName, parses_as_a_node_does) {
  for (const auto& [name, key, display] : kNames) {
    const auto parsed = parse_model_name(name);
    ASSERT_EQ(parsed.has_value(), !key.empty()) << '"' << name << '"';
    if (!parsed) continue;
    EXPECT_EQ(parsed->key(), key) << name;
    EXPECT_EQ(parsed->display(), display) << name;
  }
}

TEST(ModelName, bounds_each_part) {
  const std::string longest(80, 'a');
  EXPECT_TRUE(parse_model_name(longest + "/" + longest + ":" + longest));
  EXPECT_FALSE(parse_model_name(longest + "a"));
  EXPECT_FALSE(parse_model_name("x:" + longest + "a"));
  EXPECT_TRUE(parse_model_name(std::string(350, 'h') + "/n/m"));
  EXPECT_FALSE(parse_model_name(std::string(351, 'h') + "/n/m"));
}

TEST(ModelName, keeps_names_of_other_engines_as_they_are) {
  EXPECT_EQ(model_key("Org/Model@Main"), "Org/Model@Main");
  EXPECT_EQ(model_key("Qwen3"), "registry.ollama.ai/library/qwen3:latest");
}

TEST(ModelName, knows_names_that_leave_the_building) {
  for (const std::string_view cloud :
       {"x:cloud", "x:CLOUD", "x:20b-cloud", "x:20B-Cloud", "me/x:cloud", " x:cloud ", "x: cloud",
        "x:\xc2\xa0"
        "cloud",
        "x:cloud:local", "x:local:cloud", "a@b:cloud"}) {
    EXPECT_TRUE(is_cloud_name(cloud)) << cloud;
  }
  for (const std::string_view home :
       {"x", "cloud", "x-cloud", "x:cloudy", "x:local", "reg:5-cloud/n/m", "cloud:8b", ""}) {
    EXPECT_FALSE(is_cloud_name(home)) << home;
  }
}

struct UnroutableCase {
  Route route;
  std::string_view body;
  int status;  // 0: has a model
  std::string_view message;
};
constexpr UnroutableCase kUnroutable[] = {
    {Route::generate, "{}", 404, "model '' not found"},
    {Route::generate, R"({"model":""})", 404, "model '' not found"},
    {Route::completions, "{}", 404, "model '' not found"},
    {Route::embed, "{}", 404, "model '' not found"},
    {Route::openai_embeddings, R"({"input":"x"})", 404, "model '' not found"},
    {Route::openai_embeddings, R"({"model":"m"})", 400, "invalid input"},
    {Route::openai_embeddings, R"({"model":"m","input":[]})", 400, "invalid input"},
    {Route::openai_embeddings, R"({"model":"m","input":""})", 0, ""},
    {Route::chat, "{}", 400, "model is required"},
    {Route::chat, R"({"model":""})", 400, "model is required"},
    {Route::embeddings, "{}", 400, "model is required"},
    {Route::show, "{}", 400, "model is required"},
    {Route::show, R"({"name":"m"})", 0, ""},
    {Route::chat_completions, "{}", 400, "[] is too short - 'messages'"},
    {Route::chat_completions, R"({"model":"m","messages":[]})", 400, "[] is too short - 'messages'"},
    {Route::chat_completions, R"({"messages":[{}]})", 400, "model is required"},
    {Route::chat, R"({"model":"m"})", 0, ""},
};

TEST(ModelRefusal, row_66_an_empty_or_absent_model_is_answered_as_ollama_does) {
  for (const auto& [route, body, status, message] : kUnroutable) {
    const auto refusal = refuse_unroutable(route, understand(route, body));
    ASSERT_EQ(refusal ? refusal->status : 0, status) << label(route) << ' ' << body;
    if (refusal) {
      EXPECT_EQ(refusal->message, message) << label(route) << ' ' << body;
    }
  }
}

TEST(ModelRefusal, row_67_an_unknown_model_is_404_in_the_words_of_its_route) {
  const auto says = [](Route route) { return model_not_found(route, "x").message; };
  EXPECT_EQ(says(Route::generate), "model 'x' not found");
  EXPECT_EQ(says(Route::chat), "model 'x' not found");
  EXPECT_EQ(says(Route::chat_completions), "model 'x' not found");
  EXPECT_EQ(says(Route::completions), "model 'x' not found");
  EXPECT_EQ(says(Route::embed), R"(model "x" not found, try pulling it first)");
  EXPECT_EQ(says(Route::embeddings), R"(model "x" not found, try pulling it first)");
  EXPECT_EQ(says(Route::openai_embeddings), R"(model "x" not found, try pulling it first)");
  EXPECT_EQ(says(Route::show), "model 'x:latest' not found");
  EXPECT_EQ(says(Route::model), "model 'x:latest' not found");
  EXPECT_EQ(model_not_found(Route::chat, "x").status, 404);
  EXPECT_EQ(slug(model_not_found(Route::chat, "x").reason), "model_not_found");
}

TEST(ModelRefusal, a_name_that_is_none_is_400) {
  EXPECT_EQ(model_not_found(Route::chat, "a b").status, 400);
  EXPECT_EQ(model_not_found(Route::chat, "a b").message, "invalid model name");
  EXPECT_EQ(model_not_found(Route::chat, "x:cloud:local").message,
            R"(use either :local or :cloud, not both: "x:cloud:local")");
  EXPECT_EQ(cloud_refused().status, 403);
}

struct CommandCase {
  Route route;
  std::string_view body;
  Command command;
};
constexpr CommandCase kCommands[] = {
    {Route::generate, "{}", Command::load},
    {Route::generate, R"({"prompt":""})", Command::load},
    {Route::generate, R"({"prompt":null,"keep_alive":-1})", Command::load},
    {Route::generate, R"({"prompt":"","keep_alive":0})", Command::unload},
    {Route::generate, R"({"keep_alive":"0s"})", Command::unload},
    {Route::generate, R"({"prompt":"hi","keep_alive":0})", Command::none},
    {Route::generate, R"({"prompt":" "})", Command::none},
    {Route::generate, R"({"images":["x"],"suffix":"s","context":[1]})", Command::load},
    {Route::generate, R"({"images":["x"],"keep_alive":0})", Command::unload},
    {Route::generate, R"({"prompt":[]})", Command::none},  // the node refuses it
    {Route::chat, "{}", Command::load},
    {Route::chat, R"({"messages":[],"keep_alive":0.0})", Command::unload},
    {Route::chat, R"({"messages":null,"keep_alive":"5m"})", Command::load},
    {Route::chat, R"({"messages":[{}]})", Command::none},
    {Route::chat, R"({"prompt":"x"})", Command::load},
    {Route::embed, R"({"input":"","keep_alive":0})", Command::load},
    {Route::embed, R"({"input":[]})", Command::load},
    {Route::embed, R"({"input":[""]})", Command::none},
    {Route::embeddings, "{}", Command::load},
    {Route::embeddings, R"({"prompt":"x"})", Command::none},
    {Route::completions, R"({"prompt":"","keep_alive":0})", Command::load},
    {Route::completions, R"({"prompt":"x"})", Command::none},
    {Route::chat_completions, R"({"messages":[]})", Command::none},
    {Route::openai_embeddings, R"({"input":""})", Command::none},
    {Route::show, "{}", Command::none},
};

TEST(Command, is_a_request_without_a_prompt) {
  for (const auto& [route, body, command] : kCommands) {
    EXPECT_EQ(command_of(route, understand(route, body)), command) << label(route) << ' ' << body;
  }
}

struct RemovalCase {
  std::string_view body;
  std::string_view left;
};
// Without `num_ctx`, then without `shift`.
constexpr RemovalCase kRemovals[] = {
    {R"({"options":{"num_ctx":1}})", R"({"options":{}})"},
    {R"({"options":{ "num_ctx":1 }})", R"({"options":{  }})"},
    {R"({"options":{"num_ctx":1,"seed":2}})", R"({"options":{"seed":2}})"},
    {R"({"options":{"seed":2,"num_ctx":1}})", R"({"options":{"seed":2}})"},
    {R"({"options":{"a":0 , "num_ctx" : 1 , "seed":2}})", R"({"options":{"a":0 ,  "seed":2}})"},
    {R"({"options":{"seed":2 , "num_ctx":1 }})", R"({"options":{"seed":2  }})"},
    {R"({"options":{"num_\u0063tx":1}})", R"({"options":{}})"},
    {R"({"shift":false})", "{}"},
    {R"({"shift":true,"options":{"num_ctx":1},"model":"m"})", R"({"options":{},"model":"m"})"},
    {R"({"options":{"num_ctx":1},"shift":true})", R"({"options":{}})"},
    {R"({"model":"m"})", R"({"model":"m"})"},
};

TEST(BodyEdit, takes_members_out_and_leaves_json) {
  for (const auto& [body, left] : kRemovals) {
    EditedBody edited(body);
    for (const ReloadSetting& setting : understand(Route::chat, body).reload.all()) {
      edited.replace(with_comma(body, setting.member), "");
    }
    EXPECT_EQ(edited.text(), left) << body;
    EXPECT_EQ(edited.size(), left.size()) << body;
    understand(Route::chat, edited.text());
  }
}

TEST(BodyEdit, replaces_places_in_any_order) {
  constexpr std::string_view kBody = "one two three";
  constexpr Span kOne{0, 3}, kTwo{4, 3}, kThree{8, 5};
  const auto edited = [&](Span first, Span second) {
    EditedBody body(kBody);
    body.replace(first, "<1>");
    body.replace(second, "<22>");
    return body.text();
  };
  EXPECT_EQ(EditedBody(kBody).text(), kBody);
  EXPECT_EQ(edited(kOne, kThree), "<1> two <22>");
  EXPECT_EQ(edited(kThree, kOne), "<22> two <1>");
  EXPECT_EQ(edited(kTwo, kOne), "<22> <1> three");
  EXPECT_EQ(edited({0, 4}, {4, 9}), "<1><22>");
  EXPECT_EQ(edited({4, 9}, {0, 4}), "<22><1>");
  EXPECT_EQ(edited({3, 0}, {13, 0}), "one<1> two three<22>");
}

struct PatternCase {
  std::string_view pattern, name;
  bool fits;
};
constexpr PatternCase kPatterns[] = {
    {"*", "llama3.2", true},
    {"llama3.2", "llama3.2", true},
    {"llama3.2", "llama3.2:1b", false},
    {"llama3.2:*", "llama3.2:1b", true},
    {"llama*", "Llama3.2:1b", true},
    {"llama*", "me/llama3.2", false},
    {"me/*", "me/llama3.2", true},
    {"*:70b", "llama3.3:70b", true},
    {"*:70b", "llama3.3:7b", false},
    {"*a*b*:c", "xaxbx:c", true},
    {"*a*b*:c", "xbxax:c", false},
    {"registry.ollama.ai/library/x:*", "x", true},
    {"reg:5000/a/b", "reg:5000/a/b", true},
    {"reg:5000/a/b", "a/b", false},
    {"openai/*", "openai/a b", true},  // no Ollama name
};

TEST(ModelPatterns, mean_what_operators_write) {
  for (const PatternCase& test : kPatterns) {
    EXPECT_EQ(fits_pattern(model_key(test.name), test.pattern), test.fits) << test.pattern << " and " << test.name;
  }
}

}  // namespace
}  // namespace drover::api
