// Many nodes as one: the merged listings.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "fleet/fleet_view.h"

namespace drover::fleet {
namespace {

std::string hex(char digit) { return std::string(64, digit); }

// An entry of /api/tags, as a node writes it; `day` of January 2026.
std::string stored(std::string_view name, char digest, int day, std::string_view more = "") {
  return fmt::format(R"({{"name":"{0}","model":"{0}",{3}"modified_at":"2026-01-{2:02}T00:00:00Z","digest":"{1}"}})",
                     name, hex(digest), day, more);
}

std::string running(std::string_view name, char digest, int minute) {
  return fmt::format(
      R"({{"name":"{0}","model":"{0}","size":7,"digest":"{1}","expires_at":"2026-01-01T00:{2:02}:00Z"}})", name,
      hex(digest), minute);
}

std::string list_of(std::initializer_list<std::string> entries) {
  std::string text;
  for (const auto& entry : entries) text += (text.empty() ? "" : ",") + entry;
  return fmt::format(R"({{"models":[{}]}})", text);
}

NodeState node(std::uint64_t id, std::initializer_list<std::string> models,
               std::initializer_list<std::string> loaded = {}) {
  return NodeState{
      .spec = {.id = NodeId{id}, .name = fmt::format("n{}", id), .url = {}},
      .reachable = true,
      .report = {.version = "0.34.4",
                 .models = parse_tags_answer(list_of(models)).value().models,
                 .running = parse_ps_answer(list_of(loaded)).value().models},
  };
}

struct Said {
  std::string weights = {};
  std::string remote_host = {};
  Capabilities capabilities = {};
  std::string body = {};
};
ShowInfo show_said(Said said) {
  ShowInfo info;
  info.weights = said.weights;
  info.remote_host = said.remote_host;
  info.capabilities = said.capabilities;
  info.body = said.body;
  return info;
}

std::shared_ptr<const FleetView> view_of(const std::vector<NodeState>& nodes, const ShowCache& shows = ShowCache(),
                                         bool allow_cloud = false) {
  return FleetView::build(nodes, shows, {.allow_cloud = allow_cloud});
}

TEST(FleetView, of_nothing_answers_like_an_empty_node) {
  const auto view = view_of({});
  EXPECT_EQ(*view->tags(), R"({"models":[]})");
  EXPECT_EQ(*view->ps(), R"({"models":[]})");
  EXPECT_EQ(*view->models(), "{\"object\":\"list\",\"data\":null}\n");
  EXPECT_EQ(*view->version(), R"({"version":"0.34.4"})");
  EXPECT_EQ(view->find("x"), nullptr);
  EXPECT_FALSE(view->model_object("x"));
}

TEST(FleetView, lists_every_model_once_newest_first) {
  const auto view = view_of({node(0, {stored("a:1", 'a', 1), stored("b:1", 'b', 3)}),
                             node(1, {stored("c:1", 'c', 2), stored("A:1", 'a', 1)})});
  EXPECT_EQ(*view->tags(), list_of({stored("b:1", 'b', 3), stored("c:1", 'c', 2), stored("a:1", 'a', 1)}));
}

TEST(FleetView, lists_the_version_that_most_nodes_hold) {
  const auto view =
      view_of({node(0, {stored("m:1", 'a', 9)}), node(1, {stored("m:1", 'b', 1)}), node(2, {stored("m:1", 'b', 2)})});
  EXPECT_EQ(*view->tags(), list_of({stored("m:1", 'b', 2)}));
  const Model* model = view->find("m:1");
  EXPECT_EQ(model->digest, hex('b'));
  ASSERT_EQ(model->holders.size(), 3U);  // all can serve it
  EXPECT_EQ(model->holders[0].digest, hex('a'));
  EXPECT_NE(model->holders[0].runner, model->runner);
  EXPECT_EQ(model->holders[2].runner, model->runner);
}

TEST(FleetView, lists_the_newer_of_two_versions_that_equally_many_hold) {
  const auto view = view_of({node(0, {stored("m:1", 'a', 1)}), node(1, {stored("m:1", 'b', 2)})});
  EXPECT_EQ(*view->tags(), list_of({stored("m:1", 'b', 2)}));
}

TEST(FleetView, finds_a_model_by_any_spelling) {
  const auto view = view_of({node(3, {stored("Qwen3:latest", 'a', 1), stored("me/x:q8", 'b', 1)})});
  for (const auto* name : {"qwen3", "QWEN3:LATEST", "library/qwen3", "registry.ollama.ai/library/qwen3:latest",
                           " qwen3 ", "qwen3:local"}) {
    const Model* model = view->find(name);
    ASSERT_NE(model, nullptr) << name;
    EXPECT_EQ(model->name, "Qwen3:latest");
    EXPECT_EQ(model->holders.at(0).node, NodeId{3});
  }
  EXPECT_EQ(view->find("x:q8"), nullptr);
  EXPECT_EQ(view->find("qwen3:8b"), nullptr);
}

TEST(FleetView, gives_openai_objects_with_the_namespace_as_owner) {
  const auto view = view_of({node(0, {stored("me/x:1", 'a', 2), stored("y:latest", 'b', 1)})});
  EXPECT_EQ(*view->models(),
            "{\"object\":\"list\",\"data\":["
            "{\"id\":\"me/x:1\",\"object\":\"model\",\"created\":1767312000,\"owned_by\":\"me\"},"
            "{\"id\":\"y:latest\",\"object\":\"model\",\"created\":1767225600,\"owned_by\":\"library\"}]}\n");
  // The id is echoed as it was asked for.
  EXPECT_EQ(view->model_object("Y"),
            "{\"id\":\"Y\",\"object\":\"model\",\"created\":1767225600,\"owned_by\":\"library\"}\n");
}

TEST(FleetView, lists_a_running_model_once_as_the_node_that_keeps_it_longest_says) {
  const auto view =
      view_of({node(0, {}, {running("a:1", 'a', 5), running("b:1", 'b', 9)}), node(1, {}, {running("a:1", 'a', 7)})});
  EXPECT_EQ(*view->ps(), list_of({running("b:1", 'b', 9), running("a:1", 'a', 7)}));
  EXPECT_EQ(view->running(runner_key(hex('a'))), (std::vector{NodeId{0}, NodeId{1}}));
  EXPECT_EQ(view->running(runner_key(hex('b'))), (std::vector{NodeId{0}}));
}

TEST(FleetView, keeps_the_models_of_a_node_that_is_down_but_nothing_runs_there) {
  NodeState down = node(0, {stored("a:1", 'a', 1)}, {running("a:1", 'a', 5)});
  down.reachable = false;
  const auto view = view_of({down});
  EXPECT_EQ(*view->tags(), list_of({stored("a:1", 'a', 1)}));
  EXPECT_NE(view->find("a:1"), nullptr);
  EXPECT_EQ(*view->ps(), R"({"models":[]})");
  EXPECT_TRUE(view->running(runner_key(hex('a'))).empty());
}

TEST(FleetView, hides_models_that_run_elsewhere_unless_allowed) {
  const std::string stub = stored("s:1", 'b', 2, R"("remote_model":"s","remote_host":"https://ollama.com",)");
  const std::vector nodes = {
      node(0, {stored("m:1", 'a', 1), stub, stored("gpt:120b-cloud", 'c', 3), stored("k:cloud", 'd', 4)},
           {running("k:cloud", 'd', 5)})};
  const auto closed = view_of(nodes);
  EXPECT_EQ(*closed->tags(), list_of({stored("m:1", 'a', 1)}));
  EXPECT_EQ(*closed->ps(), list_of({}));
  EXPECT_EQ(closed->models()->find("cloud"), std::string::npos);
  EXPECT_FALSE(closed->model_object("s:1"));
  // Still known, so that it is refused as what it is and not as unknown.
  EXPECT_TRUE(closed->find("s:1")->remote);
  EXPECT_TRUE(closed->find("gpt:120b-cloud")->remote);
  EXPECT_FALSE(closed->find("m:1")->remote);

  const auto open = view_of(nodes, ShowCache(), true);
  EXPECT_EQ(*open->tags(),
            list_of({stored("k:cloud", 'd', 4), stored("gpt:120b-cloud", 'c', 3), stub, stored("m:1", 'a', 1)}));
  EXPECT_TRUE(open->find("s:1")->remote);
}

TEST(FleetView, never_routes_to_a_remote_stub_where_another_node_has_the_model_itself) {
  const std::string stub = stored("m:1", 'b', 2, R"("remote_host":"https://example.com",)");
  const auto view = view_of({node(0, {stub}), node(1, {stub}), node(2, {stored("m:1", 'a', 1)})});
  const Model* model = view->find("m:1");
  EXPECT_FALSE(model->remote);
  ASSERT_EQ(model->holders.size(), 1U);
  EXPECT_EQ(model->holders[0].node, NodeId{2});
  EXPECT_EQ(*view->tags(), list_of({stored("m:1", 'a', 1)}));
}

TEST(FleetView, takes_a_remote_host_that_only_show_told_of_for_remote) {
  ShowCache shows;
  shows.put("registry.ollama.ai/library/m:1", hex('a'), show_said({.remote_host = "https://ollama.com"}));
  const auto view = view_of({node(0, {stored("m:1", 'a', 1)})}, shows);
  EXPECT_TRUE(view->find("m:1")->remote);
  EXPECT_EQ(*view->tags(), list_of({}));
}

TEST(FleetView, knows_aliases_by_their_weights_once_show_told_them) {
  const std::vector nodes = {node(0, {stored("m:1", 'a', 1), stored("alias:1", 'b', 1), stored("copy:1", 'a', 1)},
                                  {running("alias:1", 'b', 5)})};
  const auto before = view_of(nodes);
  EXPECT_NE(before->find("m:1")->runner, before->find("alias:1")->runner);

  ShowCache shows;
  shows.put("registry.ollama.ai/library/m:1", hex('a'), show_said({.weights = hex('f'), .body = "{}"}));
  shows.put("registry.ollama.ai/library/alias:1", hex('b'), show_said({.weights = hex('f')}));
  const auto after = view_of(nodes, shows);
  EXPECT_EQ(after->find("m:1")->runner, after->find("alias:1")->runner);
  EXPECT_EQ(after->find("copy:1")->runner, after->find("m:1")->runner);  // the same manifest
  EXPECT_EQ(after->running(after->find("m:1")->runner), (std::vector{NodeId{0}}));
  EXPECT_EQ(after->show(*after->find("m:1"))->body, "{}");
  EXPECT_EQ(after->show(*after->find("alias:1")), nullptr);  // its body was not kept
  EXPECT_EQ(before->show(*before->find("m:1")), nullptr);
}

TEST(FleetView, believes_show_more_than_tags_about_capabilities) {
  const std::string tags = stored("e:1", 'a', 1, R"("capabilities":["completion"],)");
  Capabilities embedding;
  embedding.add("embedding");
  ShowCache shows;
  shows.put("registry.ollama.ai/library/e:1", hex('a'), show_said({.capabilities = embedding}));
  EXPECT_FALSE(view_of({node(0, {tags})})->find("e:1")->capabilities.embedding_only());
  EXPECT_TRUE(view_of({node(0, {tags})}, shows)->find("e:1")->capabilities.embedding_only());
}

TEST(FleetView, says_the_lowest_version_of_all_nodes) {
  NodeState old = node(1, {}), silent = node(2, {});
  old.report.version = "0.9.1";
  silent.report.version = "";
  EXPECT_EQ(*view_of({node(0, {}), old, silent})->version(), R"({"version":"0.9.1"})");
}

TEST(FleetView, finds_nodes_by_id_whatever_their_order) {
  const auto view = view_of({node(7, {}), node(2, {})});
  EXPECT_EQ(view->nodes()[0].id, NodeId{2});
  EXPECT_EQ(view->node(NodeId{7})->name, "n7");
  EXPECT_EQ(view->node(NodeId{3}), nullptr);
}

TEST(ShowCache, keeps_bodies_within_its_bound_and_forgets_what_nobody_holds) {
  ShowCache shows(Bytes{10});
  shows.put("a", "1", show_said({.weights = "w", .body = "12345678"}));
  shows.put("b", "1", show_said({.weights = "v", .body = "123"}));
  EXPECT_EQ(shows.find("a", "1")->body, "12345678");
  EXPECT_EQ(shows.find("b", "1")->body, "");
  EXPECT_EQ(shows.find("b", "1")->weights, "v");
  EXPECT_EQ(shows.find("a", "2"), nullptr);
  shows.put("a", "1", show_said({.body = "1"}));
  EXPECT_EQ(shows.used(), Bytes{1});
  shows.retain([](std::string_view key, std::string_view) { return key == "b"; });
  EXPECT_EQ(shows.size(), 1U);
  EXPECT_EQ(shows.used(), Bytes{0});
}

// ---- aliases

std::shared_ptr<const FleetView> view_with(const std::vector<AliasSettings>& aliases) {
  return FleetView::build(
      {{node(0, {stored("big:70b", 'a', 1), stored("small:1b", 'b', 2), stored("far:cloud", 'c', 3)})}}, ShowCache(),
      {.aliases = aliases});
}

TEST(FleetView, lists_an_alias_as_its_first_model_under_its_own_name) {
  const auto view = view_with({{"gpt-4o", {{"big:70b"}, {"small:1b"}}}, {"nowhere", {{"absent"}}}});
  EXPECT_EQ(*view->tags(), list_of({stored("small:1b", 'b', 2), stored("big:70b", 'a', 1), stored("gpt-4o", 'a', 1)}));
  EXPECT_NE(view->models()->find(R"({"id":"gpt-4o","object":"model","created":1767225600,"owned_by":"library"})"),
            std::string::npos);
  EXPECT_EQ(view->model_object("GPT-4o:latest"),
            "{\"id\":\"GPT-4o:latest\",\"object\":\"model\",\"created\":1767225600,\"owned_by\":\"library\"}\n");
  EXPECT_EQ(view->tags()->find("nowhere"), std::string::npos);
  EXPECT_EQ(view->alias("nowhere"), nullptr) << "no node holds what it stands for";
}

TEST(FleetView, finds_an_alias_by_any_spelling_and_a_model_is_none) {
  const auto view = view_with({{"gpt-4o", {{"big:70b"}}}, {"a b", {{"small:1b"}}}});
  for (const std::string_view name : {"gpt-4o", "gpt-4o:latest", "GPT-4o", "library/gpt-4o"}) {
    ASSERT_NE(view->alias(name), nullptr) << name;
    EXPECT_EQ(view->alias(name)->first().name, "big:70b");
    EXPECT_EQ(view->find(name), nullptr) << name;
  }
  EXPECT_NE(view->alias("a b"), nullptr) << "a name that no Ollama would take";
  for (const std::string_view name : {"big:70b", "Big:70B", "gpt-4o:mini", ""}) EXPECT_EQ(view->alias(name), nullptr);
}

TEST(FleetView, an_alias_hides_a_model_of_its_name_which_may_be_one_of_its_own) {
  const auto view = view_with({{"Small:1B", {{"small:1b", 9}, {"big:70b", 1}}}});
  EXPECT_EQ(*view->tags(), list_of({stored("Small:1B", 'b', 2), stored("big:70b", 'a', 1)}));
  for (const std::string_view name : {"small:1b", "SMALL:1b", "Small:1B"}) {
    ASSERT_NE(view->alias(name), nullptr) << name;
    EXPECT_EQ(view->alias(name)->first().name, "small:1b");
  }
  EXPECT_EQ(view->find("small:1b")->name, "small:1b") << "the model itself is there as before";
}

TEST(FleetView, does_not_list_an_alias_of_what_may_not_be_listed) {
  const auto view = view_with({{"far", {{"far:cloud"}}}});
  EXPECT_EQ(view->tags()->find("far"), std::string::npos);
  EXPECT_FALSE(view->model_object("far"));
  EXPECT_NE(view->alias("far"), nullptr) << "so that a request is told why it is refused";
}

}  // namespace
}  // namespace drover::fleet
