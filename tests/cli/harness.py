"""What the tests of Drover's commands share: commands that run, what they printed, and the worlds around them."""

import contextlib
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.error
import urllib.request
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "clients"))

from world import Drover, request, start_sim, state, until  # noqa: E402  the harness around $DROVER is that of tests/clients

MODEL = "llama3.2:3b"
ANYWHERE = "127.0.0.1:0"  # the system chooses the port
PLACES = f"listen: {ANYWHERE}\nadmin: {ANYWHERE}\n"  # of a settings file
DEFAULT_NODE = 11434  # the port at which `drover up` looks for Ollama by itself


class Command(Drover):
    """A running Drover with a folder and an environment of its own; `variables` replace those of this process."""

    def __init__(self, folder, *arguments, **variables):
        self.name = arguments[0]
        self.process = subprocess.Popen([os.environ["DROVER"], *map(str, arguments)], cwd=folder, env=environment(variables),
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.seen = {"stdout": [], "stderr": []}
        self.readers = [threading.Thread(target=self.read, args=[name], daemon=True) for name in self.seen]
        for reader in self.readers:
            reader.start()

    def serving(self):
        """Waits for its two addresses, and keeps them as `url` and `admin`."""
        self.url = self.line("stderr", r"listening on (http://[\d.:]+)")[1]
        self.admin = self.line("stderr", r"admin on (http://[\d.:]+)")[1]
        return self

    def send(self, number):
        self.process.send_signal(number)

    def end(self, seconds=15):
        """Waits until it has ended by itself; returns its exit code when all that it printed has been read."""
        code = self.process.wait(seconds)
        for reader in self.readers:
            reader.join(seconds)
        return code

    def printed(self, stream):
        return "".join(self.seen[stream])

    def nodes(self):
        """What `drover nodes --json` says about it: the nodes by URL."""
        done = drover("nodes", "--json", "--admin", self.admin)
        assert done.code == 0, done.errors
        return {node["url"]: node for node in json.loads(done.output)}

    def stop(self):
        if self.process.poll() is None:
            super().stop()


class Done(NamedTuple):
    code: int
    output: str
    errors: str


def drover(*arguments, folder=None, **variables):
    """Runs a command to its end."""
    done = subprocess.run([os.environ["DROVER"], *map(str, arguments)], cwd=folder, env=environment(variables),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    return Done(done.returncode, done.stdout, done.stderr)


def environment(variables):
    """That of this process, without what would lead Drover to servers of the machine that the tests run on."""
    return {name: value for name, value in os.environ.items() if name != "OLLAMA_HOST"} | variables


class Answer(NamedTuple):
    status: int
    headers: dict
    text: str


def get(url):
    """Whatever the answer's status is."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return Answer(answer.status, answer.headers, answer.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read().decode())


def post(url, body, **headers):
    """An answer that must be a success."""
    question = urllib.request.Request(url, data=json.dumps(body).encode(), headers=headers)
    with urllib.request.urlopen(question, timeout=30) as answer:
        return Answer(answer.status, answer.headers, answer.read().decode())


def status_of(url):
    """The status of an answer; None where nobody answers."""
    try:
        return get(url).status
    except OSError:
        return None


def accepts(url):
    """Does anybody take a connection there?"""
    host, port = url.removeprefix("http://").split(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
        return True
    except (ConnectionRefusedError, ConnectionResetError):  # reset: the listener was closed while the connection was in its queue
        return False


def free_port(following=0):
    """A port that nobody has, nor the `following` ones. For what must know its address before it starts; all else takes
    ANYWHERE. Below the ports that Linux gives to whoever asks for any, so that none is taken meanwhile by those who do."""
    for _ in range(100):
        first = random.randrange(20_000, 32_000)
        with contextlib.ExitStack() as taken, contextlib.suppress(OSError):
            for port in range(first, first + 1 + following):
                taken.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first
    raise AssertionError("no free ports")


needs_no_ollama_here = unittest.skipIf(
    accepts(f"http://127.0.0.1:{DEFAULT_NODE}"), f"a server of this machine listens on port {DEFAULT_NODE}: `drover up` finds it")


class Stream(threading.Thread):
    """A streamed answer to a prompt, read by a thread of its own; `lines` and `error` say how far it came."""

    def __init__(self, gateway, tokens, prompt="Tell me a story."):
        super().__init__(daemon=True)
        self.question = urllib.request.Request(f"{gateway}/api/generate", data=json.dumps(
            {"model": MODEL, "prompt": prompt, "options": {"num_predict": tokens, "temperature": 0}}).encode())
        self.lines, self.error = [], None
        self.start()
        until(lambda: len(self.lines) > 2 or self.error, "a stream to run", 30)
        assert not self.error, self.error

    def run(self):
        try:
            with urllib.request.urlopen(self.question, timeout=60) as answer:
                for line in answer:
                    self.lines.append(json.loads(line))
        except Exception as error:  # whatever ends it too soon
            self.error = error

    def whole(self):
        """Waits for its end. Is it there, with nothing cut off?"""
        self.join(60)
        return self.error is None and self.lines[-1].get("done") is True and "error" not in self.lines[-1]


class CommandTest(unittest.TestCase):
    """Each test has an empty folder, in which its commands run; what it started ends with it."""

    maxDiff = None

    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="drover-cli-")))

    def write(self, text, name="drover.yaml"):
        (self.folder / name).write_text(text)
        return name

    def start(self, *arguments, **variables):
        command = Command(self.folder, *arguments, **variables)
        self.addCleanup(command.stop)
        return command

    def drover(self, *arguments, **variables):
        return drover(*arguments, folder=self.folder, **variables)

    def sim(self, **settings):
        node = start_sim(**settings)
        self.addCleanup(node.stop)
        return node

    def serve(self, *nodes, settings="", slots=4):
        """`drover serve` in front of these URLs, as soon as it listens."""
        self.write_settings(nodes, settings, slots)
        return self.start("serve", "--config", "drover.yaml").serving()

    def write_settings(self, nodes, settings="", slots=4):
        listed = "".join(f"  - {{name: node-{number}, url: '{url}', slots: {slots}}}\n" for number, url in enumerate(nodes, 1))
        self.write(f"{PLACES}{settings}nodes:\n{listed}")

    def ready(self, gateway):
        until(lambda: status_of(f"{gateway.admin}/readyz") == 200, "the gateway to be ready")
        return gateway

    def streaming(self, tokens, settings=""):
        """A gateway in front of one node, and a stream through both; 100 tokens take about half a second."""
        self.node = self.sim(speedup=0.5)
        self.gateway = self.ready(self.serve(self.node.url, settings=settings))
        self.stream = Stream(self.gateway.url, tokens)

    def check_all_in(self, text, *parts):
        for part in parts:
            self.assertIn(part, text)


__all__ = ["ANYWHERE", "Command", "CommandTest", "DEFAULT_NODE", "MODEL", "PLACES", "Stream", "accepts", "drover", "free_port",
           "get", "needs_no_ollama_here", "post", "request", "state", "status_of", "until"]
