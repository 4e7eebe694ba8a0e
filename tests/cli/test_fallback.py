"""A model whose nodes are down is replaced by the one that its route names, and comes back with them."""

import json

from harness import MODEL, CommandTest, get, post, until

OTHER = "gemma3:4b"


class Fallback(CommandTest):
    def test_it_is_taken_while_the_only_node_of_a_model_is_down(self):
        first, second = self.sim(speedup=50), self.sim(speedup=50)
        routes = [{"model": MODEL, "nodes": ["node-1"], "fallback": OTHER}]
        gateway = self.ready(self.serve(first.url, second.url, settings=f"routes: {json.dumps(routes)}\n"))

        def ask():
            body = {"model": MODEL, "prompt": "Hi", "stream": False, "options": {"num_predict": 2}}
            answer = post(gateway.url + "/api/generate", body)
            told = [answer.headers[name] for name in ("x-drover-node", "x-drover-fallback", "x-drover-model")]
            return json.loads(answer.text)["model"], *told

        until(lambda: all(node["health"] == "stable" for node in gateway.nodes().values()), "both nodes to be up")
        self.assertEqual(ask(), (MODEL, "node-1", None, None))
        first.kill()
        self.assertEqual(ask(), (OTHER, "node-2", MODEL, OTHER), "nobody had noticed it yet")
        until(lambda: gateway.nodes()[first.url]["health"] == "offline", "the node to be offline", 30)
        self.assertEqual(ask(), (OTHER, "node-2", MODEL, OTHER))
        self.assertIn(f'drover_fallbacks_total{{model="{MODEL}"}} 2', get(gateway.admin + "/metrics").text)
        self.sim(speedup=50, listen=first.url.removeprefix("http://"))
        until(lambda: ask()[0] == MODEL, "the model to be back", 30)
