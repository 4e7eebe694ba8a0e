"""What the tests of Python's client libraries share; world.mjs says the same for Node's, and reads the same environment.

`python world.py SUMMARY FILE...` runs the test files and writes how many tests passed, failed and were skipped into SUMMARY.
"""

import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

GIVEN = "CLIENTS_GATEWAY" in os.environ
MODELS = json.loads(os.environ["CLIENTS_MODELS"]) if GIVEN else {
    "chat": "llama3.2:3b", "tools": "llama3.2:3b", "thinking": "qwen3:8b", "vision": "gemma3:4b",
    "embedding": "nomic-embed-text:latest"}

# One red pixel.
IMAGE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="

WEATHER = {"name": "get_weather", "description": "The weather in a city",
           "parameters": {"type": "object", "properties": {"city": {"type": "string", "description": "The city"}},
                          "required": ["city"]}}


class Drover:
    """$DROVER with some arguments, running. `line` waits for a line of its output; `stop` asks it to end; `kill` is kill -9."""

    def __init__(self, *arguments):
        self.name = arguments[0]
        self.process = subprocess.Popen([os.environ["DROVER"], *map(str, arguments)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.seen = {"stdout": [], "stderr": []}
        self.readers = [threading.Thread(target=self.read, args=[name], daemon=True) for name in self.seen]
        for reader in self.readers:
            reader.start()

    def read(self, name):
        with getattr(self.process, name) as pipe:
            for line in pipe:
                self.seen[name].append(line)
                del self.seen[name][:-200]  # the access log of a long test

    def line(self, stream, pattern):
        def found():
            assert self.process.poll() is None, f"drover {self.name} ended early:\n{''.join(self.seen['stderr'])}"
            return next(filter(None, (re.search(pattern, line) for line in list(self.seen[stream]))), None)

        return until(found, f"drover {self.name} to print {pattern}")

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self):
        self.process.kill()
        self.process.wait(10)


def start_sim(slots=4, speedup=5, seed=7, listen="127.0.0.1:0"):
    """One simulated node in a process of its own, so that it can be killed."""
    sim = Drover("sim", "--listen", listen, "--nodes", 1, "--seed", seed, "--slots", slots, "--speedup", speedup, "--json")
    sim.url = json.loads(sim.line("stdout", r'^\{.*"url".*')[0])["url"]
    return sim


def start_gateway(nodes, slots=4):
    with tempfile.TemporaryDirectory(prefix="drover-clients-") as folder:
        config = Path(folder) / "drover.yaml"
        listed = "".join(f'  - {{name: node-{number}, url: "{url}", slots: {slots}}}\n' for number, url in enumerate(nodes, 1))
        config.write_text(f"listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\nnodes:\n{listed}")
        gateway = Drover("serve", "--config", config)
        gateway.url = gateway.line("stderr", r"listening on (http://[\d.:]+)")[1]
        gateway.admin = gateway.line("stderr", r"admin on (http://[\d.:]+)")[1]
    until(lambda: answers(gateway.admin + "/readyz"), "the gateway to be ready")
    return gateway


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except urllib.error.URLError:
        return False


def until(holds, what, seconds=15):
    """Polls `holds` until it gives something true, and returns that; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = holds()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.02)


class ClientTest(unittest.TestCase):
    """The tests of one library. Their world has one node, so that what the gateway lists is what that node lists."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        if GIVEN:
            cls.gateway, cls.node = os.environ["CLIENTS_GATEWAY"], os.environ["CLIENTS_NODE"]
            return
        sim = start_sim()
        cls.addClassCleanup(sim.stop)
        gateway = start_gateway([sim.url])
        cls.addClassCleanup(gateway.stop)
        cls.gateway, cls.node = gateway.url, sim.url

    def check_same(self, call, fails):
        direct = outcome(call, self.node)
        self.assertEqual("error" in direct, fails, f"straight to the node: {str(direct)[:1000]}")
        self.assertEqual(outcome(call, self.gateway), direct)

    def check_leaving(self, begin):
        before = state(self.node)
        leave = begin(self.gateway)
        # Not merely taken in: a client that leaves during a load leaves the load to the gateway.
        until(lambda: any(model["running"] for model in state(self.node)["loaded"]), "the request to run on the node")
        leave()
        until(lambda: state(self.node)["in_flight"] == 0, "the node to be idle", 5)
        self.assertEqual(state(self.node)["aborted"], before["aborted"] + 1, "the node saw its client leave")

    def check_cut(self, path, read, fault):
        whole = "".join(read(self.node))
        request(self.node + "/sim/faults", {"fault": fault, "after_tokens": 5, "count": 1, "path": path})
        got = ""
        with self.assertRaises(Exception, msg="the end of half an answer looked like success"):
            for text in read(self.gateway):
                got += text
        self.assertTrue(0 < len(got) < len(whole), f"a part of the text came: {got}")
        self.assertTrue(whole.startswith(got), f"what came is how the answer starts: {got}")


# These three make the tests of a class, so that a test file reads as a table.

def same(call, needs="chat", fails=False):
    """Does `call(base URL)` end alike through the gateway and straight on the node? With `fails`, both must raise, and alike."""
    def test(self):
        if needs not in MODELS:
            self.skipTest(f"no model for {needs} here")
        self.check_same(call, fails)
    return test


def leaving_frees_the_slot(begin):
    """`begin(base URL)` starts a long answer and returns, once it runs, the function that leaves it."""
    def test(self):
        if GIVEN:
            self.skipTest("needs a simulated node")
        self.check_leaving(begin)
    return test


def cut_is_an_error(path, read):
    """`read(base URL)` yields the pieces of a streamed text. An early end must raise, after a part of it and nothing else."""
    def test(self):
        if GIVEN:
            self.skipTest("needs a simulated node")
        for fault in ["cut", "reset"]:
            with self.subTest(fault=fault):
                self.check_cut(path, read, fault)
    return test


def leave_waiting(ask):
    """Starts `ask()`, which makes a coroutine of an asynchronous client, and returns the function that stops waiting for it."""
    async def wait():
        with contextlib.suppress(asyncio.CancelledError):
            await ask()

    loop = asyncio.new_event_loop()
    waiting = loop.create_task(wait())
    thread = threading.Thread(target=loop.run_until_complete, args=[waiting])
    thread.start()

    def leave():
        loop.call_soon_threadsafe(waiting.cancel)
        thread.join(5)
        loop.close()

    return leave


def outcome(call, url):
    try:
        return {"value": normalised(call(url))}
    except Exception as error:  # whatever a library raises is what is compared
        seen = {name: getattr(error, name, None) for name in ["status_code", "code", "type", "param"]}
        return {"error": normalised({**seen, "name": type(error).__name__, "message": str(error).replace(url, "URL")})}


# What two runs of one call may answer differently: times, durations, ids made by chance, how much of a prompt was cached, the
# path of a node's own store, and the order of a model's parameters, which a real server draws anew for every call.
VARYING = re.compile(r"created|created_at|expires_at|id|tool_call_id|_request_id|.*_duration|.*cache.*", re.IGNORECASE)


def normalised(value, name=""):
    if hasattr(value, "model_dump"):
        value = value.model_dump(mode="json")
    if isinstance(value, dict):
        return {key: normalised(part, key) for key, part in value.items() if not VARYING.fullmatch(str(key))}
    if isinstance(value, (list, tuple)):
        return [normalised(part) for part in value]
    if isinstance(value, str) and name in {"parameters", "modelfile"}:
        return sorted(re.sub(r"/\S*/blobs/", "STORE/", value).splitlines())
    if isinstance(value, str) and name == "message":
        # The one text in which v0.24.0 differs from the release whose words the gateway uses.
        return value.replace(":latest' not found", "' not found")
    return value


def request(url, body=None, seconds=10):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data=data), timeout=seconds) as answer:
        return json.loads(answer.read() or "null")


def state(node):
    return request(node + "/sim/state")


def main(summary, files):
    suite = unittest.TestSuite(unittest.defaultTestLoader.discover(str(Path(__file__).parent), pattern=file) for file in files)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    failed = len(result.failures) + len(result.errors)
    passed = max(result.testsRun - failed - len(result.skipped), 0)
    Path(summary).write_text(f"{passed} {failed} {len(result.skipped)}")
    sys.exit(failed != 0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
