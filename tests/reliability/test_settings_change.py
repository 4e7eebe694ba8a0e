"""Settings are read anew under load; and most of what people get wrong is refused while the old settings serve."""

import asyncio
import random
import signal

from load import Client, Operation, at, steadily
from scene import SEED, Scenario, sized, until

RATE = sized(500, 200)
SECONDS = sized(10, 4)
RELOADS = 5
STREAMS = 40
MUTANTS = sized(200, 40)


class Reload(Scenario):
    def reload(self):
        """Sends SIGHUP and waits until it has been obeyed. Did the settings please?"""
        before = self.read_at()
        self.gateway.send(signal.SIGHUP)
        until(lambda: self.read_at() != before, "the settings to be read")
        return self.metric("drover_config_last_reload_success") == 1

    def read_at(self):
        return self.metric("drover_config_last_reload_timestamp_seconds")

    def test_under_load(self):
        self.start_nodes(slots=100, speedup=4)
        self.start_gateway()
        all_nodes = [node.url for node in self.nodes]
        log = f"access_log: {self.folder / 'access.log'}\n"
        variants = [(all_nodes[:2], "policy: round_robin\n"), (all_nodes, "limits: {queue: 500}\n"),
                    (all_nodes[1:], "timeouts: {silence: 30s}\n"), (all_nodes, "retry: {attempts: 2}\n"), (all_nodes, "")]

        def change(number):
            nodes, settings = variants[number]
            self.write_settings(nodes, log + settings, self.slots)
            self.assertTrue(self.reload())

        async def scenario():
            client = Client(self.gateway.url)

            async def one(number):
                return await client.perform(Operation(f"Number {number}", openai=number % 2 == 1))

            async def stream(number):
                return await client.perform(Operation(f"Tell me story {number}.", openai=number % 2 == 1, stream=True,
                                                      tokens=SECONDS * 150))

            changes = [at(SECONDS * (number + 0.5) / RELOADS, change, number) for number in range(RELOADS)]
            return await asyncio.gather(steadily(RATE, RATE * SECONDS, one), steadily(STREAMS, STREAMS, stream), *changes)

        requests, streams, *_ = asyncio.run(scenario())
        failed, cut = ([each for each in operations if not each.whole] for operations in (requests, streams))
        self.figure(f"{RELOADS} reloads in {SECONDS} s: {len(failed)} of {len(requests)} requests failed at {RATE} a second, "
                    f"{len(cut)} of {len(streams)} streams were cut; a stream took {streams[0].ended - streams[0].began:.1f} s")
        self.assertEqual((failed[:1], cut[:1]), ([], []))
        self.check_at_rest()

    def test_mutated_settings(self):
        self.start_nodes(slots=4, speedup=100)
        self.start_gateway("policy: round_robin\nlimits: {queue: 100}\ntimeouts: {silence: 30s, drain: 5s}\n")
        good = (self.folder / "drover.yaml").read_text()
        nodes = set(self.gateway.nodes())
        dice, refused, harmless = random.Random(SEED), 0, 0
        while refused < MUTANTS:
            mutant = mutated(good, dice)
            self.write(mutant)
            # The gateway's own judge says beforehand whether this is wrong at all.
            if self.drover("check", "drover.yaml").code == 0:
                harmless += 1
                continue
            with self.subTest(settings=mutant):
                self.assertFalse(self.reload())
                self.assertEqual(set(self.gateway.nodes()), nodes)
                self.assertTrue(asyncio.run(Client(self.gateway.url).perform(Operation("Are you there?"))).whole)
            refused += 1
        self.figure(f"the old settings served {refused} of {MUTANTS} times that mutated ones were read; "
                    f"{harmless} mutants were valid and were not tried")
        self.write(good)
        self.assertTrue(self.reload())
        self.check_at_rest()


def mutated(text, dice):
    """What slips of the hand and of the editor make of a file: bytes and lines lost, doubled, swapped, and strange ones."""
    for _ in range(dice.randrange(1, 4)):
        place = dice.randrange(len(text))
        end = min(len(text), place + dice.randrange(1, 12))
        lines = text.splitlines(keepends=True)
        line = dice.randrange(len(lines))
        text = dice.choice([
            lambda: text[:place] + text[end:],
            lambda: text[:end] + text[place:],
            lambda: text[:place] + dice.choice("\t\0{}[]:,'\"#&*!|>%@`-0x~é") + text[place + 1:],
            lambda: text[:place],
            lambda: "".join(lines[:line] + lines[line + 1:]),
            lambda: "".join(lines[:line + 1] + lines[line:]),
            lambda: "".join(lines[:line] + ["  " + lines[line]] + lines[line + 1:]),
        ])() or "\n"
    return text
