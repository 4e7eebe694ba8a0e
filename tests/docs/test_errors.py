"""docs/errors.md against the list of reasons in the sources, and against errors that a gateway really gives."""

import json
import re
import unittest

from documents import CHAT, Gateway, blocks, rows, source, start_sim
from exchange import ask
from world import request as control

HELLO = [{"role": "user", "content": "Hello"}]


class Reasons(unittest.TestCase):
    def setUp(self):
        self.documented = {row["reason"]: row for row in rows("errors.md", "reason")}
        self.known = re.findall(r'\{Reason::(\w+), "(\w+)", (\d+), (true|false), (true|false)\}', source("api/dialect.cpp"))

    def test_every_reason_is_documented_and_no_other(self):
        self.assertGreater(len(self.known), 40)
        self.assertEqual(list(self.documented), [slug for _, slug, *_ in self.known])

    def test_status_and_header(self):
        for _, slug, status, retry_after, final_word in self.known:
            with self.subTest(slug):
                row = self.documented[slug]
                self.assertEqual(row["status"].split(",")[0], status)
                header = "Retry-After" if retry_after == "true" else "x-should-retry" if final_word == "true" else "-"
                self.assertEqual(row["header"], header)
                self.assertEqual(row["again?"] == "later", retry_after == "true")

    def test_texts_of_cut_streams(self):
        known = re.findall(r'return "(the [^"]*; the answer is incomplete)"', source("gateway/relay.cpp"))
        self.assertEqual({row["text"] for row in rows("errors.md", "text")}, set(known))


class Shapes(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.sim = start_sim()
        cls.addClassCleanup(cls.sim.stop)
        cls.gateway = Gateway({"node-1": cls.sim.url})
        cls.addClassCleanup(cls.gateway.stop)
        # In memory, so that no fault hits a load of the gateway's own.
        assert cls.post("/api/chat", {"model": CHAT, "messages": HELLO, "stream": False}).status == 200
        cls.shown = [line for block in blocks("errors.md", "json") for line in block.splitlines()]

    @classmethod
    def post(cls, path, body):
        return ask(cls.gateway.url, "POST", path, body=json.dumps(body).encode())

    def test_of_refusals(self):
        for number, path in enumerate(["/api/chat", "/v1/chat/completions", "/v1/messages"]):
            with self.subTest(path):
                answer = self.post(path, {"model": "nobody", "messages": HELLO})
                text = answer.body.decode().replace(answer.headers["x-request-id"], "REQUEST")
                self.assertEqual(text.strip(), self.shown[number])

    def test_of_cut_streams(self):
        for number, path in enumerate(["/api/chat", "/v1/chat/completions"], 3):
            with self.subTest(path):
                control(self.sim.url + "/sim/faults", {"fault": "cut", "after_tokens": 2, "count": 1, "path": path})
                answer = self.post(path, {"model": CHAT, "messages": HELLO, "stream": True})
                self.assertEqual(answer.body.decode().strip().splitlines()[-1], self.shown[number])
                self.assertTrue(answer.broken)


if __name__ == "__main__":
    unittest.main()
