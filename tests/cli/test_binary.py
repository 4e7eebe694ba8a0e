"""The binary itself: it needs glibc only, runs wherever it is copied, and says what it is and what it can do."""

import os
import re
import shutil
import subprocess
import unittest

from harness import CommandTest, drover

COMMANDS = ["up", "serve", "check", "sim", "load", "status", "nodes"]
GLIBC = {"linux-vdso.so.1", "libc.so.6", "libm.so.6", "libresolv.so.2"}  # the last of them where a sanitizer is built in


class Binary(CommandTest):
    @unittest.skipUnless(shutil.which("ldd"), "needs ldd")
    def test_depends_on_glibc_only(self):
        listed = subprocess.run(["ldd", os.environ["DROVER"]], capture_output=True, text=True, check=True).stdout
        needed = {os.path.basename(line.split()[0]) for line in listed.splitlines()}
        self.assertLessEqual({name for name in needed if not name.startswith("ld-linux")}, GLIBC)

    def test_runs_where_it_is_copied(self):
        copy = shutil.copy(os.environ["DROVER"], self.folder / "elsewhere")
        done = subprocess.run([copy, "--version"], cwd="/", env={}, capture_output=True, text=True, timeout=30)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout, drover("--version").output)

    def test_version_says_what_is_inside(self):
        done = drover("--version")
        self.assertEqual(done.code, 0)
        self.assertRegex(done.output, r"^drover \d+\.\d+\.\d+ \(commit \w+\+?\)\n")
        self.check_all_in(done.output, "Clang 19", "yaml-cpp", "OpenSSL 3")

    def test_help_names_every_command(self):
        done = drover("--help")
        self.assertEqual((done.code, done.errors), (0, ""))
        for command in COMMANDS:
            self.assertRegex(done.output, rf"(?m)^ +{command} +\w")

    def test_every_command_explains_its_flags(self):
        for command in COMMANDS:
            done = drover(command, "--help")
            self.assertEqual((done.code, done.errors), (0, ""), command)
            for flag, explanation in re.findall(r"^  (-\S+).*?(?: {2,}|\n {20,})(.*)$", done.output, re.MULTILINE):
                self.assertRegex(explanation, r"\w{3}", f"{command} {flag}")

    def test_what_it_does_not_know_is_refused_by_name(self):
        for arguments, word in [([], "subcommand"), (["sevre"], "sevre"), (["up", "--nodee", "x"], "--nodee"),
                                (["status", "extra"], "extra"), (["check"], "config")]:
            with self.subTest(arguments=arguments):
                done = drover(*arguments)
                self.assertEqual((done.code, done.output), (2, ""))
                self.assertIn(word, done.errors)
