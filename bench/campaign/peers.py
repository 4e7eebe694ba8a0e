"""The proxies, each in its best configuration for this job on one core, all in front of the same nodes, all with an access log
of the same fields as Drover's as far as they know them, buffered."""

import os
import re
import shutil
import socket
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

from .backend import Programs, Stub
from .machine import PROXY_CORE, Unavailable, family, fetch, free_port, install, start, stop, until

CONNECTIONS = 9_900  # of clients: half of the usual limit on descriptors, for each has one to a node


@dataclass
class Setting:
    """Where proxies are started: the nodes, the programs, and a folder for configuration and logs."""

    stub: Stub
    programs: Programs
    folder: Path


class Proxy:
    """One that is measured. `start` may raise Unavailable."""

    name: str
    title: str
    SHORTEST_LINE = 150  # bytes of an access log
    LOG_BUFFER = 65_536
    openai_only = False  # serves /v1/chat/completions alone
    any_body = False  # writes request bodies anew
    any_answer = False  # and answers: only what they echo can be checked

    def __init__(self, setting: Setting):
        self.setting = setting
        self.folder = setting.folder / self.name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.process: subprocess.Popen | None = None

    def prepare(self) -> None:
        """Installs what it needs."""

    def version(self) -> str:
        raise NotImplementedError

    def start(self, log: bool) -> None:
        raise NotImplementedError

    def port(self, streams: bool, log: bool) -> int:
        """Where it listens for streams, or for whole answers; with or without an access log."""
        raise NotImplementedError

    def pids(self) -> list[int]:
        return family(self.process.pid)

    def before(self) -> None:
        """Called before a measurement."""

    def after(self, requests: int) -> str | None:
        """Called after a measurement of so many requests. A text: why it is void."""
        return None

    def run(self, command: list, guarded: bool = True, **environment) -> None:
        self.output = open(self.folder / "output", "w")
        self.process = start(command, PROXY_CORE, guarded, stdout=self.output, stderr=subprocess.STDOUT, cwd=self.folder,
                             env=os.environ | environment)

    def answers(self, port: int, path: str = "/api/version", seconds: float = 20) -> None:
        try:
            until(lambda: fetch(f"http://127.0.0.1:{port}{path}"), f"{self.title} to serve", seconds, self.process)
        except Unavailable as missing:
            last = (self.folder / "output").read_text(errors="replace").splitlines()[-5:]
            raise Unavailable(" ".join([f"{missing};", *last])) from None

    def log_is_short(self, written: int, requests: int) -> str | None:
        """Void if its access log has fewer bytes than so many lines need, all but what may still be in its buffer."""
        if written >= requests * self.SHORTEST_LINE - self.LOG_BUFFER:
            return None
        return f"its access log has {written} bytes of {requests} requests"

    def trim_logs(self) -> None:
        """Empties its logs, which grow by 100 MB a measurement."""
        for log in self.folder.glob("*.log"):
            os.truncate(log, 0)

    def stop(self) -> None:
        if self.process is not None:
            stop(self.process)
            self.output.close()
            self.process = None


class Drover(Proxy):
    name, title = "drover", "Drover"
    SLOTS = 1024  # of each node: above all that is ever offered, so that nothing queues
    policy = "earliest_finish"

    def version(self) -> str:
        said = subprocess.run([self.setting.programs.drover, "--version"], capture_output=True, text=True, check=True).stdout
        return said.splitlines()[0]

    def start(self, log: bool) -> None:
        self.launch(log)
        until(lambda: fetch(f"http://127.0.0.1:{self.admin}/readyz"), "Drover to be ready", process=self.process)

    def launch(self, log: bool, guarded: bool = True) -> None:
        self.listen, self.admin = free_port(), free_port()
        nodes = "".join(f"  - {{name: node-{number}, url: 'http://127.0.0.1:{port}', slots: {self.SLOTS}}}\n"
                        for number, port in enumerate(self.setting.stub.ports, 1))
        settings = self.folder / "drover.yaml"
        settings.write_text(f"listen: 127.0.0.1:{self.listen}\nadmin: 127.0.0.1:{self.admin}\nworkers: 1\n"
                            f"policy: {self.policy}\naccess_log: {self.folder / 'access.log' if log else 'off'}\nnodes:\n{nodes}")
        self.run([self.setting.programs.drover, "serve", "--config", settings], guarded, XDG_RUNTIME_DIR=str(self.folder))

    def port(self, streams: bool, log: bool) -> int:
        return self.listen

    def counters(self) -> dict[str, float]:
        text = fetch(f"http://127.0.0.1:{self.admin}/metrics") or ""
        found: dict[str, float] = {}
        for name, labels, value in re.findall(r"^(drover_\w+)(\{.*\})? (\S+)$", text, re.MULTILINE):
            if name == "drover_requests_total":
                name = "ok" if 'outcome="ok"' in labels else "not_ok"
            found[name] = found.get(name, 0) + float(value)
        return found

    def before(self) -> None:
        self.seen = self.counters()

    def after(self, requests: int) -> str | None:
        # A request is counted when its end has been dealt with, which may be just after its client saw it.
        def grown() -> dict[str, float] | None:
            now = self.counters()
            growth = {name: value - self.seen.get(name, 0) for name, value in now.items()}
            return growth if growth.get("ok", 0) + growth.get("not_ok", 0) >= requests else None

        try:
            growth = until(grown, "Drover to count its requests", 3)
        except Unavailable as missing:
            return str(missing)
        for counter, what in (("not_ok", "requests that Drover did not answer well"),
                              ("drover_queue_wait_seconds_sum", "seconds in Drover's queue"),
                              ("drover_retries_total", "requests repeated"),
                              ("drover_log_dropped_total", "lines of the access log dropped")):
            if growth.get(counter, 0) > 0:
                return f"{growth[counter]:g} {what}"
        return None


