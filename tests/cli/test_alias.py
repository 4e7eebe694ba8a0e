"""Names that stand for models, in front of simulated nodes."""

import json
import signal
from collections import Counter

from harness import MODEL, CommandTest, get, post, until

OTHER = "gemma3:4b"


class Alias(CommandTest):
    def setUp(self):
        super().setUp()
        self.node = self.sim(speedup=50)

    def serve_aliases(self, aliases):
        return self.ready(self.serve(self.node.url, settings=f"aliases: {json.dumps(aliases)}\n"))

    def ask(self, gateway, name, path="/api/chat", **headers):
        """The model that served, by the header and by the answer itself."""
        messages = [{"role": "user", "content": "Hi"}]
        body = {"model": name, "stream": False, "messages": messages, "options": {"num_predict": 2}, "max_tokens": 2}
        answer = post(gateway.url + path, body, **headers)
        served = answer.headers["x-drover-model"]
        self.assertEqual(json.loads(answer.text)["model"], served)
        return served

    def test_a_name_that_clients_know_is_served_by_a_model_of_ours(self):
        gateway = self.serve_aliases([{"name": "gpt-4o", "models": [MODEL]}])
        self.assertEqual(self.ask(gateway, "gpt-4o"), MODEL)
        self.assertEqual(self.ask(gateway, "gpt-4o", "/v1/chat/completions"), MODEL)
        tags = {model["name"]: model for model in json.loads(get(gateway.url + "/api/tags").text)["models"]}
        self.assertEqual(tags["gpt-4o"], tags[MODEL] | {"name": "gpt-4o", "model": "gpt-4o"})
        ids = [model["id"] for model in json.loads(get(gateway.url + "/v1/models").text)["data"]]
        self.assertIn("gpt-4o", ids)
        shown, its = (post(url + "/api/show", {"model": name}).text
                      for url, name in [(gateway.url, "gpt-4o"), (self.node.url, MODEL)])
        self.assertEqual(json.loads(shown), json.loads(its))

    def test_a_split_is_kept_to_and_changes_with_the_file(self):
        split = {"name": "assistant", "models": [{"model": MODEL, "weight": 3}, OTHER]}
        gateway = self.serve_aliases([split])
        served = Counter(self.ask(gateway, "assistant") for _ in range(20))
        self.assertAlmostEqual(served[MODEL], 15, delta=2)
        self.assertEqual(sum(served.values()), 20)
        session = {self.ask(gateway, "assistant", **{"x-session-id": "s-1"}) for _ in range(5)}
        self.assertEqual(len(session), 1)

        split["models"] = [OTHER]
        self.write_settings([self.node.url], f"aliases: {json.dumps([split])}\n")
        gateway.send(signal.SIGHUP)
        until(lambda: self.ask(gateway, "assistant", **{"x-session-id": "s-1"}) == OTHER, "the new settings to hold")
        self.assertEqual({self.ask(gateway, "assistant") for _ in range(5)}, {OTHER})

    def test_an_alias_of_an_alias_is_refused_with_its_place(self):
        self.write_settings([self.node.url], f"aliases:\n  - {{name: a, models: [b]}}\n  - {{name: b, models: [{MODEL}]}}\n")
        checked = self.drover("check", "drover.yaml")
        self.assertEqual(checked.code, 2)
        self.assertIn("aliases[0].models[0].model is b, an alias itself (aliases[1])", checked.errors)
