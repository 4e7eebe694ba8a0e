"""A client closes its connection, in each phase of a request and in both dialects; the node sees it at once."""

import asyncio
import random
import time

from door import Door
from load import Client, Operation, read_body, read_head
from scene import SEED, Scenario, quantile, request, sized, state, until

COUNT = sized(100, 20)      # times in each phase and dialect
LONG = 2000                 # tokens, of an answer that nobody waits for
TOO_YOUNG = 0.020           # a request is not cut before: an Ollama would leak its slot
BOUND = sized(0.050, 0.5)   # seconds until the node sees it; the small size runs on busy machines
DIALECTS = {"Ollama": False, "OpenAI": True}


class Leaving(Scenario):
    def setUp(self):
        super().setUp()
        self.random = random.Random(SEED)
        self.start_nodes(slots=1, speedup=1, count=1)

    def test_while_queued(self):
        async def scenario():
            async with self.one_node():
                occupant = await self.ask(openai=False, stream=True)
                await read_head(occupant[0])
                for openai in DIALECTS.values():
                    for _ in range(COUNT):
                        await self.leave(await self.ask(openai, stream=self.random.random() < 0.5))
                        await self.wait(lambda: self.queue()["waiting"] == 0, "the queue to be empty")
                self.assertEqual(len(self.door.visits), 1, "none of them came to the node")
                await self.leave(occupant)

        asyncio.run(scenario())
        self.figure(f"{2 * COUNT} of {2 * COUNT} clients that left the queue never came to the node")
        self.check_at_rest()

    def test_while_dialling(self):
        async def scenario():
            async with self.one_node():
                await self.door.shut()
                for openai in DIALECTS.values():
                    for _ in range(COUNT):
                        asked = await self.ask(openai, stream=self.random.random() < 0.5)
                        await self.wait(lambda: self.queue()["in_flight"] == 1, "the request to have its slot")
                        await self.leave(asked)
                        await self.wait(lambda: self.queue()["in_flight"] == 0, "the slot to be free")
                self.door.open()
                after = await Client(self.gateway.url).perform(Operation("Hello?"))
                self.assertTrue(after.whole, after)
                self.assertEqual(len(self.door.visits), 1, "nobody but who stayed came to the node")

        asyncio.run(scenario())
        self.figure(f"{2 * COUNT} of {2 * COUNT} clients that left while the node was dialled freed its slot and never came to it")
        self.check_at_rest()

    def test_while_waiting_for_the_first_token(self):
        request(self.nodes[0].url + "/sim/faults", {"fault": "hang", "count": 0})
        self.check_node_sees("waiting for the first token", stream=True)

    def test_while_streaming(self):
        async def begun(asked):
            reader, _ = asked
            _, headers = await read_head(reader)
            pieces = read_body(reader, headers)
            for _ in range(self.random.randrange(1, 5)):
                await anext(pieces)

        self.check_node_sees("streaming", stream=True, begun=begun)

    def test_while_an_answer_in_one_piece_is_made(self):
        self.check_node_sees("waiting for an answer in one piece", stream=False)

    def check_node_sees(self, phase, stream, begun=None):
        """From the later of its client's leaving and its twentieth millisecond, how long until the node sees the end?"""
        late = []

        async def scenario():
            async with self.one_node():
                for openai in DIALECTS.values():
                    for _ in range(COUNT):
                        asked = await self.ask(openai, stream)
                        await self.wait(lambda: len(self.door.visits) == len(late) + 1, "the node to be asked")
                        visit = self.door.visits[-1]
                        await (begun(asked) if begun else asyncio.sleep(self.random.random() * 3 * TOO_YOUNG))
                        left = await self.leave(asked)
                        await self.wait(lambda: visit.closed, "the node to see the end")
                        late.append(visit.closed - max(left, visit.began + TOO_YOUNG))
                        await self.wait(lambda: self.queue()["in_flight"] == 0, "the slot to be free")

        asyncio.run(scenario())
        in_time = sum(each <= BOUND for each in late)
        self.figure(f"{phase}: the node saw {in_time} of {len(late)} clients leave within {BOUND * 1000:.0f} ms; "
                    f"median {quantile(late, 0.5) * 1000:.1f} ms, longest {max(late) * 1000:.1f} ms")
        self.assertEqual(in_time, len(late))
        self.check_at_rest()
        self.assertEqual(state(self.nodes[0].url)["leaked"], 0, "slots that the node lost")

    def one_node(self):
        return OneNode(self)

    async def ask(self, openai, stream):
        """A client that has asked; its reader and writer."""
        operation = Operation("Tell me everything.", openai=openai, stream=stream, tokens=LONG)
        body = operation.body()
        host, port = self.gateway.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"POST {operation.path()} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        return reader, writer

    async def leave(self, asked):
        _, writer = asked
        left = time.monotonic()
        writer.close()
        return left

    async def wait(self, holds, what):
        """As until(), but what runs in the loop goes on meanwhile."""
        deadline = time.monotonic() + 15
        while not holds():
            self.assertLess(time.monotonic(), deadline, f"waited for {what}")
            await asyncio.sleep(0.001)


class OneNode:
    """A gateway that reaches its one node through a door."""

    def __init__(self, test):
        self.test = test

    async def __aenter__(self):
        self.test.door = Door(self.test.nodes[0].url)
        await asyncio.to_thread(self.test.start_gateway, "timeouts: {probe_interval: 1m}\n", [self.test.door.url])

    async def __aexit__(self, *failure):
        self.test.door.close()
