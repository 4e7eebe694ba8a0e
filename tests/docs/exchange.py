"""HTTP as bytes: requests that no library would send, and answers with the way they ended."""

import contextlib
import select
import socket
import urllib.parse
from typing import NamedTuple


class Answer(NamedTuple):
    status: int
    headers: dict  # by lower-case name
    body: bytes
    broken: bool  # the connection ended before the answer did


def ask(url, method, path, headers=None, body=None, timeout=30):
    """One request on a connection of its own. `headers` win over those that are sent by default; `body` is bytes."""
    place = urllib.parse.urlsplit(url)
    fields = {"Host": place.netloc, "Connection": "close"}
    if body is not None and "Transfer-Encoding" not in (headers or {}):
        fields["Content-Length"] = str(len(body))
    fields |= headers or {}
    head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n"
    with socket.create_connection((place.hostname, place.port), timeout) as connection:
        send(connection, head.encode() + (body or b""), timeout)
        return read(connection, method)


def send(connection, data, timeout):
    """Sends until all is out or the other side has answered: who refuses a body does not read it."""
    view = memoryview(data)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        while view:
            readable, writable, _ = select.select([connection], [connection], [], timeout)
            if readable:
                return
            assert writable, f"the other side took nothing for {timeout} s"
            view = view[connection.send(view[:65536]):]


def read(connection, method):
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            data += piece
    head, separator, rest = data.partition(b"\r\n\r\n")
    while separator and head.split(b" ")[1] == b"100":
        head, separator, rest = rest.partition(b"\r\n\r\n")
    assert separator, f"no answer, but {data[:200]}"
    line, *fields = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
    status = int(line.split(" ")[1])
    if method == "HEAD" or status in (204, 304):
        return Answer(status, headers, b"", False)
    if headers.get("transfer-encoding") == "chunked":
        return Answer(status, headers, *unchunked(rest))
    return Answer(status, headers, rest, len(rest) < int(headers.get("content-length", 0)))


def unchunked(data):
    """The body, and whether its last chunk is missing."""
    body = b""
    while True:
        size, separator, data = data.partition(b"\r\n")
        count = int(size, 16) if separator else None
        if count is None or len(data) < count + 2:
            return body + data[:count or 0], True
        if count == 0:
            return body, False
        body, data = body + data[:count], data[count + 2:]
