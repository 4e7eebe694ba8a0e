"""Models that do not all fit into a node's memory: the gateway chooses what goes, and tells the node by name."""

from harness import CommandTest, get, request


class Evictions(CommandTest):
    def test_a_full_node_is_told_which_model_goes(self):
        gateway = self.ready(self.serve(self.sim(speedup=20).url))
        models = [model["name"] for model in request(gateway.url + "/api/tags")["models"] if "embed" not in model["name"]]
        for model in models * 3:
            answer = request(gateway.url + "/api/generate", {"model": model, "prompt": "Hi", "stream": False})
            self.assertTrue(answer["done"])
        page = get(gateway.admin + "/metrics").text.splitlines()

        def counted(series):
            return next((int(line.split()[-1]) for line in page if line.startswith(series)), 0)

        self.assertEqual(counted('drover_model_loads_total{node="node-1",result="failed"}'), 0)
        loads = counted('drover_model_loads_total{node="node-1",result="ok"}')
        self.assertGreater(loads, len(models), "some had to be loaded again")
        # The first time nobody knows how many fit, and the node chooses.
        evictions = counted('drover_model_evictions_total{node="node-1"}')
        self.assertGreaterEqual(evictions, loads - len(models) - 1)
        self.assertLess(evictions, loads)
