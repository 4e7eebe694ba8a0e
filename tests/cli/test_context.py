"""Requests that name their context: a node does not load its model anew for each of them."""

import json

from harness import MODEL, CommandTest, get, post, state


class Context(CommandTest):
    def setUp(self):
        super().setUp()
        self.node = self.sim(speedup=50)

    def ask(self, gateway, num_ctx=None, path="/api/chat"):
        """The context that the request was told of, or None; the answer must be whole."""
        options = {"num_predict": 2} | ({"num_ctx": num_ctx} if num_ctx else {})
        body = {"model": MODEL, "stream": False, "options": options}
        body |= {"messages": [{"role": "user", "content": "Hi"}]} if path == "/api/chat" else {"prompt": "Hi"}
        answer = post(gateway.url + path, body)
        self.assertTrue(json.loads(answer.text)["done"], answer.text)
        return answer.headers["x-drover-context"]

    def loads(self):
        return state(self.node.url)["loads"]

    def loaded(self):
        (model,) = json.loads(get(self.node.url + "/api/ps").text)["models"]
        return model["context_length"]

    def test_smaller_ones_run_on_what_is_loaded_and_a_larger_one_loads_once(self):
        gateway = self.ready(self.serve(self.node.url))
        self.assertIsNone(self.ask(gateway))
        own = self.loaded()
        for number, num_ctx in enumerate([512, 1024, own - 1, own]):
            path = "/api/generate" if number % 2 else "/api/chat"
            told = self.ask(gateway, num_ctx, path)
            self.assertEqual(told, None if num_ctx == own else str(own))
        self.assertEqual((self.loads(), self.loaded()), (1, own))

        self.assertIsNone(self.ask(gateway, own + 1000))
        self.assertEqual(self.ask(gateway, own + 500), str(own + 1000))
        self.assertEqual(self.ask(gateway, 512), str(own + 1000))
        self.assertEqual((self.loads(), self.loaded()), (2, own + 1000))
        avoided = f'drover_reloads_avoided_total{{model="{MODEL}"}} 5'
        self.assertIn(avoided, get(gateway.admin + "/metrics").text)

    def test_a_model_that_was_loaded_behind_the_gateway_is_kept(self):
        post(self.node.url + "/api/generate", {"model": MODEL, "options": {"num_ctx": 6000}})
        gateway = self.ready(self.serve(self.node.url))
        self.assertEqual(self.ask(gateway, 5000), "6000")
        self.assertEqual((self.loads(), self.loaded()), (1, 6000))

    def test_as_sent_a_node_loads_for_each(self):
        gateway = self.ready(self.serve(self.node.url, settings=f"routes: [{{model: '{MODEL}', context: as_sent}}]\n"))
        for num_ctx in [512, 1024, 512]:
            self.assertIsNone(self.ask(gateway, num_ctx))
            self.assertEqual(self.loaded(), num_ctx)
        self.assertEqual(self.loads(), 3)
