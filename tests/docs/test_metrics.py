"""docs/metrics.md against a live page of metrics, a live access log, and the tables in the sources."""

import json
import re
import unittest
import urllib.request

from documents import CHAT, Gateway, blocks, rows, source, start_sim, text_of, until
from exchange import ask

PARTS = r"_(bucket|sum|count)$"  # of a histogram


class Tables(unittest.TestCase):
    maxDiff = None

    def test_every_metric_is_documented_and_no_other(self):
        known = {name: (kind, re.findall(r'"(\w+)"', labels)) for name, kind, labels in re.findall(
            r'\{Metric::\w+,\s*"(\w+)",\s*(\w+),\s*"[^"]*",\s*\{([^}]*)\}\}', source("observe/metric_table.cpp"))}
        self.assertGreater(len(known), 20)
        documented = {row["metric"]: (row["type"], labels_of(row)) for row in rows("metrics.md", "metric")}
        self.assertEqual(documented, known)

    def test_every_field_of_the_access_log_is_documented_in_its_order(self):
        known = re.findall(r'line\.\w+\(R"\([{,]"([^"]+)":\)"', source("observe/access_log.cpp"))
        self.assertGreater(len(known), 20)
        self.assertEqual([row["field"] for row in rows("metrics.md", "field")], known)

    def test_values_of_labels(self):
        enums = {"outcome` of requests": "Outcome", "outcome` of attempts": "AttemptOutcome", "phase": "Phase",
                 "cause": "CutCause", "kind": "Anomaly", "result` of look-ups": "NameLookup", "verdict": "TrialVerdict"}
        documented = {row["label"].strip("`"): re.findall(r"`(\w+)`", row["values"]) for row in rows("metrics.md", "label")}
        for label, enum in enums.items():
            with self.subTest(label):
                known = re.findall(rf'case {enum}::\w+: return "(\w+)"', source("observe/outcome.cpp"))
                self.assertEqual(documented[label], known)

    def test_queries_ask_for_metrics_that_exist(self):
        known = {row["metric"] for row in rows("metrics.md", "metric")}
        for block in blocks("metrics.md", "promql"):
            for name in re.findall(r"drover_\w+", block):
                self.assertIn(re.sub(PARTS, "", name), known, block)

    def test_other_documents_name_metrics_that_exist(self):
        known = {row["metric"] for row in rows("metrics.md", "metric")}
        for name in ["configuration.md", "operations.md", "errors.md", "clients.md", "differences.md"]:
            for metric in re.findall(r"\bdrover_[a-z_]+", text_of(name)):
                self.assertIn(metric, known, name)


class Live(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        sim = start_sim()
        cls.addClassCleanup(sim.stop)
        cls.gateway = Gateway({"gpu-1": sim.url})
        cls.addClassCleanup(cls.gateway.stop)
        body = {"model": CHAT, "messages": [{"role": "user", "content": "Hi"}], "options": {"num_predict": 8}}
        assert ask(cls.gateway.url, "POST", "/api/chat", body=json.dumps(body).encode()).status == 200
        cls.line = json.loads(until(lambda: cls.gateway.log.read_text().splitlines(), "the access log to have a line")[0])

    def test_the_page_has_the_documented_metrics(self):
        with urllib.request.urlopen(self.gateway.admin + "/metrics", timeout=10) as answer:
            page = answer.read().decode()
        documented = {row["metric"]: row for row in rows("metrics.md", "metric")}
        self.assertEqual(dict(re.findall(r"^# TYPE (\w+) (\w+)$", page, re.MULTILINE)),
                         {name: row["type"] for name, row in documented.items()})
        for name, labels in re.findall(r"^(drover_\w+)\{(.*)\} ", page, re.MULTILINE):
            metric = documented.get(name) or documented[re.sub(PARTS, "", name)]
            got = [label for label in re.findall(r'(\w+)="', labels) if label != "le"]
            self.assertEqual(got, labels_of(metric), name)

    def test_a_line_has_the_documented_fields(self):
        fields = [row["field"] for row in rows("metrics.md", "field")]
        self.assertEqual([name for name in fields if name in self.line], list(self.line))

    def test_the_example_line_has_the_fields_of_a_real_one(self):
        (shown,) = blocks("metrics.md", "json")
        self.assertEqual(list(json.loads(shown)), list(self.line))

    def test_types(self):
        types = {"text": str, "number": (int, float), "true or false": bool}
        for row in rows("metrics.md", "field"):
            if row["field"] in self.line:
                self.assertIsInstance(self.line[row["field"]], types[row["type"]], row["field"])


def labels_of(row):
    return [] if row["labels"] == "none" else re.findall(r"\w+", row["labels"])


if __name__ == "__main__":
    unittest.main()
