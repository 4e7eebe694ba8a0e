"""The pinned packages of the client libraries, in the cache: made once for every change of the pins."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "drover" / "clients"


@contextlib.contextmanager
def lock():
    """Held while node() and python() are asked: another run may be making them."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def node():
    """The folder that holds node_modules."""
    return build("node", ["package.json", "package-lock.json", ".npmrc"], make_node)


def python():
    """The folder of a virtual environment."""
    return build("python", ["requirements.txt"], make_python)


def build(name, pins, make):
    """A folder made by make(), keyed by the files that decide what is in it; it appears under its name when complete."""
    key = hashlib.sha256(b"".join((HERE / pin).read_bytes() for pin in pins)).hexdigest()[:8]
    folder = CACHE / f"{name}-{key}"
    if not folder.exists():
        print(f"installing {name} packages", flush=True)
        with tempfile.TemporaryDirectory(prefix="building-", dir=CACHE) as scratch:
            made = Path(scratch) / "made"
            made.mkdir()
            for pin in pins:
                shutil.copy(HERE / pin, made)
            make(made)
            made.rename(folder)
    return folder


def make_node(folder):
    subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], cwd=folder, check=True,
                   timeout=600)


def make_python(folder):
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=600)
    subprocess.run([folder / "bin" / "python", "-m", "pip", "--quiet", "install", "-r", folder / "requirements.txt"], check=True,
                   timeout=600)
