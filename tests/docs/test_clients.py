"""The examples of docs/clients.md, run as they stand there, but for the gateway's address."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from documents import ROOT, Gateway, blocks, start_sim

import packages

SHOWN = "127.0.0.1:11435"


def installed():
    """The folders of the client libraries of Node and Python, installed as for tests/clients; none where that cannot be."""
    path = str(ROOT / "tests" / "clients" / "run")
    if subprocess.run([sys.executable, "-B", path, "--install"]).returncode == 77:
        return None, None
    with packages.lock():
        return packages.node(), packages.python()


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.node_folder, cls.python_folder = installed()
        sim = start_sim(speedup=100)
        cls.addClassCleanup(sim.stop)
        cls.gateway = Gateway({"node-1": sim.url})
        cls.addClassCleanup(cls.gateway.stop)

    def run_example(self, text, command, suffix, links=()):
        self.assertIn(SHOWN, text)
        with tempfile.TemporaryDirectory() as folder:
            for name, target in links:
                os.symlink(target, Path(folder) / name)
            file = Path(folder) / f"example{suffix}"
            file.write_text(text.replace(SHOWN, self.gateway.url.removeprefix("http://")))
            done = subprocess.run([*command, file], text=True, capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 0, f"{text}\n{done.stderr}")
        self.assertGreater(len(done.stdout), 20, f"{text}\n{done.stdout}")
        self.assertNotIn('"error"', done.stdout)

    def test_python(self):
        if self.python_folder is None:
            self.skipTest("the client libraries are not installed")
        examples = blocks("clients.md", "python")
        self.assertEqual(len(examples), 2)
        for text in examples:
            with self.subTest(text):
                self.run_example(text, [self.python_folder / "bin" / "python", "-B"], ".py")

    def test_javascript(self):
        if self.node_folder is None:
            self.skipTest("the client libraries are not installed")
        examples = blocks("clients.md", "js")
        self.assertEqual(len(examples), 5)
        for text in examples:
            with self.subTest(text):
                self.run_example(text, ["node"], ".mjs", [("node_modules", self.node_folder / "node_modules")])

    def test_curl(self):
        if shutil.which("curl") is None:
            self.skipTest("no curl here")
        (text,) = [block for block in blocks("clients.md", "sh") if "curl" in block]
        self.run_example(text, ["bash", "-e"], ".sh")


if __name__ == "__main__":
    unittest.main()
