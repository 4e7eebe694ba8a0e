"""A real terminal to show screens in: tmux."""

import os
import subprocess
from pathlib import Path

from harness import until


class Terminal:
    """A terminal of that size with a shell in it. `text` is what it shows now, a line a row, without blanks at the ends."""

    def __init__(self, folder, columns, rows):
        self.socket = folder / f"{columns}x{rows}"
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(rows), "env", "-u", "OLLAMA_HOST",
                  f"XDG_STATE_HOME={folder}/state", "LC_ALL=C.UTF-8", "PS1=$ ", "sh")
        until(lambda: self.text().startswith("$"), "the shell")

    def tmux(self, *arguments):
        return subprocess.run(["tmux", "-S", self.socket, *arguments], env=dict(os.environ, LC_ALL="C.UTF-8"), check=True,
                              capture_output=True, text=True, timeout=15).stdout

    def text(self, history=False):
        return self.tmux("capture-pane", "-p", "-J" if history else "-N", *(["-S", "-"] if history else []))

    def asks(self, what):
        return self.tmux("display-message", "-p", what).strip()

    def type(self, *keys):
        self.tmux("send-keys", *keys)

    def commands(self):
        """The processes that the shell runs now."""
        shell = self.asks("#{pane_pid}")
        return [int(child) for child in Path(f"/proc/{shell}/task/{shell}/children").read_text().split()]

    def is_open(self):
        return subprocess.run(["tmux", "-S", self.socket, "has-session"], capture_output=True).returncode == 0

    def close(self):
        """As somebody who closes the window."""
        self.tmux("kill-server")
