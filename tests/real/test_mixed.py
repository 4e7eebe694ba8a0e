"""A fleet of both versions, one of whose nodes is killed with -9 while both stream."""

import http.client
import json
import threading

from fleet import CHAT, FleetTest, asking, call, long_chat, until

TOKENS = 400  # seconds of them, of which the kill needs a part
PROMPTS = ["The sky is blue because", "The sea is salt because"]


class Stream(threading.Thread):
    """A chat being read through the gateway; its fields fill as it goes."""

    def __init__(self, url, prompt):
        super().__init__(daemon=True)
        self.url, self.prompt = url, prompt
        self.node, self.text, self.done, self.error = None, "", False, None
        self.start()

    def run(self):
        try:
            with asking(self.url, "POST", "/api/chat", long_chat(self.prompt, TOKENS)) as response:
                self.node = response.headers["x-drover-node"]
                rest = b""
                # By read1, since this library's readline takes an answer that was cut for one that has ended.
                while piece := response.read1():
                    *lines, rest = (rest + piece).split(b"\n")
                    for line in lines:
                        self.take(json.loads(line))
        except (OSError, http.client.HTTPException) as error:
            self.error = self.error or error

    def take(self, chunk):
        if "error" in chunk:
            self.error = chunk["error"]
        else:
            self.text += chunk["message"]["content"]
            self.done = chunk["done"]


class Mixed(FleetTest):
    versions = ["0.34.4", "0.24.0"]

    def test_a_node_killed_while_both_stream(self):
        for node in self.nodes:
            call(node.url, "POST", "/api/generate", {"model": CHAT})
        until(lambda: len(call(self.gateway.url, "GET", "/api/ps").json()["models"]) == 1, "the gateway to have seen the loads")
        streams = []
        for prompt in PROMPTS:
            streams.append(Stream(self.gateway.url, prompt))
            until(lambda: streams[-1].text or streams[-1].error, "the stream to begin", 60)
        self.assertEqual({stream.node for stream in streams}, {"node-1", "node-2"})
        self.nodes[0].kill()
        for stream in streams:
            stream.join(60)
            self.assertFalse(stream.is_alive(), "each stream ends")
        lost, kept = sorted(streams, key=lambda stream: stream.node)
        self.assertIsNotNone(lost.error, "the cut stream is an error")
        self.assertFalse(lost.done)
        self.assertIsNone(kept.error)
        self.assertTrue(kept.done)

        after = call(self.gateway.url, "POST", "/api/chat", long_chat("Hi", 2))
        self.assertEqual((after.status, after.headers["x-drover-node"]), (200, "node-2"))
        self.assertTrue(after.lines()[-1]["done"])
        listed = call(self.gateway.url, "GET", "/api/tags").json()["models"]
        self.assertIn(CHAT, [model["name"] for model in listed], "what is still held stays listed")

        # The versions answer differently, so the node of each stream says itself how that answer goes.
        self.nodes[0].start(int(self.nodes[0].url.rpartition(":")[2]))
        self.assertTrue(self.whole(lost).startswith(lost.text), "it is how the answer starts, each token once")
        self.assertEqual(kept.text, self.whole(kept))

    def test_the_command_line_of_each_version(self):
        for node in self.nodes:
            with self.subTest(node.version):
                def ollama(*command, node=node):
                    return node.cli(*command, url=self.gateway.url).stdout
                self.assertIn(CHAT, ollama("list"))
                self.assertIn("gemma3", ollama("show", CHAT))
                self.assertTrue(ollama("run", CHAT, PROMPTS[0]).strip())
                until(lambda ollama=ollama: CHAT in ollama("ps"), "the gateway to show what runs")
                ollama("stop", CHAT)
                until(lambda ollama=ollama: CHAT not in ollama("ps"), "the gateway to show that it was stopped")

    def whole(self, stream):
        node = self.nodes[int(stream.node.removeprefix("node-")) - 1]
        answer = call(node.url, "POST", "/api/chat", {**long_chat(stream.prompt, TOKENS), "stream": False})
        return answer.json()["message"]["content"]
