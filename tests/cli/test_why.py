"""`drover why`: why a request went to its node, what was expected there, and what it took."""

import json
import re

from harness import MODEL, CommandTest, Stream, drover, free_port, get, post, until


class Why(CommandTest):
    def two_nodes(self, settings=""):
        gateway = self.ready(self.serve(*(self.sim(speedup=50).url for _ in range(2)), settings=settings))
        until(lambda: all(node["health"] == "stable" for node in gateway.nodes().values()), "both nodes to be up")
        return gateway

    def ask(self, gateway, name):
        body = {"model": MODEL, "prompt": "Hi", "stream": False, "options": {"num_predict": 8}}
        return post(gateway.url + "/api/generate", body, **{"x-request-id": name})

    def why(self, gateway, *arguments):
        done = self.drover("why", *arguments, "--admin", gateway.admin)
        self.assertEqual((done.code, done.errors), (0, ""))
        return done.output

    def ended(self, gateway, name):
        """Its decisions, once it has ended: the client has its answer a moment before."""
        return until(lambda: [decision for decision in self.decisions(gateway, name) if decision["state"] == "ended"], f"{name} to have ended")

    def decisions(self, gateway, name):
        answer = json.loads(self.why(gateway, name, "--json"))
        self.assertEqual(answer["request"], name)
        return answer["decisions"]

    def test_of_a_request_that_has_ended(self):
        gateway = self.two_nodes()
        self.ask(gateway, "first")
        answer = self.ask(gateway, "demo-1")
        (decision,) = self.ended(gateway, "demo-1")
        node = answer.headers["x-drover-node"]
        self.assertEqual((decision["node"], decision["reason"]), (node, "earliest_finish"))
        self.assertEqual((decision["model"], decision["route"], decision["policy"]), (MODEL, "*", "earliest_finish"))
        self.assertEqual((decision["outcome"], decision["candidates_in_all"]), ("ok", 2))
        self.assertEqual([each["node"] for each in decision["candidates"] if each["chosen"]], [node])
        (chosen,) = (each["estimate"] for each in decision["candidates"] if each["chosen"])
        self.assertEqual(int(answer.headers["x-drover-estimate-ms"]), int(1000 * chosen["total_s"]))
        self.assertGreater(decision["took"]["total_s"], 0)
        self.assertAlmostEqual(decision["error_percent"]["total"], 100 * (decision["took"]["total_s"] / chosen["total_s"] - 1), 3)

        text = self.why(gateway, "demo-1")
        self.assertRegex(text, rf"\Ademo-1 took {node} because it was expected to have the answer in [\d.]+ m?s; the next best, node-\d, in ")
        self.assertRegex(text, r"(?m)^Took +[\d.]+ m?s, expected [\d.]+ m?s \([+-]\d+ %\)$")
        self.assertRegex(text, rf"(?m)^\*  {node} +ready +0/4 +1 ")
        self.assertNotIn("\x1b", text, "no colours in a pipe")
        self.assertEqual(re.findall(r"\A\S+", self.why(gateway, "--last")), ["demo-1"])

    def test_the_metric_says_how_far_off_estimates_are(self):
        gateway = self.two_nodes()
        self.ask(gateway, "demo-1")
        counted = f'drover_estimate_ratio_count{{model="{MODEL}",part="answer"}} 1'
        until(lambda: counted in get(gateway.admin + "/metrics").text, "the estimate to be compared")

    def test_of_one_that_waits_and_one_that_runs(self):
        node = self.sim()
        gateway = self.ready(self.serve(node.url, slots=1))
        running = Stream(gateway.url, 10_000)
        self.assertIn(" took node-1, the only node that could serve it.\n", self.why(gateway, "--last"))
        self.assertIn("\nRunning ", self.why(gateway, "--last"))
        client = self.start("load", gateway.url, "--model", MODEL, "--requests", "1", "--concurrency", "1", "--plain")
        until(lambda: " has waited for " in self.why(gateway, "--last"), "the second request to wait")
        self.assertRegex(self.why(gateway, "--last"), r"(?m)^Waited .* as number 1 of its line$")
        (decision,) = json.loads(self.why(gateway, "--last", "--json"))["decisions"]
        self.assertEqual((decision["state"], decision["told"]["position"]), ("waiting", 1))
        self.assertEqual([each["readiness"] for each in decision["candidates"]], ["busy"])
        client.stop()
        until(lambda: " left after it had waited for " in self.why(gateway, "--last"), "the second request to have left")
        self.assertFalse(running.error)

    def test_a_request_that_was_repeated_has_a_decision_for_each_attempt(self):
        first, second = self.sim(speedup=50), self.sim(speedup=50)
        routes = [{"model": "*", "policy": "manual", "nodes": ["node-1", "node-2"]}]
        settings = f"timeouts: {{probe_interval: 1h}}\nroutes: {json.dumps(routes)}\n"
        gateway = self.ready(self.serve(first.url, second.url, settings=settings))
        until(lambda: all(node["health"] == "stable" for node in gateway.nodes().values()), "both nodes to be up")
        self.ask(gateway, "warm")
        first.kill()
        self.ask(gateway, "demo-1")
        (decision,) = self.ended(gateway, "demo-1")[-1:]
        self.assertEqual([each["node"] for each in self.decisions(gateway, "demo-1")], ["node-1", "node-2"])
        self.assertEqual(decision["outcome"], "ok")
        self.check_all_in(self.why(gateway, "demo-1"), "demo-1, attempt 1, took node-1", "demo-1, attempt 2, took node-2",
                          "Outcome   connect_refused")

    def test_of_one_that_is_not_remembered(self):
        gateway = self.two_nodes()
        self.ask(gateway, "somebody")
        for flags in [["nobody"], ["nobody", "--json"]]:
            done = self.drover("why", *flags, "--admin", gateway.admin)
            self.assertEqual((done.code, done.output), (1, ""))
            self.check_all_in(done.errors, "nothing is remembered of request nobody", "1 decisions", "limits.decisions")
        self.assertEqual(get(gateway.admin + "/api/decisions/nobody").status, 404)
        self.assertEqual(get(gateway.admin + "/api/decisionsnobody").status, 404)

    def test_it_can_be_off(self):
        gateway = self.two_nodes(settings="limits: {decisions: 0}\n")
        self.ask(gateway, "demo-1")
        done = self.drover("why", "--last", "--admin", gateway.admin)
        self.assertEqual((done.code, done.output), (1, ""))
        self.assertIn("nothing is remembered of any request", done.errors)

    def test_what_is_no_question_is_refused(self):
        for arguments, words in [([], "name a request, or --last"), (["a b"], "is no id of a request"), (["a/../b"], "is no id"),
                                 (["x" * 129], "is no id"), (["x", "--last"], "--last"), (["x", "--admin", "here"], "IP:PORT")]:
            done = drover("why", *arguments)
            self.assertEqual((done.code, done.output), (2, ""), arguments)
            self.assertIn(words, done.errors)

    def test_when_nobody_runs_it_says_what_to_do(self):
        done = drover("why", "--last", "--admin", f"127.0.0.1:{free_port()}")
        self.assertEqual((done.code, done.output), (1, ""))
        self.check_all_in(done.errors, "no gateway answers", "drover up", "--admin")

    def test_another_server_there_is_no_gateway(self):
        done = self.drover("why", "--last", "--admin", self.sim().url)
        self.assertEqual((done.code, done.output), (1, ""))
        self.check_all_in(done.errors, "answered 404", "admin address")
