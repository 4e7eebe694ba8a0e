"""`drover serve`: what it refuses to start with, what it says, and its access log."""

import json
import os
import signal

from harness import MODEL, PLACES, CommandTest, accepts, free_port, get, request, state, until
from test_check import BAD, FAULTS

CANARY = "xylophone-4711"  # stands in prompts, and must stand nowhere else


class Serve(CommandTest):
    def refused(self, settings, *words, code=2):
        self.write(settings)
        done = self.drover("serve", "--config", "drover.yaml")
        self.assertEqual(done.code, code, done)
        self.check_all_in(done.errors, *words)
        self.assertEqual(done.output, "", "nothing was served")

    def test_serves_the_nodes_of_its_file(self):
        nodes = [self.sim() for _ in range(2)]
        gateway = self.ready(self.serve(*[node.url for node in nodes]))
        self.assertEqual(set(gateway.nodes()), {node.url for node in nodes})
        answer = request(gateway.url + "/api/generate", {"model": MODEL, "prompt": "Hi", "stream": False})
        self.assertTrue(answer["done"] and answer["response"], answer)

    def test_a_bad_file_is_refused_with_all_its_faults(self):
        self.refused(BAD, *[f"drover.yaml:{place}: {words[0]}" for place, words in FAULTS.items()])

    def test_a_file_without_nodes_is_refused_and_none_is_looked_for(self):
        self.refused(PLACES, "drover.yaml names no nodes", "`nodes:`")

    def test_an_absent_file_is_refused(self):
        done = self.drover("serve", "--config", "absent.yaml")
        self.assertEqual(done.code, 2)
        self.check_all_in(done.errors, "absent.yaml", "No such file")

    def test_a_file_must_be_named(self):
        self.write(f"{PLACES}nodes: ['http://127.0.0.1:1']\n")
        done = self.drover("serve")
        self.assertEqual(done.code, 2)
        self.check_all_in(done.errors, "--config")

    def test_a_public_address_needs_insecure_said_outright(self):
        for name, other in [("listen", "admin"), ("admin", "listen")]:
            with self.subTest(name=name):
                settings = f"{name}: 0.0.0.0:0\n{other}: 127.0.0.1:0\nnodes: ['http://127.0.0.1:1']\n"
                self.refused(settings, f"drover.yaml:1:{len(name) + 3}: {name} is 0.0.0.0:0",
                             "keys and TLS are not there yet", "insecure: true")

    def test_a_public_address_with_insecure_serves(self):
        self.write("listen: 0.0.0.0:0\nadmin: 0.0.0.0:0\ninsecure: true\nnodes: ['http://127.0.0.1:1']\n")
        gateway = self.start("serve", "--config", "drover.yaml").serving()
        for url in [gateway.url, gateway.admin]:
            self.assertTrue(accepts(url.replace("0.0.0.0", "127.0.0.1")), url)

    def test_its_own_listener_is_no_node(self):
        port = free_port()
        for host in ["127.0.0.1", "localhost", "[::1]"]:
            with self.subTest(host=host):
                self.refused(f"listen: 127.0.0.1:{port}\nadmin: 127.0.0.1:0\nnodes: ['http://{host}:{port}']\n",
                             "drover.yaml:3:9: nodes[0].url", "itself")

    def test_a_second_instance_on_its_port_is_refused_loudly(self):
        # A port that was chosen by name is locked; one that the system chose is only bound.
        chosen = f"listen: 127.0.0.1:{free_port()}\nadmin: 127.0.0.1:0\nnodes: ['http://127.0.0.1:1']\n"
        for settings in [chosen, f"{PLACES}nodes: ['http://127.0.0.1:1']\n"]:
            self.write(settings)
            first = self.start("serve", "--config", "drover.yaml").serving()
            for taken, other in [("listen", "admin"), ("admin", "listen")]:
                with self.subTest(taken=taken, settings=settings):
                    address = (first.url if taken == "listen" else first.admin).removeprefix("http://")
                    port = address.rsplit(":", 1)[1]
                    self.refused(f"{taken}: {address}\n{other}: 127.0.0.1:0\nnodes: ['http://127.0.0.1:1']\n", port, code=1)
                    self.assertTrue(accepts(first.url) and accepts(first.admin), "the first one serves on")

    def test_a_node_that_is_down_stays_listed_as_offline(self):
        node, down = self.sim(), f"http://127.0.0.1:{free_port()}"
        gateway = self.ready(self.serve(node.url, down))
        until(lambda: gateway.nodes()[down].get("error"), "the first probe to fail")
        listed = gateway.nodes()
        self.assertEqual((listed[node.url]["health"], listed[down]["health"]), ("stable", "offline"))


