"""A door in front of a node, through which the gateway reaches it: it sees when a request comes in and when its connection is
closed, to the microsecond and on the clock of the client; and it can be shut, so that dialling leads nowhere."""

import asyncio
import contextlib
import socket
import struct
import time
from dataclasses import dataclass

RESET = struct.pack("ii", 1, 0)  # for SO_LINGER: close with RST, as the gateway does
INFERENCE = (b"POST /api/chat ", b"POST /v1/chat/completions ")


@dataclass
class Visit:
    """A request for inference, as the node would see it. Times are of time.monotonic()."""
    began: float
    closed: float = None


class Door:
    """Open from the start; `url` is the node's address for the gateway. Belongs to the running loop."""

    def __init__(self, node):
        host, port = node.removeprefix("http://").split(":")
        self.node = host, int(port)
        self.visits = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        self.url = "http://127.0.0.1:{}".format(self.listener.getsockname()[1])
        self.tasks, self.fillers = set(), []
        self.open()

    def open(self):
        for filler in self.fillers:
            filler.close()
        self.listener.listen(128)
        self.accepting = self.start(self.accept())

    async def shut(self):
        """From here on the kernel takes no connection, and says nothing to those who ask: its queue is full."""
        self.accepting.cancel()
        self.listener.listen(0)
        while True:
            filler = socket.socket()
            filler.setblocking(False)
            self.fillers.append(filler)
            try:
                await asyncio.wait_for(asyncio.get_running_loop().sock_connect(filler, self.listener.getsockname()), 0.2)
            except TimeoutError:
                return

    def close(self):
        for task in self.tasks:
            task.cancel()
        for filler in self.fillers:
            filler.close()
        self.listener.close()

    def start(self, flow):
        task = asyncio.create_task(flow)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def accept(self):
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(self.listener)
            self.start(self.serve(connection))

    async def serve(self, gateway):
        """Carries bytes both ways until either side ends."""
        loop = asyncio.get_running_loop()
        node = socket.socket()
        node.setblocking(False)
        with gateway, node, contextlib.suppress(ConnectionError):
            node.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            await loop.sock_connect(node, self.node)
            back = self.start(self.carry(node, gateway))
            visit = None
            try:
                while data := await loop.sock_recv(gateway, 1 << 16):
                    if data.startswith(INFERENCE):
                        visit = Visit(time.monotonic())
                        self.visits.append(visit)
                    await loop.sock_sendall(node, data)
            finally:
                if visit:
                    visit.closed = time.monotonic()
                back.cancel()

    async def carry(self, source, target):
        loop = asyncio.get_running_loop()
        with contextlib.suppress(ConnectionError):
            while data := await loop.sock_recv(source, 1 << 16):
                await loop.sock_sendall(target, data)
