"""The operators' listener: liveness, readiness, metrics, and nothing of it on the clients' listener."""

import http.client
import json
import math
import re

from harness import MODEL, PLACES, CommandTest, free_port, get, request, status_of, until

NAME, LABEL = r"[a-zA-Z_:][a-zA-Z0-9_:]*", r"[a-zA-Z_][a-zA-Z0-9_]*"
LABELS = re.compile(rf'({LABEL})="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (\S+)$")
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}


def ended_in(samples):
    return sum(value for (name, _), value in samples.items() if name == "drover_requests_total")


def parse_metrics(text):
    """Samples by (name, labels) of Prometheus' text format 0.0.4, read more strictly than Prometheus does: each family has
    HELP and TYPE before its samples and stands in one piece, no sample stands twice, and buckets of a histogram add up."""
    assert text.endswith("\n"), "the last line is ended"
    samples, kinds, told = {}, {}, set()
    family = None
    for number, line in enumerate(text.splitlines(), 1):
        where = f"line {number}: {line}"
        if head := re.match(rf"# (HELP|TYPE) ({NAME}) (.+)$", line):
            keyword, family, rest = head.groups()
            if keyword == "HELP":
                assert family not in told, f"{where}: told twice"
                told.add(family)
            else:
                assert rest in SUFFIXES and family in told and family not in kinds, where
                kinds[family] = rest
            continue
        sample = SAMPLE.match(line)
        assert sample, where
        name, labels, value = sample.groups()
        assert family in kinds and name in [family + suffix for suffix in SUFFIXES[kinds[family]]], f"{where}: not of {family}"
        pairs = LABELS.findall(labels or "")
        assert LABELS.sub("", labels or "") == "" and len({key for key, _ in pairs}) == len(pairs), f"{where}: labels"
        at = (name, tuple(sorted(pairs)))
        assert at not in samples, f"{where}: stands twice"
        samples[at] = float(value)  # Python reads +Inf and NaN as Prometheus does
        if kinds[family] != "gauge":
            assert samples[at] >= 0, where
    for family in [name for name, kind in kinds.items() if kind == "histogram"]:
        check_histogram(family, samples)
    return samples


def check_histogram(family, samples):
    series = {}
    for (name, labels), value in samples.items():
        if name == family + "_bucket":
            bound = float(dict(labels)["le"])
            series.setdefault(tuple(pair for pair in labels if pair[0] != "le"), []).append((bound, value))
    for labels, buckets in series.items():
        counts = [count for _, count in sorted(buckets)]
        assert counts == sorted(counts), f"{family}{labels}: buckets are cumulative"
        assert max(buckets)[0] == math.inf and counts[-1] == samples[(family + "_count", labels)], f"{family}{labels}"
        assert (family + "_sum", labels) in samples, f"{family}{labels}"


