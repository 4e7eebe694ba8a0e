"""A node that streams by command: the next chunk leaves when the one before has arrived at the client. However busy the machine
is, no two chunks come together, so that each costs what a chunk costs that comes alone."""

import json
import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from world import Ask, Broken, Connection, Gateway

DIGEST = "7f2d1c9be0a4536881ddc2f04b9a6e5377aa10f8c4d2b6e90a1b3c5d7e9f0246"
MODEL = {"name": "m:latest", "model": "m:latest", "modified_at": "2026-11-01T08:00:00Z", "size": 2019393189, "digest": DIGEST,
         "details": {"format": "gguf", "family": "llama", "parameter_size": "3.2B", "quantization_level": "Q4_K_M"}}
PROBES = {
    "/api/version": {"version": "0.34.4"},
    "/api/tags": {"models": [MODEL | {"capabilities": ["completion"]}]},
    "/api/ps": {"models": [MODEL | {"expires_at": "2318-01-01T00:00:00Z", "size_vram": 4100000000, "context_length": 262144}]},
    "/api/show": {"details": MODEL["details"], "model_info": {"llama.context_length": 262144}, "capabilities": ["completion"]},
}

# What one token looks like, and the end, on each route.
_OLLAMA = {"model": "m", "created_at": "2026-11-21T10:00:00.123456789Z"}
_OPENAI = {"id": "chatcmpl-417", "object": "chat.completion.chunk", "created": 1795255200, "model": "m", "system_fingerprint": "fp_ollama"}


def _line(message: dict) -> str:
    return json.dumps(message, separators=(",", ":")) + "\n"


def _event(message: dict) -> str:
    return "data: " + json.dumps(message, separators=(",", ":")) + "\n\n"


STREAMS = {
    "/api/chat": ("application/x-ndjson",
                  _line(_OLLAMA | {"message": {"role": "assistant", "content": " blue"}, "done": False}),
                  _line(_OLLAMA | {"message": {"role": "assistant", "content": ""}, "done_reason": "stop", "done": True,
                                   "total_duration": 410000000, "eval_count": 29, "eval_duration": 369000000})),
    "/v1/chat/completions": ("text/event-stream",
                             _event(_OPENAI | {"choices": [{"index": 0, "delta": {"content": " blue"}, "finish_reason": None}]}),
                             _event(_OPENAI | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}) + "data: [DONE]\n\n"),
}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "LockStepNode"

    def do_GET(self) -> None:
        body = json.dumps(PROBES.get(self.path, {})).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.path not in STREAMS:
            return self.do_GET()
        self.send_response(200)
        self.send_header("Content-Type", STREAMS[self.path][0])
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while text := self.server.commands.get():
            self.wfile.write(f"{len(text):x}\r\n{text}\r\n".encode())
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_) -> None:
        pass


class LockStepNode(ThreadingHTTPServer):
    """Members as those of `Nodes`; it is one."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.ports = [self.server_address[1]]
        self.commands: queue.SimpleQueue[str] = queue.SimpleQueue()  # what to send; "": the end
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __enter__(self) -> "LockStepNode":
        return self

    def handle_error(self, request, client_address) -> None:
        pass  # the gateway ended, and its connections with it

    def __exit__(self, *_) -> None:
        self.shutdown()
        self.server_close()


class Stream:
    """One stream through the gateway."""

    def __init__(self, gateway: Gateway, node: LockStepNode, path: str):
        self.node = node
        _, self.chunk, self.last = STREAMS[path]
        self.connection = Connection(gateway)
        self.connection.send(Ask(chunks=1, path=path))
        self.steps(1)

    def steps(self, count: int) -> None:
        for _ in range(count):
            self._pass(self.chunk)

    def end(self) -> None:
        self.node.commands.put(self.last)
        self.node.commands.put("")
        self._await(b"\r\n0\r\n\r\n")
        self.connection.close()

    def _pass(self, text: str) -> None:
        self.node.commands.put(text)
        self._await(text.encode() + b"\r\n")

    def _await(self, end: bytes) -> None:
        got = b""
        while not got.endswith(end):
            more = self.connection.socket.recv(1 << 16)
            if not more:
                raise Broken(f"the gateway cut a stream: {got[-200:]!r}")
            got += more
