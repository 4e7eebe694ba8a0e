"""User memory of a gateway, from the kernel's own accounting."""

import time
from pathlib import Path
from typing import Callable

from world import Ask, Connection, Gateway, Nodes, all_at_once, connect, one_by_one

COUNT = 2_000
BATCH = 200  # at a time, so that none of them meets a full backlog


def _settled(gateway: Gateway) -> int:
    """What it holds once it has calmed down."""
    before = gateway.memory()
    for _ in range(10):
        time.sleep(0.1)
        now = gateway.memory()
        if now == before:
            break
        before = now
    return before


def _warm(gateway: Gateway) -> None:
    """Touches the code and the tables that everybody needs."""
    clients = connect(gateway, 8)
    one_by_one(clients, Ask(), 400)
    all_at_once(clients, Ask(chunks=10, interval_us=1000))
    for client in clients:
        client.close()


def _growth(binary: Path, nodes: Nodes, open_batch: Callable[[list[Connection]], None]) -> float:
    """Bytes for each connection, in a process of its own."""
    gateway = Gateway(binary, nodes)
    clients: list[Connection] = []
    try:
        _warm(gateway)
        before = _settled(gateway)
        for _ in range(COUNT // BATCH):
            batch = connect(gateway, BATCH)
            clients += batch
            open_batch(batch)
        return (_settled(gateway) - before) / COUNT
    finally:
        for client in clients:
            client.close()
        gateway.stop()


def at_rest(binary: Path, nodes: Nodes) -> int:
    """Bytes of a gateway that has started and knows its nodes."""
    gateway = Gateway(binary, nodes)
    try:
        return _settled(gateway)
    finally:
        gateway.stop()


def per_idle_connection(binary: Path, nodes: Nodes) -> float:
    """Bytes by which it grows for each connection that has had an answer and is kept open."""

    def open_batch(clients: list[Connection]) -> None:
        one_by_one(clients, Ask(), len(clients))

    return _growth(binary, nodes, open_batch)


def per_stream(binary: Path, nodes: Nodes) -> float:
    """Bytes by which it grows for each stream under way: both connections and the request's own state."""

    def open_batch(clients: list[Connection]) -> None:
        # The nodes spread the first chunks over the interval, and send their heads with them.
        all_at_once(clients, Ask(chunks=1000, interval_us=200_000), until_first_byte=True)

    return _growth(binary, nodes, open_batch)
