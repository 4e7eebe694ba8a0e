"""SIGTERM while streams run: each finishes within the grace, and nobody new is left in doubt."""

import asyncio
import signal
import time

from load import Client, Operation
from scene import Scenario, sized

STREAMS = 40
GRACE = 10                   # seconds
TOKENS = sized(1000, 250)    # about five seconds, or one and a half


class End(Scenario):
    def test_streams_finish(self):
        self.start_nodes(slots=20, speedup=1)
        self.start_gateway(f"timeouts: {{drain: {GRACE}s}}\n")

        async def scenario():
            client, answers = Client(self.gateway.url), []

            async def stream(number):
                return await client.perform(Operation(f"Tell me story {number}.", openai=number % 2 == 1, stream=True,
                                                      tokens=TOKENS))

            streams = asyncio.gather(*(stream(number) for number in range(STREAMS)))
            while self.queue()["in_flight"] < STREAMS:
                await asyncio.sleep(0.01)
            self.gateway.send(signal.SIGTERM)
            told = time.monotonic()
            while not streams.done():
                answers.append(await Client(self.gateway.url).perform(Operation("Hello?")))
                await asyncio.sleep(0.05)
            return await streams, answers, told

        streams, answers, told = asyncio.run(scenario())
        self.assertEqual(self.gateway.end(5), 0)
        finished = sum(stream.whole for stream in streams)
        longest = max(stream.ended - stream.began for stream in streams)
        # Whoever came before the signal was read was served.
        late = [answer for answer in answers if not answer.whole]
        refused = sum(answer.status == 0 and "ConnectionRefusedError" in answer.error for answer in late)
        told_so = sum(answer.status == 503 for answer in late)
        self.figure(f"{finished} of {STREAMS} streams finished, {longest:.1f} s long; from {(late[0].began - told) * 1000:.0f} ms after "
                    f"the signal on {refused} of {len(late)} new connections were refused and {told_so} told 503, the slowest within "
                    f"{max(answer.ended - answer.began for answer in late) * 1000:.1f} ms")
        self.assertEqual(finished, STREAMS)
        self.assertGreater(min(stream.ended for stream in streams), told, "they outlast the signal; else this shows nothing")
        self.assertEqual(refused + told_so, len(late))
        self.assertEqual(answers[-len(late):], late, "nobody is served any more")
        self.assertLess(late[0].began - told, 1)
