"""The nodes that all proxies stand in front of, and the load on them."""

import json
import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .machine import CACHE, LOAD_CORE, ROOT, Unavailable, say, start, stop

NODES = 8
PRESET = "release"


@dataclass
class Programs:
    drover: Path
    stub: Path
    load: Path


def caches() -> dict[str, str]:
    return {"CCACHE_DIR": os.environ.get("CCACHE_DIR") or str(CACHE.parent / "ccache")}


def build() -> Programs:
    """Builds what is measured as users build it; ./drover installs the compiler where it is missing."""
    say("building (release)")
    folder = ROOT / "build" / PRESET
    for command in ([ROOT / "drover", "--version"],
                    ["cmake", "--build", folder, "--target", "drover", "drover_bench_stub", "drover_bench_load"]):
        if subprocess.run(command, stdout=subprocess.DEVNULL, env=os.environ | caches()).returncode != 0:
            raise Unavailable("the build failed")
    return programs(folder)


def programs(folder: Path) -> Programs:
    folder = folder.resolve()
    found = Programs(folder / "drover", folder / "bench" / "drover_bench_stub", folder / "bench" / "drover_bench_load")
    for program in (found.drover, found.stub, found.load):
        if not program.exists():
            raise Unavailable(f"{program} is not there")
    return found


class Stub:
    """All nodes, in one process. What is due of their streams leaves once a tick."""

    TICK = 0.001  # seconds

    def __init__(self, program: Path, tick: float = TICK):
        self.process = start([program, "--nodes", NODES, "--tick", tick], LOAD_CORE, stdout=subprocess.PIPE, text=True)
        self.ports: list[int] = json.loads(self.process.stdout.readline())["ports"]

    @property
    def pid(self) -> int:
        return self.process.pid

    def stop(self) -> None:
        stop(self.process)
        self.process.stdout.close()


class Load:
    """One run of the load tool. `report` has what it said at the end, after finish()."""

    def __init__(self, program: Path, arguments: list, port: int, watched: dict[str, list[int]]):
        command = [program, *arguments, "--target", f"127.0.0.1:{port}"]
        for name, pids in watched.items():
            for pid in pids:
                command += ["--watch", f"{name}={pid}"]
        self.process = start(command, LOAD_CORE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def wait_until_held(self) -> bool:
        """With --hold: everything is open. False: it has failed, and finish() says why."""
        line = self.process.stdout.readline()
        self.last = line
        return '"holding"' in line

    def finish(self) -> dict:
        try:
            output, _ = self.process.communicate(timeout=300)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGKILL)
            self.process.communicate()
            return {"valid": False, "fault": "the load tool did not end"}
        lines = output.splitlines() or [getattr(self, "last", "")]
        try:
            return json.loads(lines[-1])
        except ValueError:
            return {"valid": False, "fault": f"the load tool ended with {self.process.returncode}"}
