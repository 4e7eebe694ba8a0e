"""`drover sim`: simulated Ollama nodes on real sockets."""

import json
import signal

from harness import MODEL, CommandTest, free_port, get, request, until


class Sim(CommandTest):
    def announced(self, node, count):
        until(lambda: len(node.seen["stdout"]) == count, "the nodes to be announced")
        return [json.loads(line) for line in node.seen["stdout"]]

    def test_says_in_json_where_its_nodes_are(self):
        nodes = self.announced(self.start("sim", "--listen", "127.0.0.1:0", "--nodes", 3, "--json"), 3)
        self.assertEqual(len({node["url"] for node in nodes}), 3)
        for node in nodes:
            self.assertTrue(node["name"] and node["preset"], node)
            self.assertEqual(get(node["url"] + "/").text, "Ollama is running")

    def test_the_nodes_behind_a_chosen_port_have_the_next_ones(self):
        first = free_port(following=1)
        node = self.start("sim", "--listen", f"127.0.0.1:{first}", "--nodes", 2)
        for port in [first, first + 1]:
            node.line("stdout", rf"simulated node \S+ on http://127\.0\.0\.1:{port} \(card \w+, \d+ models\)")

    def test_a_seed_decides_the_text(self):
        def text(seed):
            return request(self.sim(seed=seed).url + "/api/generate", {"model": MODEL, "prompt": "Hi", "stream": False})["response"]

        self.assertEqual(text(1), text(1))
        self.assertNotEqual(text(1), text(2))

    def test_says_when_ports_run_out(self):
        done = self.drover("sim", "--listen", "127.0.0.1:65535", "--nodes", "2")
        self.assertEqual(done.code, 1)
        self.assertIn("ports above 65535", done.errors)

    def test_ends_when_asked(self):
        for number in [signal.SIGTERM, signal.SIGINT]:
            node = self.start("sim", "--listen", "127.0.0.1:0", "--json")
            self.announced(node, 1)
            node.send(number)
            self.assertEqual(node.end(5), 0)

    def test_a_taken_port_is_said(self):
        port = self.sim().url.rsplit(":", 1)[1]
        done = self.drover("sim", "--listen", f"127.0.0.1:{port}")
        self.assertEqual((done.code, done.output), (1, ""))
        self.check_all_in(done.errors, port, "in use")

    def test_refuses_what_makes_no_sense(self):
        for flags, word in [(["--nodes", 0], "nodes"), (["--nodes", 101], "nodes"), (["--speedup", 0], "speed"),
                            (["--speedup", -1], "speed"), (["--speedup", "nan"], "speed"), (["--slots", 0], "slots"),
                            (["--slots", -1], "slots"), (["--listen", "here"], "here"), (["--seed", "many"], "seed")]:
            with self.subTest(flags=flags):
                done = self.drover("sim", *(["--listen", "127.0.0.1:0"] if "--listen" not in flags else []), *flags)
                self.assertEqual((done.code, done.output), (2, ""), done)
                self.assertIn(word, done.errors)
