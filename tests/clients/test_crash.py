"""kill -9 of one of three nodes while 40 streams run, read by Python's libraries. crash.test.mjs adds requests to that."""

import concurrent.futures
import threading
import unittest

import ollama
import openai

from world import GIVEN, MODELS, request, start_gateway, start_sim, until

SLOTS = 64
SPEEDUP = 0.25  # with these a stream takes about six seconds, and 40 of them little of this machine's time
TOKENS = 300


def read_ollama(url, prompt):
    for chunk in ollama.Client(host=url).chat(model=MODELS["chat"], messages=[{"role": "user", "content": prompt}],
                                              options={"temperature": 0, "seed": 7, "num_predict": TOKENS}, stream=True):
        yield chunk.message.content


def read_openai(url, prompt):
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0)
    for chunk in client.chat.completions.create(model=MODELS["chat"], messages=[{"role": "user", "content": prompt}],
                                                temperature=0, seed=7, max_tokens=TOKENS, stream=True):
        yield chunk.choices[0].delta.content or ""


class Stream(threading.Thread):
    """A stream being read; its fields fill as it goes."""

    def __init__(self, url, read, prompt):
        super().__init__(daemon=True)
        self.url, self.read, self.prompt = url, read, prompt
        self.text, self.error = "", None
        self.start()

    def run(self):
        try:
            for text in self.read(self.url, self.prompt):
                self.text += text
        except Exception as error:  # whatever the library raises
            self.error = error


class Crash(unittest.TestCase):
    @unittest.skipIf(GIVEN, "needs simulated nodes")
    def test_kill_9_of_one_of_three_nodes(self):
        sims = [start_sim(slots=SLOTS, speedup=SPEEDUP) for _ in range(3)]
        for sim in sims:
            self.addCleanup(sim.stop)
            request(sim.url + "/api/generate", {"model": MODELS["chat"]})
        gateway = start_gateway([sim.url for sim in sims], slots=SLOTS)
        self.addCleanup(gateway.stop)

        # Of twenty streams of a library at three equal nodes, none at the one that dies: 3 in 10000, were it all chance.
        streams = [Stream(gateway.url, read, f"Tell me story {number}.") for number in range(20)
                   for read in [read_ollama, read_openai]]
        until(lambda: all(stream.text or stream.error for stream in streams), "all streams to begin")
        self.assertTrue(all(stream.is_alive() for stream in streams), "streams outlast the crash; else this test shows nothing")
        sims[0].kill()
        for stream in streams:
            stream.join(60)
            self.assertFalse(stream.is_alive(), "each stream ends")

        with concurrent.futures.ThreadPoolExecutor(40) as pool:
            wholes = list(pool.map(lambda stream: "".join(stream.read(sims[1].url, stream.prompt)), streams))
        for stream, whole in zip(streams, wholes):
            what = f"{stream.read.__name__}: {stream.error}"
            self.assertTrue(stream.text and whole.startswith(stream.text), f"{what}: each token once and in order")
            self.assertEqual(stream.text == whole, stream.error is None, f"{what}: half an answer is an error, a whole one is not")
        for read in [read_ollama, read_openai]:
            self.assertTrue(any(stream.error for stream in streams if stream.read is read), f"{read.__name__}: some were cut")
