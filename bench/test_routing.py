#!/usr/bin/env python3
"""Does bench/routing/run judge cells as it says?"""

import importlib.machinery
import importlib.util
import unittest
from pathlib import Path

loader = importlib.machinery.SourceFileLoader("routing", str(Path(__file__).parent / "routing" / "run"))
routing = importlib.util.module_from_spec(importlib.util.spec_from_loader("routing", loader))
loader.exec_module(routing)


def policy(p95, difference=None, half=0.01):
    """Another policy: its p95, and by how much ours is above it, give or take `half`, as a part of it."""
    interval = None if difference is None else {"mean": difference, "low": difference - half, "high": difference + half}
    return {"means": {"e2e_p95": p95}, "difference": interval}


class Verdicts(unittest.TestCase):
    def judged(self, ours=1.0, **others):
        differences = {name: other["difference"] for name, other in others.items()}
        return routing.verdict({routing.OURS: policy(ours), **others}, differences, "e2e_p95")

    def test_of_one_figure(self):
        for others, expected in [
            ({"a": policy(1.2, -0.2)}, "won"),
            ({"a": policy(1.2, -0.2), "b": policy(1.0, -0.005)}, "tied"),
            ({"a": policy(0.9, 0.1), "b": policy(0.8, 0.2), "c": policy(1.0, 0.0)}, "lost to b by 20 %"),
            ({"a": policy(1.2, -0.2), "b": policy(None)}, "won"),
            ({"a": policy(1.5, -0.3, 0.06)}, "won, void"),
            ({"a": policy(1.1, -0.1), "b": policy(1.5, -0.3, 0.06)}, "won"),
        ]:
            with self.subTest(expected):
                self.assertEqual(routing.told(self.judged(**others)), expected)

    def test_who_refuses_what_another_does_not_has_lost(self):
        self.assertEqual(routing.told(self.judged(ours=None, a=policy(5.0))), "lost to a")

    def test_of_shares_more_is_better(self):
        for above, expected in [(0.1, "won"), (-0.1, "lost")]:
            measured = {routing.OURS: {"means": {"good": 0.8}}, "a": {"means": {"good": 0.8 / (1 + above)}}}
            differences = {"a": {"mean": above, "low": above, "high": above}}
            self.assertEqual(routing.verdict(measured, differences, "good")["verdict"], expected)

    def test_a_difference_is_a_part_of_what_the_other_has_seed_by_seed(self):
        def seeds(values):
            return {"seeds": [{"good": value} for value in values]}

        self.assertEqual(routing.difference(seeds([2, 4]), seeds([4, 8]), "good"), {"mean": -0.5, "low": -0.5, "high": -0.5})
        spread = routing.difference(seeds([1, 3] * 50), seeds([2] * 100), "good")
        self.assertAlmostEqual(spread["mean"], 0)
        self.assertAlmostEqual(spread["high"], 0.1, delta=0.02)  # two standard errors of a half, of a hundred
        self.assertIsNone(routing.difference(seeds([2, None]), seeds([4, 8]), "good"))

    def test_references_are_no_rivals(self):
        means = {routing.OURS: {"e2e_p95": 2}, "informed": {"e2e_p95": 1}, "a": {"e2e_p95": 3}}
        self.assertEqual(routing.best_other(means, "e2e_p95"), "a")


if __name__ == "__main__":
    unittest.main()
