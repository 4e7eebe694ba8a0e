#!/usr/bin/env python3
"""When does a bar hold, and what is compared with what? Measurements here are made up."""

import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

from campaign.measure import RowResult, Sample, verdict  # noqa: E402
from campaign.report import row_json  # noqa: E402
from campaign.rows import ROWS, Bar, Measure, Row, per_request  # noqa: E402

BAR = Bar("nginx", must=1.0, goal=0.8)
VERDICTS = [
    ("all pairs meet the goal", [0.7, 0.8, 0.6, 0.7, 0.75], "goal"),
    ("one of five may miss it", [0.7, 0.7, 0.7, 0.7, 2.0], "goal"),
    ("two may not, though the median does", [0.7, 0.7, 0.7, 0.9, 0.9], "must"),
    ("at the bound", [1.0] * 5, "must"),
    ("the median is above", [1.1, 1.1, 1.1, 0.9, 0.9], "MISSED"),
    ("four of five are not three", [0.9, 0.9, 0.9, 1.1, 1.1], "MISSED"),
    ("one pair is void, the others hold", [0.7, 0.7, 0.7, 0.7], "goal"),
    ("one pair is void, and one of the others misses", [0.7, 0.7, 0.7, 2.0], "MISSED"),
    ("two pairs are void", [0.7, 0.7, 0.7], "void"),
    ("all are", [], "void"),
]


def report(requests: int, proxy_us: int, p50: float = 0) -> dict:
    return {"requests": requests, "chunks": 0, "seconds": 1, "cpu_ns": {"proxy": proxy_us * 1000, "load": 0}, "latency_us": {"p50": p50},
            "chunk_latency_us": {"p50": 0}}


class CampaignTest(unittest.TestCase):
    def test_a_bar_holds_if_the_median_does_and_four_of_five_pairs_do(self):
        for name, ratios, expected in VERDICTS:
            with self.subTest(name):
                self.assertEqual(verdict(ratios, BAR, 5), expected)

    def test_drover_is_compared_with_the_peer_of_the_same_round(self):
        measure = Measure("CPU per request", "µs", per_request, (BAR,))
        row = Row("row", "", (), ("nginx", "drover"), (measure,))
        result = RowResult(row, row.systems, [Sample("drover", 0, report(10, 50)), Sample("nginx", 0, report(10, 100)),
                                              Sample("drover", 1, report(10, 60)), Sample("nginx", 2, report(10, 100))])
        self.assertEqual(result.ratios(measure, "nginx", 3), [0.5])

    def test_the_parts_of_a_round_are_one_measurement_unless_one_is_void(self):
        measure = Measure("CPU per request", "µs", per_request, (BAR,))
        row = Row("row", "", (), ("nginx", "drover"), (measure,))
        result = RowResult(row, row.systems, [Sample("drover", 0, report(30, 100, 5)), Sample("drover", 0, report(10, 100, 7), 1),
                                              Sample("nginx", 0, report(10, 50)), Sample("nginx", 0, report(10, 150), 1),
                                              Sample("drover", 1, report(10, 50))], parts=2)
        self.assertEqual(result.value(measure, "drover", 0), 5)
        self.assertEqual(result.report("drover", 0)["latency_us"]["p50"], 6)
        self.assertEqual(result.ratios(measure, "nginx", 2), [0.5])
        self.assertIsNone(result.value(measure, "drover", 1))

    def test_added_latency_is_over_the_direct_one_of_the_round(self):
        measure = Measure("median latency added", "µs", lambda one: one["latency_us"]["p50"], over_direct=True)
        row = Row("row", "", (), ("direct", "nginx", "drover"), (measure,))
        result = RowResult(row, row.systems, [Sample("direct", 0, report(1, 1, 20)), Sample("nginx", 0, report(1, 1, 40)),
                                              Sample("drover", 0, report(1, 1, 30))])
        self.assertEqual(result.ratios(measure, "nginx", 1), [0.5])

    def test_a_peer_that_is_missing_or_void_leaves_no_bar_out(self):
        row = next(row for row in ROWS if row.name == "closed")
        result = RowResult(row, ("nginx", "haproxy_http", "drover"), missing={"nginx": "not installed"},
                           voids=[Sample("haproxy_http", 0, {}, void="a wrong byte")])
        told = row_json(result, 5)
        self.assertEqual([(bar["peer"], bar["verdict"]) for bar in told["measures"][0]["bars"]],
                         [("nginx", "void"), ("haproxy_http", "void"), ("envoy", "not measured")])
        self.assertEqual(told["without_figures"], {"nginx": "not installed", "haproxy_http": "void in every round: a wrong byte"})


if __name__ == "__main__":
    unittest.main(verbosity=2)
