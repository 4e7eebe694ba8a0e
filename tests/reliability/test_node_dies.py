"""One node of three is killed with -9 and comes back, while requests and streams run."""

import asyncio
import random

import ollama
import openai

from load import MODEL, Client, Operation, at, steadily
from scene import SEED, Scenario, sized, start_sim, state, until

RATE = sized(500, 250)
SLOTS = 150


class Crash(Scenario):
    def start_fleet(self, speedup):
        self.start_nodes(slots=SLOTS, speedup=speedup)
        self.start_gateway("timeouts: {probe_interval: 500ms}\n")

    async def crash_during(self, seconds, work):
        """Kills a node before half of the time is over and starts it again before the end; returns what the work returns."""
        result, _, _ = await asyncio.gather(work, at(seconds * 0.4, self.kill_node), at(seconds * 0.7, self.restart_node))
        return result

    def check_node_serves_again(self):
        """Of more requests at once than the two others have slots for, some are its own."""
        async def ask():
            client = Client(self.gateway.url)
            return await asyncio.gather(*(client.perform(Operation("Are you back?")) for _ in range(2 * SLOTS + 1)))

        def answered():
            return all(operation.whole for operation in asyncio.run(ask()))

        until(lambda: answered() and state(self.nodes[0].url)["completed"] > 1, "the node to serve again", 30)

    def test_requests(self):
        count = sized(6000, 1000)
        self.start_fleet(speedup=4)
        client = Client(self.gateway.url)

        async def one(number):
            return await client.perform(Operation(f"Number {number}", openai=number % 2 == 1))

        operations = asyncio.run(self.crash_during(count / RATE, steadily(RATE, count, one)))
        failed = [operation for operation in operations if not operation.whole]
        self.figure(f"{len(failed)} of {count} requests failed at {RATE} a second while a node of three was killed and came back")
        self.assertEqual(len(failed), 0, f"the first: {failed[:1]}")
        retried = self.retries()
        self.figure(f"{retried} of them had begun on the node that died")
        self.assertGreater(retried, 0, "the crash hit requests; else this shows nothing")
        self.check_node_serves_again()
        self.check_at_rest()

    def test_streams(self):
        count, rate = sized(1000, 240), 40
        self.start_fleet(speedup=1)  # a stream takes about four seconds
        # By chance, since a gateway that goes round would give each its own node.
        readers = random.Random(SEED).choices([self.read_raw, self.read_ollama, self.read_openai], k=count)

        async def all_of_them():
            self.raw = Client(self.gateway.url)
            self.ollama = ollama.AsyncClient(host=self.gateway.url)

            async def one(number):
                return await readers[number](number)

            async with openai.AsyncOpenAI(base_url=f"{self.gateway.url}/v1", api_key="any", max_retries=0) as self.openai:
                return await self.crash_during(count / rate, steadily(rate, count, one))

        streams = asyncio.run(all_of_them())
        wholes = asyncio.run(self.whole_answers(streams))
        cut = {}
        for stream, whole in zip(streams, wholes):
            what = f"{stream.reader}: {stream.error}"
            self.assertTrue(stream.text, f"{what}: failed before its first byte")
            self.assertTrue(whole.startswith(stream.text), f"{what}: each token once and in order")
            self.assertEqual(stream.text == whole, stream.error is None, f"{what}: half an answer is an error, a whole one is not")
            cut.setdefault(stream.reader, []).append(stream.error is not None)
        self.figure(f"0 of {count} streams failed before their first byte, 0 tokens came twice; cut, each seen as an error: "
                    + ", ".join(f"{sum(seen)} of {len(seen)} by {reader}" for reader, seen in cut.items()))
        for reader, seen in cut.items():
            self.assertGreater(sum(seen), 0, f"{reader}: some were cut; else this shows nothing")
        self.check_node_serves_again()
        self.check_at_rest()

    async def whole_answers(self, streams):
        reference = start_sim(slots=100, speedup=1000, seed=SEED)
        self.addCleanup(reference.stop)
        client = Client(reference.url)

        async def one(number):
            stream = streams[number]
            operation = await client.perform(Operation(stream.prompt, openai=stream.openai, stream=True, tokens=stream.tokens))
            assert operation.whole, operation
            return operation.text

        return await steadily(1000, len(streams), one)

    async def read_raw(self, number):
        operation = Operation(f"Tell me story {number}.", openai=number % 2 == 1, stream=True, tokens=60)
        operation.reader = "a raw client"
        await self.raw.perform(operation)
        self.assertFalse(operation.silently_short, operation)
        return operation

    async def read_ollama(self, number):
        stream = Operation(f"Tell me story {number}.", stream=True, tokens=60)
        stream.reader = "ollama"
        try:
            async for chunk in await self.ollama.chat(model=MODEL, messages=[{"role": "user", "content": stream.prompt}],
                                                      options={"temperature": 0, "num_predict": stream.tokens}, stream=True):
                stream.text += chunk.message.content
        except Exception as error:  # whatever the library raises
            stream.error = repr(error)
        return stream

    async def read_openai(self, number):
        stream = Operation(f"Tell me story {number}.", openai=True, stream=True, tokens=60)
        stream.reader = "openai"
        try:
            async for chunk in await self.openai.chat.completions.create(
                    model=MODEL, messages=[{"role": "user", "content": stream.prompt}], temperature=0, max_tokens=stream.tokens,
                    stream=True):
                stream.text += chunk.choices[0].delta.content or ""
        except Exception as error:  # whatever the library raises
            stream.error = repr(error)
        return stream