class Nginx(Proxy):
    name, title = "nginx", "nginx"

    def prepare(self) -> None:
        install(["nginx"], "a proxy to compare with")
        if not shutil.which("nginx"):
            raise Unavailable("nginx is not installed")

    def version(self) -> str:
        return subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True).stderr.strip()

    def start(self, log: bool) -> None:
        self.log = log
        self.ports = {key: free_port() for key in ("whole", "whole-quiet", "streams", "streams-quiet")}
        settings = self.folder / "nginx.conf"
        settings.write_text(self.configuration())
        # Its own place for everything, so that a system's nginx is neither used nor disturbed.
        self.run(["nginx", "-p", self.folder, "-c", settings, "-e", self.folder / "error.log"])
        self.answers(self.ports["whole"])

    def port(self, streams: bool, log: bool) -> int:
        return self.ports[("streams" if streams else "whole") + ("" if log else "-quiet")]

    def after(self, requests: int) -> str | None:
        return self.log_is_short((self.folder / "access.log").stat().st_size, requests) if self.log else None

    def configuration(self) -> str:
        servers = "".join(f"    server 127.0.0.1:{port} max_fails=0;\n" for port in self.setting.stub.ports)
        places = "".join(f"  {kind}_temp_path {self.folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        fields = ('{"@timestamp":"$time_iso8601","http.request.id":"$request_id","source.ip":"$remote_addr",'
                  '"http.request.method":"$request_method","http.route":"$uri","http.response.status_code":$status,'
                  '"drover.node":"$upstream_addr","event.duration":$request_time,"drover.queue_ms":"$upstream_connect_time",'
                  '"drover.decode_ms":"$upstream_response_time","drover.first_byte_ms":"$upstream_header_time",'
                  '"http.request.body.bytes":$content_length,"http.response.body.bytes":$bytes_sent}')
        blocks = "".join(self.server(key, port) for key, port in self.ports.items())
        return f"""
{"user root;" if os.getuid() == 0 else ""}
daemon off;
worker_processes 1;
worker_rlimit_nofile {2 * CONNECTIONS + 200};
pid {self.folder}/nginx.pid;
error_log {self.folder}/error.log;
events {{ worker_connections {2 * CONNECTIONS}; use epoll; multi_accept on; }}
http {{
{places}  log_format fields escape=json '{fields}';
  upstream nodes {{
    least_conn;
{servers}    keepalive 2048;
    keepalive_requests 100000000;
    keepalive_timeout 75s;
  }}
  tcp_nodelay on;
  keepalive_requests 100000000;
  keepalive_timeout 75s;
  client_max_body_size 64m;
  client_body_buffer_size 512k;
  server_tokens off;
{blocks}}}
"""

    def server(self, key: str, port: int) -> str:
        log = "off" if key.endswith("quiet") else f"{self.folder}/access.log fields buffer=64k flush=1s"
        buffering = "off" if key.startswith("streams") else "on"
        return f"""  server {{
    listen 127.0.0.1:{port} backlog=8192;
    access_log {log};
    location / {{
      proxy_pass http://nodes;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering {buffering};
      proxy_read_timeout 600s;
    }}
  }}
"""


