"""A trace of production through the gateway, at ten times its speed, while one node of four is killed and comes back."""

import asyncio
import json
import unittest
from pathlib import Path

from load import at
from scene import SEED, Scenario, request, sized

TRACE = Path(__file__).resolve().parents[3] / "shared" / "traces" / "azure-llm-2023-conv.csv"
SPEED = 10
MINUTES = sized(10, 2)  # of the trace


@unittest.skipUnless(TRACE.exists(), f"there is no trace at {TRACE}")
class Trace(Scenario):
    # Two such nodes fall behind, three keep up.
    def test_azure_conversation(self):
        self.start_nodes(slots=4, speedup=6, count=4)
        self.start_gateway("timeouts: {probe_interval: 500ms}\n")
        seconds = MINUTES * 60 / SPEED
        command = self.start("load", self.gateway.url, "--model", "llama3.2:3b", "--trace", TRACE, "--speed", SPEED, "--first",
                             f"{MINUTES}m", "--sim-seed", SEED, "--goal", "ttft<2s,tpot<100ms", "--json")

        async def crash():
            await asyncio.gather(at(seconds * 0.4, self.kill_node), at(seconds * 0.6, self.restart_node))

        asyncio.run(crash())
        code = command.end(seconds + 120)
        report = json.loads(command.printed("stdout"))
        self.tell(report)
        self.assertEqual(code, 0, command.printed("stderr"))
        ends = report["requests"]
        self.assertEqual((ends["refused"], ends["failed"], ends["wrong"], ends["dropped"]), (0, 0, 0, 0), report["errors"])
        self.assertEqual(ends["all"], ends["ok"] + ends["cut"], report)
        retried = self.retries()
        self.figure(f"{retried} were begun anew elsewhere")
        self.assertGreater(ends["cut"] + retried, 0, "the crash hit requests; else this shows nothing")
        self.assertLess(report["slip"]["p99_ms"], 500, "the tool kept up")
        self.check_at_rest()
        self.check_both_count_alike(ends)

    def check_both_count_alike(self, ends):
        """What the tool saw of its requests is what the gateway saw of them."""
        seen = request(self.gateway.admin + "/api/status")["requests"]
        self.assertEqual(seen["accepted"], ends["all"])
        self.assertEqual(seen["ended"]["ok"], ends["ok"])
        self.assertEqual(seen["ended"]["truncated"], ends["cut"], seen)

    def tell(self, report):
        ends, ttft, e2e, tokens = report["requests"], report["ttft"], report["e2e"], report["tokens"]
        self.figure(f"{ends['all']} requests in {report['seconds']:.1f} s: {ends['refused']} refused, {ends['failed']} failed before "
                    f"their first byte, {ends['wrong']} with a wrong token, {ends['cut']} cut as their node died, each seen as an error; "
                    f"{tokens['all']} tokens")
        self.figure(f"to the first token {ttft['p50_ms']:.0f} ms at the median, {ttft['p95_ms']:.0f} ms at the 95th percentile; to the "
                    f"end {e2e['p50_ms']:.0f} and {e2e['p95_ms']:.0f} ms; {ends['good'] / ends['all']:.1%} within the goal; slip "
                    f"{report['slip']['p99_ms']:.1f} ms at the 99th")
