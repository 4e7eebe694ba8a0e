"""The commit that a change is measured against, built beside it."""

import contextlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

BUILT_FROM = ["src", "cmake", "CMakeLists.txt", "CMakePresets.json"]
BENCHMARK = ["bench/gates", "bench/stub", "bench/talk", "src/balance/scheduler_bench.cpp"]
TARGETS = ["drover", "balance_bench"]


def git(root: Path, *words: str) -> str:
    return subprocess.run(["git", "-C", root, *words], check=True, capture_output=True, text=True).stdout.strip()


@dataclass
class Parent:
    commit: str
    drover: Path
    scheduler_benchmark: Path


@dataclass
class NoParent:
    """Figures are recorded, and compared with nothing."""

    why: str


def parent_commit(root: Path) -> str | None:
    """HEAD where what is built differs from it, since the difference is the change; else the commit before it."""
    try:
        changed = git(root, "status", "--porcelain", "--", *BUILT_FROM)
        return git(root, "rev-parse", "--verify", "--quiet", "HEAD" if changed else "HEAD^")
    except (subprocess.CalledProcessError, FileNotFoundError):
        return None


def accepted_costs(message: str) -> dict[str, float]:
    """What a commit says that it costs on purpose, as lines of its message: `Costs: instructions.request +12 %, because ...`.
    By gate: the percentage up to which it may."""
    return {name: float(percent) for name, percent in re.findall(r"^Costs: ([\w.]+) \+([\d.]+) ?%", message, re.MULTILINE)}


def message_of_change(root: Path) -> str:
    """Of HEAD, where HEAD is the change; a change that is not committed has none."""
    try:
        return "" if git(root, "status", "--porcelain", "--", *BUILT_FROM) else git(root, "log", "-1", "--format=%B")
    except (subprocess.CalledProcessError, FileNotFoundError):
        return ""


def build_parent(root: Path, cache: Path) -> Parent | NoParent:
    """Builds it in the cache, where the next run finds what it can use again."""
    commit = parent_commit(root)
    if commit is None:
        return NoParent("there is no parent commit")
    if subprocess.run(["git", "-C", root, "diff", "--quiet", commit, "--", *BENCHMARK]).returncode != 0:
        return NoParent("the benchmark itself changed")
    tree = cache / "parent"
    _check_out(root, commit, tree)
    try:
        _build(root, tree)
    except subprocess.CalledProcessError as error:
        return NoParent(f"the parent commit {commit[:12]} does not build: {error.stdout[-2000:]}")
    build = tree / "build" / "release"
    return Parent(commit, build / "drover", build / "src" / "balance" / "balance_bench")


def _check_out(root: Path, commit: str, tree: Path) -> None:
    """A repository of its own that borrows the objects of this one, so that nothing is left behind here."""
    if not (tree / ".git").is_dir():
        tree.mkdir(parents=True, exist_ok=True)
        git(tree, "init", "--quiet")
    objects = git(root, "rev-parse", "--path-format=absolute", "--git-path", "objects")
    (tree / ".git" / "objects" / "info" / "alternates").write_text(objects + "\n")
    git(tree, "checkout", "--quiet", "--force", "--detach", commit)


def _build(root: Path, tree: Path) -> None:
    steps = "cmake --preset release >/dev/null && cmake --build --preset release --target " + " ".join(TARGETS)
    cache = os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))
    environment = {"CCACHE_DIR": cache + "/drover/ccache",
                   "CCACHE_SLOPPINESS": "pch_defines,time_macros,include_file_mtime,include_file_ctime"} | os.environ
    # Compilers see absolute paths. Where the system lets us, the parent is built at the path of this checkout, in a view of
    # the files of our own, so that ccache knows every file in which the two do not differ.
    view = ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*view, "mount", "--bind", tree, root], capture_output=True).returncode == 0:
        at = root
        command = [*view, "sh", "-c", f'mount --bind "{tree}" "{root}" && cd "{root}" && {steps}']
    else:
        at = tree
        command = ["sh", "-c", f'cd "{tree}" && {steps}']
    _forget_build_at_another_path(tree, at)
    subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _forget_build_at_another_path(tree: Path, at: Path) -> None:
    """CMake refuses to go on with a build whose sources have moved."""
    build = tree / "build" / "release"
    with contextlib.suppress(FileNotFoundError):
        if f"CMAKE_HOME_DIRECTORY:INTERNAL={at}\n" not in (build / "CMakeCache.txt").read_text():
            shutil.rmtree(build)