class Haproxy(Proxy):
    """Both as an HTTP proxy and as a mere relay of connections, which understands nothing: two names, two listeners."""

    name, title, mode = "haproxy_http", "HAProxy http", "http"

    def prepare(self) -> None:
        install(["haproxy"], "a proxy to compare with")
        if not shutil.which("haproxy"):
            raise Unavailable("haproxy is not installed")

    def version(self) -> str:
        said = subprocess.run(["haproxy", "-v"], capture_output=True, text=True, check=True).stdout
        return said.splitlines()[0].split(" - ")[0]

    def start(self, log: bool) -> None:
        self.log = log
        self.sink = LogSink()
        self.ports = {True: free_port(), False: free_port()}
        settings = self.folder / "haproxy.cfg"
        settings.write_text(self.configuration())
        self.run(["haproxy", "-db", "-f", settings])
        self.answers(self.ports[True])

    def port(self, streams: bool, log: bool) -> int:
        return self.ports[log]

    def before(self) -> None:
        self.sink.bytes = 0

    def after(self, requests: int) -> str | None:
        is_logged = self.log and self.mode == "http"  # the other has a line a connection
        return self.log_is_short(self.sink.bytes, requests) if is_logged else None

    def stop(self) -> None:
        super().stop()
        if hasattr(self, "sink"):
            self.sink.close()

    def configuration(self) -> str:
        servers = "".join(f"  server node-{number} 127.0.0.1:{port}\n" for number, port in enumerate(self.setting.stub.ports, 1))
        http = "  option http-keep-alive\n  option http-no-delay\n  http-reuse always\n" if self.mode == "http" else ""
        fields = (r'{\"@timestamp\":\"%tr\",\"http.request.id\":\"%ID\",\"source.ip\":\"%ci\",\"http.request.method\":\"%HM\",'
                  r'\"http.route\":\"%HP\",\"http.response.status_code\":%ST,\"drover.node\":\"%s\",\"drover.attempts\":%rc,'
                  r'\"event.duration\":%Ta,\"drover.queue_ms\":%Tw,\"drover.first_byte_ms\":%Tr,'
                  r'\"http.request.body.bytes\":%U,\"http.response.body.bytes\":%B}')
        fields_of_tcp = (r'{\"@timestamp\":\"%t\",\"source.ip\":\"%ci\",\"drover.node\":\"%s\",\"event.duration\":%Tt,'
                         r'\"drover.queue_ms\":%Tw,\"http.request.body.bytes\":%U,\"http.response.body.bytes\":%B}')
        logged = ["  log ring@access len 2048 format raw local0\n",
                  f'  log-format "{fields if self.mode == "http" else fields_of_tcp}"\n',
                  "  unique-id-format %[uuid()]\n" if self.mode == "http" else ""]
        fronts = "".join(f"frontend front-{log}\n  bind 127.0.0.1:{port} backlog 8192\n{''.join(logged) if log else ''}"
                         f"  default_backend nodes\n" for log, port in self.ports.items())
        # A ring is HAProxy's one way to write its log in more than a line a call.
        return f"""
global
  nbthread 1
  maxconn {CONNECTIONS - 50}
ring access
  format raw
  maxlen 2048
  size 4194304
  timeout connect 5s
  timeout server 10s
  server sink 127.0.0.1:{self.sink.port}
defaults
  mode {self.mode}
{http}  timeout connect 5s
  timeout client 600s
  timeout server 600s
  timeout http-keep-alive 75s
  maxconn {CONNECTIONS - 50}
{fronts}backend nodes
  balance leastconn
  default-server pool-max-conn -1 pool-purge-delay 1h
{servers}"""


class HaproxyTcp(Haproxy):
    name, title, mode = "haproxy_tcp", "HAProxy tcp", "tcp"


class LogSink(threading.Thread):
    """Takes what a proxy writes to its log over a connection, and drops it."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.bytes = 0
        self.start()

    def run(self) -> None:
        taken = bytearray(1 << 20)
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            with peer:
                while count := peer.recv_into(taken):
                    self.bytes += count

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Direct(Proxy):
    """No proxy: the load straight on the nodes."""

    name, title = "direct", "direct"

    def version(self) -> str:
        return "-"

    def start(self, log: bool) -> None:
        pass

    def port(self, streams: bool, log: bool) -> int:
        return self.setting.stub.ports[0]

    def pids(self) -> list[int]:
        return []


PROXIES: dict[str, type[Proxy]] = {proxy.name: proxy for proxy in (Direct, Drover, Nginx, Haproxy, HaproxyTcp)}
