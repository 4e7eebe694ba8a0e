#!/usr/bin/env python3
"""Does the load tool see what a proxy, or a node, does wrong? The stub lies to it in every way that it knows.

Environment: STUB and LOAD, the programs.
"""

import json
import os
import subprocess
import unittest

ROUNDS = ["closed --requests 50 --connections 4", "closed --requests 50 --connections 4 --api openai",
          "streams --connections 4 --chunks 5 --chunk-rate 500", "streams --connections 4 --chunks 5 --chunk-rate 500 --api openai",
          "slow --connections 2 --chunks 2000"]
IS_STREAM = ("streams", "slow")

# What the stub does, and what the load tool must say of it; None: it does that to streams only.
LIES = {
    "flip": ("got", "got"),
    "cut": ("after 0 pieces", "after"),
    "mix": ("got", "got"),
    "skip": (None, "got"),
    "twice": ("nobody asked for", "got"),
    "body": ("got", "got"),
    "close": ("closed in the middle", "closed in the middle"),
}


class Stub:
    def __init__(self, *arguments):
        self.process = subprocess.Popen([os.environ["STUB"], "--nodes", "1", *arguments], stdout=subprocess.PIPE, text=True)
        self.port = json.loads(self.process.stdout.readline())["ports"][0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()

    def load(self, arguments):
        done = subprocess.run([os.environ["LOAD"], *arguments.split(), "--target", f"127.0.0.1:{self.port}", "--limit", "20"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
        return done.returncode, json.loads(done.stdout.splitlines()[-1])


class LoadTest(unittest.TestCase):
    def test_an_honest_stub_is_believed(self):
        with Stub() as stub:
            for arguments in ROUNDS + ["closed --requests 20 --connections 2 --body 400000", "idle --connections 5",
                                       "open --rate 500 --connections 4 --warmup 0 --seconds 0.2"]:
                with self.subTest(arguments):
                    code, report = stub.load(arguments)
                    self.assertIsNone(report["fault"])
                    self.assertEqual((code, report["valid"]), (0, True))

    def test_every_lie_is_seen(self):
        for lie, (of_answer, of_stream) in LIES.items():
            with Stub("--lie", lie) as stub:
                for arguments in ROUNDS:
                    expected = of_stream if arguments.startswith(IS_STREAM) else of_answer
                    if expected is None:
                        continue
                    with self.subTest(lie=lie, load=arguments):
                        code, report = stub.load(arguments)
                        self.assertEqual((code, report["valid"]), (1, False))
                        self.assertIn(expected, report["fault"])

    def test_chunks_and_requests_are_counted(self):
        with Stub() as stub:
            _, report = stub.load("streams --connections 10 --chunks 7 --chunk-rate 100")
            self.assertEqual((report["all_requests"], report["all_chunks"], report["chunks"]), (10, 70, 70))
            _, report = stub.load("closed --connections 3 --requests 100")
            self.assertEqual((report["requests"], report["latency_us"]["count"]), (100, 100))


if __name__ == "__main__":
    unittest.main(verbosity=2)