class Admin(CommandTest):
    def metrics(self, gateway):
        return parse_metrics(get(gateway.admin + "/metrics").text)

    def test_is_live_at_once_and_ready_when_a_node_is(self):
        port = free_port()
        gateway = self.serve(f"http://127.0.0.1:{port}", settings="timeouts: {probe_interval: 200ms}\n")
        self.assertEqual(get(gateway.admin + "/livez")[::2], (200, "ok\n"))
        until(lambda: "error" in gateway.nodes()[f"http://127.0.0.1:{port}"], "the first probe to fail")
        self.assertEqual(status_of(gateway.admin + "/readyz"), 503)
        node = self.start("sim", "--listen", f"127.0.0.1:{port}")
        self.ready(gateway)
        node.stop()
        until(lambda: status_of(gateway.admin + "/readyz") == 503, "the only node to be offline again")
        self.assertEqual(status_of(gateway.admin + "/livez"), 200)

    def test_metrics_are_prometheus_text(self):
        gateway = self.ready(self.serve(self.sim().url, f"http://127.0.0.1:{free_port()}"))
        for stream in [True, False]:
            body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "stream": stream}
            if stream:
                get(gateway.url + "/v1/models/absent\\%22%0a")  # what a label must escape
            else:
                request(gateway.url + "/v1/chat/completions", body)
        with self.assertRaises(OSError):
            request(gateway.url + "/api/generate", {"model": 'ab"se\\nt\n', "prompt": "Hi"})
        # A client may have its answer a moment before its request is counted as ended.
        until(lambda: ended_in(parse_metrics(get(gateway.admin + "/metrics").text)) >= 3, "all three to have ended")
        answer = get(gateway.admin + "/metrics")
        self.assertEqual(answer.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
        samples = parse_metrics(answer.text)
        self.assertEqual(samples[("drover_node_up", (("node", "node-1"),))], 1)
        self.assertEqual(samples[("drover_node_up", (("node", "node-2"),))], 0)
        self.assertEqual(samples[("drover_config_last_reload_success", ())], 1)
        accepted = samples[("drover_requests_accepted_total", ())]
        self.assertEqual((accepted, ended_in(samples)), (3, 3), "what was accepted has ended exactly once")
        served = [labels for (name, labels), _ in samples.items() if name == "drover_requests_total" and ("model", MODEL) in labels]
        self.assertEqual(len(served), 1)

    def test_unknown_paths_and_methods_are_said(self):
        gateway = self.serve("http://127.0.0.1:1")
        for path in ["/", "/nothing", "/metrics/", "/api/tags", "/api/generate"]:
            answer = get(gateway.admin + path)
            self.assertEqual(answer.status, 404, path)
            self.check_all_in(answer.text, "/livez", "/readyz", "/metrics", "/api/status")
        with self.assertRaises(OSError) as refused:
            request(gateway.admin + "/metrics", {})
        self.assertEqual(refused.exception.code, 405)
        self.assertEqual(refused.exception.headers["Allow"], "GET, HEAD")
        refused.exception.close()

    def test_a_node_can_be_tried(self):
        gateway = self.ready(self.serve(self.sim().url))
        trial = gateway.admin + "/api/nodes/node-1/trial"
        self.assertEqual(status_of(trial), 405)

        def refused(url):
            with self.assertRaises(OSError) as refusal:
                request(url, {})
            with refusal.exception as answer:
                return answer.code, answer.read().decode()

        self.check_all_in(refused(gateway.admin + "/api/nodes/nobody/trial")[1], "there is no node nobody")
        self.assertEqual(refused(trial)[0], 409, "it has no model in memory yet")
        request(gateway.url + "/api/generate", {"model": MODEL, "prompt": "Hi", "stream": False})
        self.assertEqual(request(trial, {}), {"node": "node-1", "trial": "began"})
        passed = ("drover_node_trials_total", (("node", "node-1"), ("verdict", "passed")))
        until(lambda: self.metrics(gateway).get(passed) == 1, "the trial to have passed")

    def test_reports_of_gpus_are_shown(self):
        sim = self.sim()
        self.write(f"{PLACES}timeouts: {{probe_interval: 200ms}}\nnodes: [{{url: '{sim.url}', agent: '{sim.url}'}}]\n")
        gateway = self.ready(self.start("serve", "--config", "drover.yaml").serving())
        until(lambda: "gpu" in gateway.nodes()[sim.url], "the agent's first report")
        gpu = gateway.nodes()[sim.url]["gpu"]
        self.assertEqual((gpu["busy"], len(gpu["gpus"])), (0, 1))
        self.assertIn(("drover_node_gpu_busy_ratio", (("node", gateway.nodes()[sim.url]["name"]),)), self.metrics(gateway))

    def test_nothing_of_it_is_on_the_clients_listener(self):
        gateway = self.serve("http://127.0.0.1:1")
        for path in ["/metrics", "/livez", "/readyz"]:
            self.assertEqual(status_of(gateway.url + path), 404, path)
        self.assertEqual(list(json.loads(get(gateway.url + "/api/status").text)), ["cloud"], "Ollama has a route of that name")

    def test_strange_hosts_and_pages_are_refused(self):
        gateway = self.serve("http://127.0.0.1:1")
        for headers, status in [({"Host": "evil.example"}, 421), ({"Origin": "https://evil.example"}, 403)]:
            for path in ["/metrics", "/api/status"]:
                with self.subTest(headers=headers, path=path):
                    connection = http.client.HTTPConnection(gateway.admin.removeprefix("http://"), timeout=10)
                    connection.request("GET", path, headers=headers)
                    answer = connection.getresponse()
                    self.assertEqual(answer.status, status)
                    self.assertNotIn(b"drover_", answer.read())
                    connection.close()

    def test_status_is_json(self):
        gateway = self.ready(self.serve(self.sim().url))
        answer = get(gateway.admin + "/api/status")
        self.assertEqual(answer.headers["Content-Type"], "application/json")
        status = json.loads(answer.text)
        self.assertEqual((status["listen"], status["admin"]), (gateway.url, gateway.admin))
