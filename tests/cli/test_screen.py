"""The live screen of `drover up`, in a real terminal: tmux."""

import contextlib
import os
import re
import shlex
import shutil
import signal
import unittest

from harness import ANYWHERE, MODEL, CommandTest, Stream, accepts, free_port, get, needs_no_ollama_here, request, until
from terminal import Terminal


@unittest.skipUnless(shutil.which("tmux"), "needs tmux")
class Screen(CommandTest):
    def up(self, columns, rows, *arguments):
        self.terminal = Terminal(self.folder, columns, rows)
        self.addCleanup(self.clear, self.terminal)
        command = [os.environ["DROVER"], "up", "--listen", ANYWHERE, "--admin", ANYWHERE, *map(str, arguments)]
        self.terminal.type("clear; " + shlex.join(command) + "; echo ended with $?", "Enter")
        self.shows(r"http://127\.0\.0\.1:\d+  up \d")
        self.url = re.search(r"(http://\S+)  up", self.terminal.text())[1]

    def clear(self, terminal):
        if terminal.is_open():
            left = terminal.commands()
            terminal.close()
            for process in left:
                self.kill(process)

    def kill(self, process):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)

    def shows(self, pattern):
        try:
            until(lambda: re.search(pattern, self.terminal.text()), f"the screen to show {pattern}")
        except AssertionError as error:
            raise AssertionError(f"{error}:\n{self.terminal.text()}") from None

    def ends(self, code=0):
        self.shows(rf"ended with {code}\n")

    def test_fits_terminals_of_any_size(self):
        nodes = [self.sim() for _ in range(3)]
        for columns, rows in [(100, 30), (60, 15), (30, 8)]:
            with self.subTest(columns=columns, rows=rows):
                self.up(columns, rows, *[part for node in nodes for part in ["--node", node.url]])
                self.shows(r"(?s)(stable.*){3}" if rows > 10 else "stable")
                lines = self.terminal.text().splitlines()
                self.assertTrue(lines[0].startswith(self.url), f"the first line is on the screen:\n{self.terminal.text()}")
                self.assertTrue(any(line.startswith("NODE") for line in lines), self.terminal.text())
                self.assertLess(max(map(len, lines)), columns)
                self.terminal.type("C-c")
                self.ends()

    def test_shows_what_its_nodes_do(self):
        node = self.sim(speedup=0.5)
        request(node.url + "/api/generate", {"model": MODEL})
        self.up(100, 30, "--node", node.url, "--node", f"http://127.0.0.1:{free_port()}")
        self.shows(r"(?m)^localhost-\d+ +stable.* 0/1 +0 +" + MODEL)
        self.shows(r"(?m)^localhost-\d+ +offline.*connect_refused")
        stream = Stream(self.url, tokens=600)
        self.shows(r"0 waiting, 1 in flight")
        self.shows(r"█ 1/1")
        self.assertTrue(stream.whole(), stream.error)
        self.shows(r"1 in all: 1 ok")

    def test_prints_lines_to_paste_and_the_path_of_the_access_log(self):
        node = self.sim()
        self.up(100, 30, "--node", node.url)
        log = self.folder / "state" / "drover" / "access.log"
        get(self.url + "/api/tags")
        until(lambda: log.exists() and "/api/tags" in log.read_text(), "the line in the access log")
        history = self.terminal.text(history=True)
        self.assertIn(f"access log: {log}", history)
        host = self.url.removeprefix("http://")
        for line in [rf"OLLAMA_HOST={host} ollama run \S+", rf"curl {host}/api/generate -d '\{{.*\}}'",
                     rf'client = OpenAI\(base_url="{self.url}/v1", api_key="\w+"\)']:
            self.assertRegex(history, line)

    @needs_no_ollama_here
    def test_says_that_nodes_are_simulated(self):
        self.up(100, 30)
        self.shows(r"sim-fast \(simulated\) +stable")
        self.shows("Simulated nodes make their answers up")

    def test_a_change_of_the_size_is_followed(self):
        self.up(100, 30, "--node", self.sim().url)
        self.terminal.tmux("resize-window", "-x", "60", "-y", "15")
        until(lambda: self.terminal.asks("#{window_width}x#{window_height}") == "60x15", "the new size")
        self.shows(r"\A" + re.escape(self.url))
        until(lambda: max(len(line.rstrip()) for line in self.terminal.text().splitlines()) < 60, "a picture of the new size")

    def test_ctrl_c_gives_the_terminal_back(self):
        self.up(100, 30, "--node", self.sim().url)
        self.terminal.type("x")  # must not spoil the picture
        self.assertEqual(self.terminal.asks("#{cursor_flag}"), "0", "the cursor is hidden")
        self.terminal.type("C-c")
        self.ends()
        self.assertEqual((self.terminal.asks("#{cursor_flag}"), self.terminal.asks("#{wrap_flag}")), ("1", "1"))
        self.terminal.type("stty -a | tr ' ;' '\\n' | grep -x -e -echo -e echo", "Enter")
        self.shows(r"(?m)^echo$")
        self.assertIn("NODE", self.terminal.text(), "the last picture stays to be read")

    def test_a_second_ctrl_c_ends_it_at_once_and_gives_the_terminal_back_too(self):
        node = self.sim(speedup=0.5)
        self.up(100, 30, "--node", node.url)
        Stream(self.url, tokens=100_000)
        self.terminal.type("C-c")
        self.shows("draining")
        self.terminal.type("C-c")
        self.ends(130)
        self.assertEqual(self.terminal.asks("#{cursor_flag}"), "1")
        self.terminal.type("stty -a | tr ' ;' '\\n' | grep -x -e -echo -e echo", "Enter")
        self.shows(r"(?m)^echo$")

    def test_ends_when_its_terminal_is_closed(self):
        self.up(100, 30, "--node", self.sim().url)
        process = self.terminal.commands()[0]
        self.addCleanup(self.kill, process)
        self.terminal.close()
        until(lambda: not accepts(self.url), "the port to be free: nobody can see or stop what runs on", 5)
