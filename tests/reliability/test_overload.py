"""Four times the load that the nodes can bear, in little memory: what is admitted is served as if nobody else were there, and
whoever is not is told so at once."""

import asyncio
import contextlib
import os
import statistics
import unittest.mock
from pathlib import Path

from load import Client, Operation, steadily
from scene import Scenario, pss, quantile, sized

SLOTS = 8               # of each of three nodes
SECONDS = sized(60, 8)
TIMES = 4               # the capacity
LIMIT = 256             # MiB
QUEUE, LONGEST_WAIT = 400, 2  # requests, seconds
SLOWER = sized(1.1, 3)  # than the same concurrency by itself; the small size runs on busy machines
REFUSED_WITHIN = sized(0.020, 1)
FLAT = 8                # MiB


class Overload(Scenario):
    def test_four_times_the_capacity(self):
        self.start_nodes(slots=SLOTS, speedup=0.8)
        group = MemoryGroup(self.folder)
        self.addCleanup(group.remove)
        with unittest.mock.patch.dict(os.environ, DROVER=group.command(os.environ["DROVER"])):
            self.start_gateway(f"timeouts: {{queue: {LONGEST_WAIT}s}}\nlimits: {{queue: {QUEUE}, buffers: {LIMIT // 4}MiB}}\n")
        alone, capacity = asyncio.run(self.at_capacity())
        offered = int(TIMES * capacity)
        operations, held = asyncio.run(self.overloaded(offered))
        served = [each for each in operations if each.whole]
        refused = [each for each in operations if each.refused]
        self.figure(f"{offered} requests a second for {SECONDS} s in {group.words}, {TIMES} times the {capacity:.0f} a second of "
                    f"{len(self.nodes)} nodes with {SLOTS} slots: {len(served)} served, {len(refused)} refused")
        self.assertEqual(len(served) + len(refused), len(operations), "each was served or refused")
        self.check_speed(alone, served)
        self.check_refusals(served, refused)
        half = len(held) // 2
        self.figure(f"memory: at most {max(held[:half]):.1f} MiB in the first half, {max(held[half:]):.1f} in the second")
        self.assertLessEqual(max(held[half:]), max(held[:half]) + FLAT)
        self.check_at_rest()

    def operation(self, number):
        return Operation(f"Number {number}", openai=number % 2 == 1, stream=number % 4 < 2, tokens=40)

    async def at_capacity(self):
        """As many at once as there are slots, so that none waits: seconds that each takes, and how many end in a second."""
        client, times, numbers = Client(self.gateway.url), [], iter(range(1_000_000))

        async def one_after_another():
            for _ in range(sized(40, 8)):
                operation = await client.perform(self.operation(next(numbers)))
                self.assertTrue(operation.whole, operation)
                times.append(from_grant_to_end(operation))

        began = asyncio.get_running_loop().time()
        await asyncio.gather(*(one_after_another() for _ in range(SLOTS * len(self.nodes))))
        client.close()
        return times, len(times) / (asyncio.get_running_loop().time() - began)

    async def overloaded(self, rate):
        """All operations, and the gateway's memory each second."""
        client, held = Client(self.gateway.url), []

        async def watch():
            while True:
                held.append(pss(self.gateway.process))
                await asyncio.sleep(1)

        watching = asyncio.create_task(watch())
        operations = await steadily(rate, rate * SECONDS, lambda number: client.perform(self.operation(number)))
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        client.close()
        return operations, held

    def check_speed(self, alone, served):
        crowded = [from_grant_to_end(each) for each in served]
        ratio = statistics.median(crowded) / statistics.median(alone)
        self.figure(f"from grant to end: median {statistics.median(crowded):.3f} s, {ratio:.2f} times that without overload; 99 % "
                    f"within {quantile(crowded, 0.99):.3f} s, {quantile(crowded, 0.99) / quantile(alone, 0.99):.2f} times")
        self.assertLessEqual(ratio, SLOWER)

    def check_refusals(self, served, refused):
        """A refusal comes at once where the queue is full, else when the longest wait is over."""
        longest = max(each.queued for each in served)
        waited = {"queue_full": 0, "queue_timeout": LONGEST_WAIT}
        late = [each.ended - each.began - waited[each.headers["x-drover-reason"]] for each in refused]
        count = sum(each.headers["x-drover-reason"] == "queue_full" for each in refused)
        self.figure(f"those served waited up to {longest:.3f} s of {LONGEST_WAIT} s allowed; {count} were refused since the queue "
                    f"was full and {len(refused) - count} after {LONGEST_WAIT} s, 99 % within {quantile(late, 0.99) * 1000:.1f} ms "
                    f"of that, all with Retry-After")
        self.assertLessEqual(longest, LONGEST_WAIT + REFUSED_WITHIN)
        self.assertLessEqual(quantile(late, 0.99), REFUSED_WITHIN)
        self.assertTrue(all(int(each.headers["retry-after"]) > 0 for each in refused))


def from_grant_to_end(operation):
    return operation.ended - operation.began - operation.queued


class MemoryGroup:
    """A control group of Linux whose processes may hold LIMIT together, where this process may make one."""

    PLACES = {"/sys/fs/cgroup/memory": "memory.limit_in_bytes", "/sys/fs/cgroup": "memory.max"}

    def __init__(self, folder):
        self.folder, self.group = folder, None
        for place, setting in self.PLACES.items():
            group = Path(place) / f"drover-reliability-{os.getpid()}"
            try:
                group.mkdir()
                (group / setting).write_text(str(LIMIT << 20))
            except OSError:
                with contextlib.suppress(OSError):
                    group.rmdir()
                continue
            self.group = group
            break
        self.words = f"a limit of {LIMIT} MiB" if self.group else "no limit of memory, since none can be set here"

    def command(self, binary):
        """A program that is this binary, within the group."""
        if not self.group:
            return binary
        script = self.folder / "limited"
        script.write_text(f"#!/bin/sh\necho $$ >{self.group}/cgroup.procs && exec {binary} \"$@\"\n")
        script.chmod(0o755)
        return str(script)

    def remove(self):
        if self.group:
            self.group.rmdir()
