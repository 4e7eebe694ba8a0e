"""What the documents say, as data: their tables, blocks of code, links; and what runs while they are tried."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
SOURCES = ROOT / "src"
sys.path.insert(0, str(ROOT / "tests" / "clients"))

from world import Drover, answers, start_sim, until  # noqa: E402,F401  the harness around $DROVER is that of tests/clients

CHAT = "llama3.2:3b"  # a model of the simulated node, and the one that the documents name


def text_of(name):
    return (DOCS / name).read_text()


def source(name):
    return (SOURCES / name).read_text()


def rows(name, first_title):
    """The rows of all tables of a document whose first column has this title, each as {title: cell}; cells without their
    backquotes where the whole cell is in them."""
    found, titles = [], None
    for line in text_of(name).splitlines():
        if not line.startswith("|"):
            titles = None
            continue
        cells = [unquoted(cell.strip()) for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if titles is None:
            titles = cells
        elif titles[0] == first_title and not set(line) <= set("|- :"):
            found.append(dict(zip(titles, cells, strict=True)))
    return found


def unquoted(cell):
    plain = re.fullmatch(r"`([^`]*)`", cell)
    return (plain[1] if plain else cell).replace("\\|", "|")


def blocks(name, language):
    """The blocks of code of a document that are marked as being in this language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text_of(name), re.MULTILINE | re.DOTALL)


def drover(*arguments, folder=None):
    return subprocess.run([os.environ["DROVER"], *map(str, arguments)], text=True, capture_output=True, timeout=30, cwd=folder)


class Gateway(Drover):
    """`drover serve` in a folder of its own, with nodes by name and further lines of settings."""

    def __init__(self, nodes, settings=""):
        self.folder = tempfile.TemporaryDirectory(prefix="drover-docs-")
        self.log = Path(self.folder.name) / "access.log"
        self.config = Path(self.folder.name) / "drover.yaml"
        listed = "".join(f"  - {{name: {name}, url: {url}}}\n" for name, url in nodes.items())
        self.config.write_text(f"listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\naccess_log: {self.log}\nnodes:\n{listed}{settings}")
        super().__init__("serve", "--config", self.config)
        self.url = self.line("stderr", r"listening on (http://[\d.:]+)")[1]
        self.admin = self.line("stderr", r"admin on (http://[\d.:]+)")[1]
        until(lambda: answers(self.admin + "/readyz"), "the gateway to be ready")

    def stop(self):
        super().stop()
        self.folder.cleanup()
