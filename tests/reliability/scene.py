"""What the scenarios share: three nodes and a gateway in processes of their own, sizes, and figures that are printed."""

import concurrent.futures
import os
import re
from pathlib import Path

from harness import CommandTest, get, request, state, until
from load import MODEL
from world import start_sim

FULL = bool(os.environ.get("RELIABILITY_FULL"))
SEED = 7


def sized(full, small):
    """The size of the figure, or the one that shows the same in less time."""
    return full if FULL else small


def quantile(values, part):
    return sorted(values)[min(int(len(values) * part), len(values) - 1)]


def pss(process):
    """MiB that a process holds, its share of what several use."""
    text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)[1]) / 1024


def cpu(process):
    """Seconds of processor that a process has used."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Scenario(CommandTest):
    """A gateway in front of three equal nodes."""

    def figure(self, text):
        print(f"\n  {text}", end=" ", flush=True)

    def start_nodes(self, slots, speedup, count=3):
        """Nodes that have the model in memory before anybody asks."""
        self.slots, self.speedup = slots, speedup
        with concurrent.futures.ThreadPoolExecutor(count) as pool:
            self.nodes = [started.result() for started in [pool.submit(self.start_node) for _ in range(count)]]

    def start_node(self, listen="127.0.0.1:0"):
        node = start_sim(slots=self.slots, speedup=self.speedup, seed=SEED, listen=listen)
        self.addCleanup(node.stop)
        request(node.url + "/api/generate", {"model": MODEL}, seconds=60)
        return node

    def start_gateway(self, settings="", urls=None):
        log = self.folder / "access.log"  # a pipe would have this process read it
        self.gateway = self.serve(*(urls or [node.url for node in self.nodes]), slots=self.slots,
                                  settings=f"access_log: {log}\n{settings}")
        until(lambda: all(node["health"] == "stable" for node in self.gateway.nodes().values()), "all nodes to be up")

    def kill_node(self):
        self.nodes[0].kill()

    def restart_node(self):
        self.speedup = 5  # it loads its model anew, and nobody wants to wait for that
        self.nodes[0] = self.start_node(self.nodes[0].url.removeprefix("http://"))

    def retries(self):
        """How many requests the gateway began more than once."""
        lines = (self.folder / "access.log").read_text().splitlines()
        return sum('"drover.attempts":1' not in line and "attempts" in line for line in lines)

    def queue(self):
        """Of /api/status: who waits and who is in flight now."""
        return request(self.gateway.admin + "/api/status")["queue"]

    def check_at_rest(self):
        """Every slot is free, nothing waits, nothing is buffered, and each request has ended exactly once."""
        until(lambda: all(state(node.url)["in_flight"] == 0 for node in self.nodes), "the nodes to be idle", 30)
        until(lambda: (self.queue()["in_flight"], self.queue()["waiting"]) == (0, 0), "all slots to be free")
        for gauge in ["drover_requests_in_flight", "drover_buffered_bytes"]:
            until(lambda gauge=gauge: self.metric(gauge) == 0, f"{gauge} to be 0")
        requests = request(self.gateway.admin + "/api/status")["requests"]
        self.assertEqual(requests["accepted"], sum(requests["ended"].values()), "each request ended once")

    def metric(self, name):
        return float(re.search(rf"^{name} (\S+)$", get(self.gateway.admin + "/metrics").text, re.MULTILINE)[1])


__all__ = ["FULL", "MODEL", "SEED", "Scenario", "cpu", "get", "pss", "quantile", "request", "sized", "start_sim", "state",
           "until"]
