"""A client that sends requests at a steady rate and writes down all that came of each. It demands terminators: an answer that
ends without its dialect's last word, and without an error, is the one thing that must never be."""

import asyncio
import json
import time
from dataclasses import dataclass, field

PATIENCE = 120  # seconds for a whole operation; one that takes longer has no end
MODEL = "llama3.2:3b"
BROKEN = (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)


@dataclass
class Operation:
    """One request and its answer, as far as it came. Times are of time.monotonic()."""
    prompt: str
    openai: bool = False
    stream: bool = False
    tokens: int = 10
    began: float = 0
    first: float = None   # byte of the answer's body
    ended: float = None
    status: int = 0
    headers: dict = field(default_factory=dict)
    text: str = ""
    done: bool = False    # the dialect's terminator came
    error: str = None     # what a client would raise

    @property
    def whole(self):
        return self.status == 200 and self.done and self.error is None

    @property
    def refused(self):
        return self.status in (429, 503)

    @property
    def silently_short(self):
        """It ended as if all were well, and is not."""
        return self.status == 200 and not self.done and self.error is None

    @property
    def queued(self):
        """Seconds it waited in the gateway, as that says."""
        return int(self.headers.get("x-drover-queue-ms", 0)) / 1000

    def path(self):
        return "/v1/chat/completions" if self.openai else "/api/chat"

    def body(self):
        message = {"model": MODEL, "messages": [{"role": "user", "content": self.prompt}], "stream": self.stream}
        limits = {"temperature": 0, "max_tokens": self.tokens} if self.openai else {
            "options": {"temperature": 0, "num_predict": self.tokens}}
        return json.dumps(message | limits).encode()

    def take(self, data):
        """A whole line of a stream, or a whole body."""
        if self.openai and self.stream:
            if not data.startswith(b"data: "):
                return
            data = data[6:]
            if data.strip() == b"[DONE]":
                self.done = True
                return
        answer = json.loads(data)
        if "error" in answer:
            self.error = str(answer["error"])
        elif self.openai:
            for choice in answer["choices"]:
                self.text += choice["delta" if self.stream else "message"].get("content") or ""
            self.done |= not self.stream
        else:
            self.text += answer["message"]["content"]
            self.done |= answer["done"]


class Client:
    """Connections to one address, kept alive and used again."""

    def __init__(self, url):
        self.host, port = url.removeprefix("http://").split(":")
        self.port = int(port)
        self.idle = []

    async def perform(self, operation):
        """Sends it and reads its answer to the end, whatever that is; never raises."""
        operation.began = time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE):
                await self.exchange(operation)
        except BROKEN as broken:
            operation.error = operation.error or repr(broken)
        except TimeoutError:
            operation.error = "no end"
        operation.ended = time.monotonic()
        return operation

    async def exchange(self, operation):
        reader, writer = await self.connection()
        keep = False
        try:
            body = operation.body()
            writer.write(f"POST {operation.path()} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n"
                         f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            operation.status, operation.headers = await read_head(reader)
            line = b""
            async for piece in read_body(reader, operation.headers):
                operation.first = operation.first or time.monotonic()
                line += piece
                if operation.stream and operation.status == 200:
                    *lines, line = line.split(b"\n")
                    for each in filter(None, lines):
                        operation.take(each)
            if line:
                operation.take(line)
            keep = operation.headers.get("connection") != "close"
        finally:
            if keep:
                self.idle.append((reader, writer))
            else:
                writer.close()

    async def connection(self):
        while self.idle:
            reader, writer = self.idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
        return await asyncio.open_connection(self.host, self.port)

    def close(self):
        for _, writer in self.idle:
            writer.close()
        self.idle.clear()


async def read_head(reader):
    status, *fields = (await reader.readuntil(b"\r\n\r\n"))[:-4].decode("latin-1").split("\r\n")
    named = (each.split(":", 1) for each in fields)
    return int(status.split(" ")[1]), {name.lower(): value.strip() for name, value in named}


async def read_body(reader, headers):
    if "content-length" in headers:
        yield await reader.readexactly(int(headers["content-length"]))
        return
    while size := int(await reader.readuntil(b"\r\n"), 16):
        yield (await reader.readexactly(size + 2))[:-2]
    await reader.readexactly(2)


async def steadily(rate, count, begin):
    """Starts `begin(number)` `rate` times a second, `count` times, late ones at once; returns the results in order."""
    started = time.monotonic()
    tasks = []
    for number in range(count):
        await asyncio.sleep(started + number / rate - time.monotonic())
        tasks.append(asyncio.create_task(begin(number)))
    return await asyncio.gather(*tasks)


async def at(seconds, act, *arguments):
    """Calls what takes its time, in a thread, so many seconds from now."""
    await asyncio.sleep(seconds)
    return await asyncio.to_thread(act, *arguments)
