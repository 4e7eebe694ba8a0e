"""`drover status` and `drover nodes`: what a running gateway does, for people and for scripts."""

import json

from harness import ANYWHERE, MODEL, CommandTest, drover, free_port, needs_no_ollama_here, request, until


class Status(CommandTest):
    def gateway_at_work(self):
        self.down = f"http://127.0.0.1:{free_port()}"
        self.node = self.sim()
        request(self.node.url + "/api/generate", {"model": MODEL})
        gateway = self.ready(self.serve(self.node.url, self.down))
        until(lambda: "error" in gateway.nodes()[self.down], "the second node to be known as down")
        request(gateway.url + "/api/generate", {"model": MODEL, "prompt": "Hi", "stream": False})
        return gateway

    def test_status_says_what_it_does(self):
        gateway = self.gateway_at_work()
        done = self.drover("status", "--admin", gateway.admin.removeprefix("http://"))
        self.assertEqual((done.code, done.errors), (0, ""))
        self.assertNotIn("\x1b", done.output, "no colours in a pipe")
        for what, value in [("Endpoint", gateway.url), ("Admin", gateway.admin), ("Policy", "earliest_finish"),
                            ("Requests", "1 accepted: 1 ok, 0 open"), ("Queue", "0 waiting, 0 in flight")]:
            self.assertRegex(done.output, rf"(?m)^{what} +{value}")
        self.assertRegex(done.output, rf"(?m)^node-1 +stable +0/4 +0 +{MODEL}$")
        self.assertRegex(done.output, r"(?m)^node-2 +offline")

    def test_status_for_scripts(self):
        gateway = self.gateway_at_work()
        done = self.drover("status", "--json", "--admin", gateway.admin)
        self.assertEqual((done.code, done.errors), (0, ""))
        status = json.loads(done.output)
        self.assertEqual((status["listen"], status["admin"]), (gateway.url, gateway.admin))
        self.assertEqual(status["requests"]["accepted"], 1)
        self.assertEqual([node["name"] for node in status["nodes"]], ["node-1", "node-2"])

    def test_nodes_says_where_they_are_and_what_is_wrong(self):
        gateway = self.gateway_at_work()
        done = self.drover("nodes", "--admin", gateway.admin)
        self.assertEqual((done.code, done.errors), (0, ""))
        self.assertRegex(done.output, rf"(?m)^node-1 +{self.node.url} +stable +\S+ +0 +0 +{MODEL} +0/4 +[\d.]+ GB +100% GPU$")
        self.assertRegex(done.output, rf"(?m)^node-2 +{self.down} +offline")
        self.assertRegex(done.output, rf"(?m)^node-2: .*{self.down.removeprefix('http://')}: connect_refused$")

    def test_nodes_for_scripts(self):
        gateway = self.gateway_at_work()
        done = self.drover("nodes", "--json", "--admin", gateway.admin)
        up, down = json.loads(done.output)
        self.assertEqual((up["name"], up["url"], up["health"], up["reachable"]), ("node-1", self.node.url, "stable", True))
        self.assertEqual((down["name"], down["url"], down["health"], down["reachable"]), ("node-2", self.down, "offline", False))
        resident = [runner for runner in up["runners"] if runner["resident"]]
        self.assertEqual([(runner["models"], runner["slots"]) for runner in resident], [([MODEL], 4)], "named as clients name them")

    @needs_no_ollama_here
    def test_simulated_nodes_are_named_as_such(self):
        gateway = self.start("up", "--plain", "--listen", ANYWHERE, "--admin", ANYWHERE).serving()
        for command in ["status", "nodes"]:
            self.check_all_in(self.drover(command, "--admin", gateway.admin).output, "(simulated)", "make their answers up")

    def test_when_nobody_runs_it_says_what_to_do(self):
        for command in ["status", "nodes"]:
            for flags in [[], ["--json"]]:
                port = free_port()
                done = drover(command, "--admin", f"127.0.0.1:{port}", *flags)
                self.assertEqual((done.code, done.output), (1, ""))
                self.check_all_in(done.errors, f"no gateway answers on http://127.0.0.1:{port}", "connection refused",
                                  "drover up", "--admin")

    def test_another_server_there_is_no_gateway(self):
        node = self.sim()
        for command in ["status", "nodes"]:
            done = self.drover(command, "--admin", node.url)
            self.assertEqual((done.code, done.output), (1, ""))
            self.check_all_in(done.errors, node.url, "gateway", "admin address")

    def test_an_address_that_is_none_is_refused(self):
        for admin in ["here", "127.0.0.1", "127.0.0.1:0", "https://127.0.0.1:1"]:
            done = self.drover("status", "--admin", admin)
            self.assertEqual((done.code, done.output), (2, ""), admin)
            self.check_all_in(done.errors, admin, "IP:PORT")
