"""`drover load` against simulated nodes, on real sockets."""

import csv
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import unittest

from harness import MODEL, CommandTest, free_port, state, until
from terminal import Terminal

TRACE = """TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:15:00.0000000,300,20
2023-11-16 18:15:05.0000000,40,30
2023-11-16 18:15:10.0000000,50,40
"""


class Load(CommandTest):
    def setUp(self):
        super().setUp()
        self.node = self.sim(seed=3, speedup=50, slots=32)

    def load(self, *arguments):
        """Runs it to its end; the report, where `--json` is among the arguments."""
        done = self.drover("load", self.node.url, *arguments)
        return json.loads(done.output) if "--json" in arguments and done.output else done

    def counts(self, report):
        return {end: count for end, count in report["requests"].items() if count and end not in ("all", "good")}

    def test_says_how_the_server_bore_it(self):
        done = self.load("--rate", 50, "--requests", 20, "--goal", "ttft<10s")
        self.assertEqual(done.code, 0, done.errors)
        self.assertRegex(done.errors, rf"{re.escape(self.node.url)}  {re.escape(MODEL)}  /api/chat  50 requests/s")
        self.check_all_in(done.output, "20 requests in ", ": 20 ok\n", "640 tokens in all", "20 good (100.0 %)")
        for figure in ["ttft", "tpot", "e2e", "slip"]:
            self.assertRegex(done.output, rf"(?m)^{figure} +(\S+ m?s *){{6}}$")

    def test_checks_every_token_in_every_dialect(self):
        for api in ["ollama", "ollama-generate", "openai", "openai-completions"]:
            for shape in [[], ["--no-stream"]]:
                with self.subTest(api=api, shape=shape):
                    report = self.load("--api", api, *shape, "--sim-seed", 3, "--concurrency", 4, "--requests", 20,
                                       "--answer-tokens", "1-60", "--json")
                    self.assertEqual(self.counts(report), {"ok": 20}, report["errors"])

    def test_notices_tokens_that_are_wrong(self):
        report = self.load("--sim-seed", 4, "--requests", 3, "--json")
        self.assertEqual(self.counts(report), {"wrong": 3})
        self.assertEqual([error["kind"] for error in report["errors"]], ["wrong_token"])

    def test_counts_what_the_node_counts(self):
        before = state(self.node.url)["completed"]
        report = self.load("--rate", 100, "--poisson", "--time", "1s", "--json")
        self.assertEqual(state(self.node.url)["completed"] - before, report["requests"]["all"])
        self.assertEqual(report["requests"]["ok"], report["requests"]["all"])
        self.assertGreater(report["tokens"]["prompt_read"], report["tokens"]["prompt_planned"], "and the template's")

    def test_sends_what_a_trace_has(self):
        name = self.write(TRACE, "trace.csv")
        done = self.load("--trace", name, "--speed", 100, "--first", "10s", "--csv", "each.csv")
        self.assertEqual(done.code, 0, done.errors)
        rows = list(csv.DictReader((self.folder / "each.csv").read_text().splitlines()))
        rows.sort(key=lambda row: int(row["number"]))
        self.assertEqual([(row["due_ms"], row["prompt_tokens"], row["asked_tokens"], row["tokens"], row["end"]) for row in rows],
                         [("0.000", "300", "20", "20", "ok"), ("50.000", "40", "30", "30", "ok")])

    def test_says_where_a_trace_is_broken_and_reports_what_was_sent(self):
        name = self.write(TRACE + "nonsense\n", "trace.csv")
        done = self.load("--trace", name, "--speed", 100)
        self.assertEqual(done.code, 1)
        self.assertIn("trace.csv:5: 1 cells; expected 3", done.errors)
        self.assertIn("3 requests in ", done.output)

    def test_exit_code_is_that_of_the_assertions(self):
        for assertions, code in [(["errors==0"], 0), (["errors==0", "p50(ttft)<1us"], 1), (["wrong>0"], 1)]:
            flags = [word for assertion in assertions for word in ["--assert", assertion]]
            done = self.load("--requests", 5, *flags)
            self.assertEqual(done.code, code, done)
            self.assertEqual(len(re.findall(r"(?m)^(?:ok|FAILED) .*was ", done.output)), len(assertions))
            self.assertEqual("FAILED" in done.output, code == 1)
        report = self.load("--requests", 5, "--json", "--assert", "ok==5")
        self.assertEqual(report["assertions"], [{"text": "ok==5", "holds": True, "seen": "5"}])

    def test_errors_are_told_by_kind(self):
        done = self.load("--model", "nobody", "--requests", 3)
        self.assertEqual(done.code, 1)
        self.assertRegex(done.output, r"(?m)^404 +3  failed  model 'nobody' not found$")

    def test_names_what_is_wrong_with_its_arguments(self):
        for arguments, words in [(["--assert", "p95(tfft)<2s"], ["tfft", "ttft, tpot, e2e or slip"]),
                                 (["--goal", "ttft<2"], ["\"2\" is no time", "100ms"]),
                                 (["--rate", 5, "--concurrency", 5], ["--rate", "--concurrency"]),
                                 (["--poisson"], ["--poisson", "--rate"]),
                                 (["--api", "soap"], ["soap", "openai"])]:
            done = self.load(*arguments)
            self.assertEqual((done.code, done.output), (2, ""), done)
            self.check_all_in(done.errors, *words)

    def test_more_than_the_descriptors_allow_is_told(self):
        limited = ["prlimit", "--nofile=200:200", os.environ["DROVER"], "load", self.node.url, "--requests", "3"]
        done = subprocess.run([*limited, "--rate", "50"], capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("at most 136 requests at once: the descriptor limit (ulimit -n) is 200", done.stderr)
        done = subprocess.run([*limited, "--concurrency", "137"], capture_output=True, text=True, timeout=30)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("--concurrency is 137", done.stderr)

    def test_a_server_that_is_not_there_is_told(self):
        done = self.drover("load", f"127.0.0.1:{free_port()}")
        self.assertEqual((done.code, done.output), (1, ""))
        self.check_all_in(done.errors, "connect_refused", "--model")

    def test_a_server_that_speaks_no_tls_is_told(self):
        done = self.drover("load", self.node.url.replace("http:", "https:"))
        self.assertEqual((done.code, done.output), (1, ""))
        self.check_all_in(done.errors, "TLS with 127.0.0.1: wrong version number")

    def test_a_file_of_whom_to_trust_must_have_certificates(self):
        done = self.drover("load", "https://127.0.0.1", "--ca", self.write("nothing", "ca.pem"))
        self.assertEqual((done.code, done.output), (2, ""))
        self.check_all_in(done.errors, "ca.pem", "certificates")

    def test_is_ended_with_the_report_of_what_was_done(self):
        command = self.start("load", self.node.url, "--rate", 20, "--time", "1h", "--answer-tokens", 2000)
        until(lambda: state(self.node.url)["completed"] > 5, "some answers")
        command.send(signal.SIGINT)
        self.assertEqual(command.end(), 130)
        self.assertRegex(command.printed("stdout"), r"\d+ requests in .* ok, .* unfinished")

    def test_a_file_that_cannot_be_written_is_told_at_once(self):
        done = self.load("--csv", "nowhere/each.csv")
        self.assertEqual((done.code, done.output), (1, ""))
        self.assertIn("nowhere/each.csv cannot be written", done.errors)


@unittest.skipUnless(shutil.which("tmux"), "needs tmux")
class LoadScreen(CommandTest):
    def test_shows_how_far_it_is_and_leaves_the_report(self):
        node = self.sim(seed=3, slots=4)
        terminal = Terminal(self.folder, 90, 30)
        self.addCleanup(lambda: terminal.is_open() and terminal.close())
        command = [os.environ["DROVER"], "load", node.url, "--rate", "5", "--time", "1h"]
        terminal.type("clear; " + shlex.join(command) + "; echo ended with $?", "Enter")
        until(lambda: re.search(r"(?m)^\d+ sent: [1-9]\d* ok", terminal.text()), "the screen to count")
        self.check_all_in(terminal.text(), "5.0 requests/s", "outstanding", "ttft", "Ctrl-C ends it")
        terminal.type("C-c")
        until(lambda: "ended with 130" in terminal.text(), "the end")
        self.assertRegex(terminal.text(), r"\d+ requests in ")
