"""SIGTERM and SIGINT: what runs may finish, nothing new begins, and nobody waits longer than the grace."""

import http.client
import signal
import time

from harness import MODEL, CommandTest, Stream, accepts, get, request, state, status_of, until


def connection(url):
    return http.client.HTTPConnection(url.removeprefix("http://"), timeout=15)


class Stopping(CommandTest):
    def test_a_running_stream_finishes_while_nothing_new_begins(self):
        for number in [signal.SIGTERM, signal.SIGINT]:
            with self.subTest(signal=number.name):
                self.streaming(tokens=800)
                self.gateway.send(number)
                until(lambda: not accepts(self.gateway.url), "new connections to be refused")
                self.assertEqual(status_of(self.gateway.admin + "/livez"), 200)
                self.assertEqual(status_of(self.gateway.admin + "/readyz"), 503)
                self.assertEqual(state(self.node.url)["in_flight"], 1, "the stream runs on meanwhile")
                self.assertTrue(self.stream.whole(), self.stream.error)
                self.assertEqual(self.gateway.end(5), 0)
                self.assertEqual(len(self.gateway.seen["stdout"]), 1, "its line is in the access log")

    def test_ends_at_once_when_idle(self):
        for command in ["serve", "up"]:
            for number in [signal.SIGTERM, signal.SIGINT]:
                with self.subTest(command=command, signal=number.name):
                    self.write_settings([self.sim().url])
                    gateway = self.start(*{"serve": ["serve", "--config", "drover.yaml"], "up": ["up", "--plain"]}[command])
                    self.ready(gateway.serving())
                    gateway.send(number)
                    self.assertEqual(gateway.end(3), 0)

    def test_ends_when_told_before_its_first_probe_is_answered(self):
        hanging = self.sim()
        request(hanging.url + "/sim/faults", {"fault": "hang", "count": 0, "path": "/api/version"})
        gateway = self.serve(hanging.url)
        gateway.send(signal.SIGTERM)
        self.assertEqual(gateway.end(3), 0)

    def test_idle_connections_are_closed(self):
        gateway = self.ready(self.serve(self.sim().url))
        idle = connection(gateway.url)
        idle.request("GET", "/api/version")
        idle.getresponse().read()
        fresh = connection(gateway.url)
        fresh.connect()
        gateway.send(signal.SIGTERM)
        self.assertEqual(idle.sock.recv(1), b"", "closed, and nothing before that")
        idle.close()
        said = fresh.sock.makefile("rb").read()  # its first request may be on its way
        self.assertTrue(said.startswith(b"HTTP/1.1 503 ") and b"x-drover-reason: shutting_down" in said, said)
        fresh.close()
        self.assertEqual(gateway.end(3), 0)

    def test_a_stream_that_outlives_the_grace_is_cut_with_a_word(self):
        self.streaming(tokens=100_000, settings="timeouts: {drain: 300ms}\n")
        begin = time.monotonic()
        self.gateway.send(signal.SIGTERM)
        self.assertEqual(self.gateway.end(5), 0)
        self.assertLess(time.monotonic() - begin, 3, "the grace is 0.3 s")
        self.assertFalse(self.stream.whole(), "half an answer must not look like a whole one")
        self.assertIn("error", self.stream.lines[-1], "the last line says why, in the words of the dialect")
        until(lambda: state(self.node.url)["in_flight"] == 0, "the node to be free")

    def test_a_second_signal_ends_it_at_once(self):
        self.streaming(tokens=100_000)
        self.gateway.send(signal.SIGTERM)
        until(lambda: not accepts(self.gateway.url), "the first signal to be obeyed")
        begin = time.monotonic()
        self.gateway.send(signal.SIGINT)
        self.assertEqual(self.gateway.end(5), 130)
        self.assertLess(time.monotonic() - begin, 2, "the grace is 30 s")
        self.assertFalse(self.stream.whole())

    def test_a_request_that_waits_for_a_slot_is_served_within_the_grace(self):
        node = self.sim(speedup=0.5)
        self.write(f"listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\nnodes: [{{url: '{node.url}', slots: 1}}]\n")
        gateway = self.ready(self.start("serve", "--config", "drover.yaml").serving())
        first = Stream(gateway.url, 400)
        waiting = connection(gateway.url)
        waiting.request("POST", "/api/generate",
                        f'{{"model": "{MODEL}", "prompt": "Hi", "stream": false, "options": {{"num_predict": 5}}}}')
        until(lambda: '"waiting": 1' in get(gateway.admin + "/api/status").text, "the second request to wait")
        gateway.send(signal.SIGTERM)
        self.assertEqual(waiting.getresponse().status, 200)
        self.assertTrue(first.whole(), first.error)
        self.assertEqual(gateway.end(5), 0)

    def test_the_port_is_free_again(self):
        gateway = self.ready(self.serve(self.sim().url))
        gateway.send(signal.SIGTERM)
        self.assertEqual(gateway.end(3), 0)
        self.write(f"listen: {gateway.url.removeprefix('http://')}\nadmin: 127.0.0.1:0\nnodes: ['http://127.0.0.1:1']\n")
        again = self.start("serve", "--config", "drover.yaml").serving()
        self.assertEqual(again.url, gateway.url)
