"""Several real nodes behind Drover, and what tests ask of them."""

import contextlib
import http.client
import json
import sys
import tempfile
import unittest
import urllib.parse
from pathlib import Path

from nodes import Node, copy_store

CLIENTS = Path(__file__).resolve().parent.parent / "clients"
sys.path.insert(0, str(CLIENTS))

from world import start_gateway, until  # noqa: E402  the harness around $DROVER is that of tests/clients

CHAT, EMBEDDING = "gemma3:270m", "bert:tiny"
SLOTS = 1  # of a node, as Ollama's own default


class FleetTest(unittest.TestCase):
    """Tests in front of one real node for each of `versions`, which live as long as the class runs."""

    versions = []
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="drover-real-")))
        with contextlib.ExitStack() as stack:
            cls.nodes = []
            for number, version in enumerate(cls.versions, 1):
                store = copy_store(version, folder / f"store-{number}")
                cls.nodes.append(stack.enter_context(Node(version, folder / f"node-{number}", store)))
            cls.gateway = start_gateway([node.url for node in cls.nodes], slots=SLOTS)
            stack.callback(cls.gateway.stop)
            cls.addClassCleanup(stack.pop_all().close)

    def unload(self, node):
        """Leaves nothing in the node's memory, so that a test starts where it thinks it does."""
        for model in [CHAT, EMBEDDING]:
            call(node.url, "POST", "/api/generate", {"model": model, "keep_alive": 0})
        until(lambda: running(node.url) == [], "the node to unload its models")


class Answer:
    """One HTTP exchange, read to its end."""

    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.type = response.headers.get("Content-Type")
        self.body = response.read()

    def json(self):
        return json.loads(self.body)

    def lines(self):
        """The objects of a stream, whichever of the two framings it has."""
        lines = [line.removeprefix("data: ") for line in self.body.decode().splitlines()]
        return [json.loads(line) for line in lines if line and line != "[DONE]"]


@contextlib.contextmanager
def asking(url, method, path, body=None, timeout=120):
    """The response as soon as its head is there; leaving the block closes the connection. A str body is sent as it is."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=timeout)
    try:
        connection.request(method, path, body if body is None or isinstance(body, str) else json.dumps(body))
        with connection.getresponse() as response:
            yield response
    finally:
        connection.close()


def call(url, method, path, body=None, timeout=120):
    with asking(url, method, path, body, timeout) as response:
        return Answer(response)


def running(url):
    """The names of the models in memory; None when v0.24.0's /api/ps panicked, as it may while a model is being unloaded."""
    answer = call(url, "GET", "/api/ps")
    return [model["name"] for model in answer.json()["models"]] if answer.status == 200 else None


def long_chat(prompt, tokens):
    return {"model": CHAT, "messages": [{"role": "user", "content": prompt}], "options": {"num_predict": tokens, "temperature": 0}}
