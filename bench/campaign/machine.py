"""Processes on given cores, and what the kernel says of their time and memory."""

import fcntl
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

PROXY_CORE = 0  # the proxy that is measured, alone
HIGHEST = -20  # priority
LOAD_CORE = 1  # nodes, load and this program
ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "drover" / "bench"


class Unavailable(Exception):
    """Something that the benchmark needs is not to be had here; the text says what, and why."""


def say(text: str) -> None:
    print(f"bench: {text}", flush=True)


def start(command: list, core: int, guarded: bool = True, **options) -> subprocess.Popen:
    """Starts a program on one core, ahead of all others there where we may. Guarded, it ends with this one, however that ends."""
    guard = [shutil.which("setpriv"), "--pdeathsig", "TERM"] if guarded and shutil.which("setpriv") else []
    options.setdefault("stdin", subprocess.DEVNULL)
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})  # a child has its parent's
    try:
        # In a session of its own it is a group of its own to the scheduler, whose priority counts against all others.
        process = subprocess.Popen(list(map(str, [*guard, *command])), start_new_session=True, **options)
    finally:
        os.sched_setaffinity(0, mine)
    put_ahead(process.pid)
    return process


def put_ahead(pid: int) -> None:
    """So that what else runs on the machine disturbs less. Needs root; without, a quiet machine is all the more needed."""
    try:
        os.setpriority(os.PRIO_PROCESS, pid, HIGHEST)
        Path(f"/proc/{pid}/autogroup").write_text(str(HIGHEST))
    except OSError:
        pass


def stop(process: subprocess.Popen, patience: float = 5) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(patience)


def family(pid: int) -> list[int]:
    """A process and all that it started."""
    pids = [pid]
    for known in pids:
        try:
            for task in Path(f"/proc/{known}/task").iterdir():
                pids += map(int, (task / "children").read_text().split())
        except OSError:
            continue  # it has ended meanwhile
    return pids


def cpu_ns(pids: list[int]) -> int:
    """Processor time, from the scheduler's accounting, all threads."""
    total = 0
    for pid in pids:
        try:
            for task in Path(f"/proc/{pid}/task").iterdir():
                total += int((task / "schedstat").read_text().split()[0])
        except OSError:
            continue
    return total


def core_busy_ns(core: int) -> tuple[int, int]:
    """Of a core since the machine started: time not idle, and of that stolen by other machines on the same host."""
    tick = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    line = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith(f"cpu{core} "))
    user, nice, system, _, _, irq, softirq, steal = map(int, line.split()[1:9])
    return (user + nice + system + irq + softirq + steal) * tick, steal * tick


def pss_bytes(pids: list[int]) -> int:
    """Memory, each page shared with others counted in part."""
    total = 0
    for pid in pids:
        match = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
        total += int(match[1]) * 1024 if match else 0
    return total


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def fetch(url: str, seconds: float = 5) -> str | None:
    """The body of a 200; None otherwise."""
    try:
        with urllib.request.urlopen(url, timeout=seconds) as answer:
            return answer.read().decode() if answer.status == 200 else None
    except OSError:
        return None


def until(condition, what: str, seconds: float = 20, process: subprocess.Popen | None = None, pause: float = 0.02):
    """Waits for a condition to return something true, and returns it."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if process is not None and process.poll() is not None:
            raise Unavailable(f"{what}: the program ended with {process.returncode}")
        if time.monotonic() > end:
            raise Unavailable(f"{what}: not after {seconds} s")
        time.sleep(pause)


def install(packages: list[str], why: str) -> None:
    """Debian packages, as ./drover installs what it builds with."""
    if not shutil.which("dpkg-query"):
        return  # not Debian: whoever needs a program says that it is missing
    missing = [package for package in packages if not is_installed(package)]
    if not missing:
        return
    say(f"installing Debian packages, {why}: {' '.join(missing)}")
    as_root = []
    if os.getuid() != 0:
        if not shutil.which("sudo"):
            raise Unavailable(f"installing needs root and there is no sudo. As root, run: apt-get install {' '.join(missing)}")
        as_root = ["sudo"]
        say("installing them needs root: sudo may ask for your password")
    apt = [*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    for command in ([*apt, "update", "-qq"], [*apt, "install", "-y", "-qq", "--no-install-recommends", *missing]):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise Unavailable("apt-get failed:\n" + "\n".join(done.stdout.splitlines()[-20:]))
    # Debian starts what it installs. Nobody asked for a service on port 80.
    if shutil.which("systemctl"):
        subprocess.run([*as_root, "systemctl", "disable", "--now", *missing], stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@contextmanager
def alone():
    """Two benchmarks at once would measure one another."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "running", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Unavailable("another benchmark is running on this machine") from None
        yield


def is_installed(package: str) -> bool:
    done = subprocess.run(["dpkg-query", "-W", "-f=${db:Status-Status}", package], capture_output=True, text=True)
    return done.stdout == "installed"


def describe() -> dict:
    """What the figures were measured on."""
    cpu = re.search(r"^model name\s*: (.*)", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    commit = subprocess.run(["git", "describe", "--always", "--dirty", "--abbrev=12"], cwd=ROOT, capture_output=True, text=True)
    return {"cpu": cpu[1] if cpu else "unknown", "cores": os.cpu_count(), "kernel": os.uname().release,
            "commit": commit.stdout.strip() or "unknown", "load_average_at_start": os.getloadavg()[0],
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
