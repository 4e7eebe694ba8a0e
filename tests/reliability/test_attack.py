"""Clients that mean harm: many that never finish a head, and few whose every byte is chosen to be costly."""

import asyncio
import json
import shutil
import subprocess
import sys
import time
import unittest
from pathlib import Path

from load import Client, Operation, steadily
from scene import FULL, Scenario, cpu, pss, quantile, sized, until

HERE = Path(__file__).resolve().parent
CONNECTIONS = 500
RATE = 50
CUT_WITHIN = 15      # seconds, all of them from the first on
SECONDS = sized(10, 2)
MOST_CPU = 10        # times the attacker's
MOST_MEMORY = 8      # MiB above what was held before
RECOVERY = 30        # seconds
AT_ONCE = 1          # second, on a machine that is busy with other tests


class Attack(Scenario):
    def setUp(self):
        super().setUp()
        self.start_nodes(slots=16, speedup=4)
        self.start_gateway()
        asyncio.run(self.others(1))  # what is allocated once is there

    async def others(self, seconds):
        """Seconds that honest requests take meanwhile."""
        client = Client(self.gateway.url)

        async def one(number):
            return await client.perform(Operation(f"Number {number}", openai=number % 2 == 1, tokens=2))

        operations = await steadily(RATE, int(RATE * seconds), one)
        self.assertEqual([operation for operation in operations if not operation.whole][:1], [])
        client.close()
        return [operation.ended - operation.began for operation in operations]

    @unittest.skipUnless(shutil.which("slowhttptest"), "slowhttptest, a package of Debian, is not installed and could not be")
    def test_heads_that_never_end(self):
        alone, counts = asyncio.run(self.watched(CUT_WITHIN))
        before = counts[-1][1]  # and at most RATE more are those of honest clients
        attack = subprocess.Popen(["slowhttptest", "-H", "-c", str(CONNECTIONS), "-r", str(CONNECTIONS), "-i", "3", "-x", "24",
                                   "-l", "30", "-u", self.gateway.url], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.addCleanup(attack.kill)
        meanwhile, counts = asyncio.run(self.watched(CUT_WITHIN + 1))
        most = max(count for _, count in counts)
        attacked = [when for when, count in counts if count > before + RATE]
        self.figure(f"{most:.0f} connections whose heads never end: all cut {attacked[-1] - attacked[0]:.1f} s after the first came; "
                    f"99 % of others' requests within {meanwhile * 1000:.1f} ms, {alone * 1000:.1f} ms without the attack")
        self.assertGreaterEqual(most, CONNECTIONS)
        self.assertLessEqual(counts[-1][1], before + RATE, "all were cut")
        self.assertLessEqual(attacked[-1] - attacked[0], CUT_WITHIN)
        self.assertLessEqual(meanwhile, 2 * alone if FULL else AT_ONCE)
        self.check_at_rest()

    async def watched(self, seconds):
        """Within which time 99 % of the others' requests were answered, and how many connections there were when."""
        counts = []

        async def count():
            while True:
                counts.append((time.monotonic(), await asyncio.to_thread(self.metric, "drover_connections_open")))
                await asyncio.sleep(0.2)

        counting = asyncio.create_task(count())
        times = await self.others(seconds)
        counting.cancel()
        return quantile(times, 0.99), counts

    def test_heads_without_an_end(self):
        self.check_cost("headers", {"HTTP/1.1 431 Request Header Fields Too Large", "reset"})

    def test_json_of_great_depth(self):
        self.check_cost("depth", {"HTTP/1.1 400 Bad Request", "reset"})

    def test_chunks_of_one_byte(self):
        self.check_cost("chunks", {"HTTP/1.1 200 OK"})

    def test_numbers_of_ten_megabytes(self):
        self.check_cost("number", {"HTTP/1.1 200 OK"})

    def check_cost(self, shape, expected):
        held, used = pss(self.gateway.process), cpu(self.gateway.process)
        host, port = self.gateway.url.removeprefix("http://").split(":")
        done = subprocess.run([sys.executable, HERE / "attacker.py", shape, host, port, str(SECONDS)], capture_output=True,
                              text=True, timeout=SECONDS + 60)
        self.assertEqual(done.returncode, 0, done.stderr)
        attacker = json.loads(done.stdout)
        spent, most = cpu(self.gateway.process) - used, pss(self.gateway.process)
        self.check_at_rest()
        left = until(lambda: (now := pss(self.gateway.process)) <= held + MOST_MEMORY and now, "the memory to be given back", RECOVERY)
        self.figure(f"{shape}: {sum(attacker['answers'].values())} in {SECONDS} s cost the gateway {spent:.2f} s of processor and "
                    f"the attacker {attacker['cpu']:.2f} s, {spent / attacker['cpu']:.1f} times; memory {held:.1f} MiB before, "
                    f"{most:.1f} at the end, {left:.1f} soon after; answers {attacker['answers']}")
        self.assertLessEqual(set(attacker["answers"]), expected)
        self.assertLessEqual(spent, MOST_CPU * attacker["cpu"])