class AccessLog(CommandTest):
    def asked(self, gateway):
        """One request of each kind; returns what their lines must hold."""
        prompt = f"Say {CANARY}."
        request(gateway.url + "/api/generate", {"model": MODEL, "prompt": prompt, "system": prompt, "stream": False})
        get(gateway.url + "/api/tags")
        with self.assertRaises(OSError):
            request(gateway.url + "/v1/chat/completions", {"model": "absent", "messages": [{"role": "user", "content": prompt}]})
        with self.assertRaises(OSError):
            request(gateway.url + "/api/chat", {"model": MODEL, "messages": CANARY})
        get(f"{gateway.url}/{CANARY}?q={CANARY}")
        return [
            {"http.request.method": "POST", "http.route": "/api/generate", "http.response.status_code": 200,
             "drover.outcome": "ok", "drover.dialect": "ollama", "gen_ai.request.model": MODEL, "drover.node": "node-1",
             "drover.attempts": 1, "drover.stream": False},
            {"http.request.method": "GET", "http.route": "/api/tags", "http.response.status_code": 200, "drover.outcome": "ok"},
            {"http.request.method": "POST", "http.route": "/v1/chat/completions", "http.response.status_code": 404,
             "drover.outcome": "refused", "drover.dialect": "openai", "drover.attempts": 0},
            # A refusal of the node's own is its answer.
            {"http.route": "/api/chat", "http.response.status_code": 400, "drover.outcome": "ok", "drover.node": "node-1"},
            {"http.response.status_code": 404, "drover.outcome": "refused", "drover.reason": "not_found"},
        ]

    def test_one_line_of_json_a_request(self):
        gateway = self.ready(self.serve(self.sim().url))
        expected = self.asked(gateway)
        gateway.stop()
        gateway.end()
        # Lines of two workers may change places on their way.
        lines = sorted((json.loads(line) for line in gateway.seen["stdout"]), key=lambda line: line["@timestamp"])
        self.assertEqual(len(lines), len(expected), gateway.printed("stdout"))
        for line, fields in zip(lines, expected):
            self.assertEqual(line, line | fields)
        self.assertEqual(len({line["http.request.id"] for line in lines}), len(lines), "ids are unique")

    def test_times_and_tokens_of_an_answer_add_up(self):
        gateway = self.ready(self.serve(self.sim().url))
        answer = request(gateway.url + "/api/generate", {"model": MODEL, "prompt": "Hi", "stream": False})
        line = json.loads(gateway.line("stdout", "/api/generate").string)
        parts = sum(line[f"drover.{name}_ms"] for name in ["queue", "load", "prefill", "decode", "overhead"])
        self.assertAlmostEqual(parts, line["event.duration"] / 1e6, delta=1)
        self.assertEqual(line["gen_ai.usage.input_tokens"], answer["prompt_eval_count"])
        self.assertEqual(line["gen_ai.usage.output_tokens"], answer["eval_count"])
        self.assertGreater(line["http.request.body.bytes"], 0)
        self.assertGreater(line["http.response.body.bytes"], 0)

    def test_the_load_of_a_cold_model_is_in_its_own_field(self):
        gateway = self.ready(self.serve(self.sim(speedup=2).url))  # a load takes about 0.4 s then
        request(gateway.url + "/api/generate", {"model": MODEL, "prompt": "Hi", "stream": False})
        line = json.loads(gateway.line("stdout", "/api/generate").string)
        self.assertGreater(line["drover.load_ms"], 100, line)
        self.assertLess(line["drover.queue_ms"], 100, line)

    def test_nothing_of_a_prompt_is_printed_anywhere(self):
        node = self.sim()
        gateway = self.ready(self.serve(node.url))
        self.asked(gateway)
        answer = request(gateway.url + "/api/generate", {"model": MODEL, "prompt": CANARY, "stream": False})["response"]
        metrics, status = (get(gateway.admin + path).text for path in ["/metrics", "/api/status"])
        gateway.stop()
        gateway.end()
        said = answer.split()[0] + " " + answer.split()[1]
        for where, text in [("stdout", gateway.printed("stdout")), ("stderr", gateway.printed("stderr")),
                            ("metrics", metrics), ("status", status)]:
            self.assertNotIn(CANARY, text, where)
            self.assertNotIn(said, text, f"the answer in {where}")

    def test_goes_to_the_file_that_is_named_and_is_opened_anew_on_sigusr1(self):
        log, moved = self.folder / "access.log", self.folder / "access.log.1"
        gateway = self.serve("http://127.0.0.1:1", settings="access_log: ./access.log\n")
        get(gateway.url + "/api/version")
        until(lambda: log.exists() and log.read_text().count("\n") == 1, "the first line")
        os.rename(log, moved)
        gateway.send(signal.SIGUSR1)
        until(log.exists, "the new file")
        get(gateway.url + "/api/tags")
        until(lambda: "/api/tags" in log.read_text(), "the second line, in the new file")
        self.assertNotIn("/api/tags", moved.read_text())
        self.assertEqual(gateway.printed("stdout"), "")

    def test_is_a_trace_that_says_how_prompts_begin_if_it_shall(self):
        gateway = self.ready(self.serve(self.sim().url, settings="access_log: {to: ./access.log, prefix_hashes: true}\n"))
        common = f"{CANARY} " * 200
        for end in ["one", "other"]:
            request(gateway.url + "/api/generate", {"model": MODEL, "prompt": common + end * 600, "stream": False, "options": {"num_predict": 4}})
        log = self.folder / "access.log"
        until(lambda: log.exists() and log.read_text().count("/api/generate") == 2, "both lines")
        self.assertNotIn(CANARY, log.read_text())
        one, other = (json.loads(line)["drover.prefix_hashes"] for line in log.read_text().splitlines() if "/api/generate" in line)
        whole = len(common) // 1024
        self.assertEqual(one[:whole], other[:whole])
        self.assertNotEqual(one[whole], other[whole])
        done = self.drover("replay", "--trace", "access.log", "--json")
        self.assertEqual((done.code, done.errors), (0, ""))
        report = json.loads(done.output)
        self.assertEqual(report["policies"][0]["means"]["ok"], 2)
        self.assertGreater(report["policies"][0]["means"]["cached_infinite"], 0.1)

    def test_can_be_turned_off(self):
        gateway = self.serve("http://127.0.0.1:1", settings="access_log: off\n")
        get(gateway.url + "/api/version")
        gateway.stop()
        self.assertEqual(gateway.end(), 0)
        self.assertEqual(gateway.printed("stdout"), "")

    def test_names_the_node_that_answered_after_a_retry(self):
        nodes = [self.sim() for _ in range(2)]
        for node in nodes:
            request(node.url + "/api/generate", {"model": MODEL})  # so that the gateway loads nothing
        gateway = self.serve(*[node.url for node in nodes])
        until(lambda: all(node["health"] == "stable" for node in gateway.nodes().values()), "both nodes to be up")
        for node in nodes:
            request(node.url + "/sim/faults", {"fault": "busy", "count": 1})
        request(gateway.url + "/api/generate", {"model": MODEL, "prompt": "Hi", "stream": False})
        line = json.loads(gateway.line("stdout", "/api/generate").string)
        self.assertEqual((line["http.response.status_code"], line["drover.outcome"], line["drover.attempts"]), (200, "ok", 3))
        served = nodes[int(line["drover.node"].removeprefix("node-")) - 1]
        self.assertGreater(state(served.url)["tokens"], 0)
