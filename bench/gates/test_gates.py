"""Can every gate fail? And do the readers of strace's and callgrind's files read what these write?"""

import subprocess
import tempfile
import unittest
from pathlib import Path

import system_calls
from callgrind import read_profile
from explain import short
from figures import GATES, AtMost, Report, Verdict
from parent import BENCHMARK, NoParent, accepted_costs, build_parent, git, parent_commit

MEASURED = 1000.0  # a made-up figure of the parent commit, or of one worker


def report_of(name: str, value: float, other: float | None = MEASURED, percent: float | None = None) -> Report:
    report = Report()
    report.add(name, value, other, percent=percent)
    return report


def at_the_bar(name: str) -> float:
    bar = GATES[name].bar
    return bar.must if isinstance(bar, AtMost) else MEASURED * (1 + bar.percent / 100)


class Gates(unittest.TestCase):
    def test_every_gate_passes_at_its_bar_and_fails_beyond_it(self):
        for name in GATES:
            with self.subTest(name):
                self.assertFalse(report_of(name, at_the_bar(name)).failed)
                report = report_of(name, at_the_bar(name) * 1.01 + 0.03)
                self.assertTrue(report.failed)
                self.assertIn("FAIL", report.table())
                self.assertIn('"passed": false', report.json())

    def test_one_bad_figure_among_good_ones_fails_the_run(self):
        report = Report()
        for name in GATES:
            report.add(name, at_the_bar(name), MEASURED)
        self.assertFalse(report.failed)
        report.add("allocations.chunk", 1)
        self.assertTrue(report.failed)

    def test_a_goal_that_is_met_is_told_apart(self):
        self.assertEqual(report_of("allocations.request", 0).rows[0].verdict, Verdict.goal)
        self.assertEqual(report_of("allocations.request", 1).rows[0].verdict, Verdict.ok)

    def test_what_has_no_parent_is_recorded_and_what_became_cheaper_passes(self):
        self.assertEqual(report_of("instructions.request", 99_999, None).rows[0].verdict, Verdict.recorded)
        self.assertEqual(report_of("instructions.request", MEASURED / 2).rows[0].verdict, Verdict.ok)

    def test_a_commit_may_say_what_it_costs(self):
        costs = accepted_costs("api: hashes of prompts\n\nCosts: instructions.large_request +12 %, because they are new.\n")
        self.assertEqual(costs, {"instructions.large_request": 12})
        self.assertFalse(report_of("instructions.large_request", MEASURED * 1.11, percent=12).failed)
        self.assertTrue(report_of("instructions.large_request", MEASURED * 1.13, percent=12).failed)


class Traces(unittest.TestCase):
    # As `strace -ttt -ff` writes it.
    TRACE = """\
1700000000.900000 epoll_wait(5, [], 256, -1) = 1
1700000001.000000 epoll_wait(5, [{events=EPOLLIN, data={u32=1, u64=1}}], 256, -1) = 1
1700000001.000100 recvfrom(9, "POST /api/chat HTTP/1.1\\r\\n"..., 65536, 0, NULL, NULL) = 341
1700000001.000200 sendmsg(11, {msg_name=NULL}, MSG_NOSIGNAL) = 512
1700000001.000300 futex(0x7f, FUTEX_WAKE_PRIVATE, 1) = 1
1700000001.000400 futex(0x7f, FUTEX_WAIT_PRIVATE, 2, NULL) = -1 EAGAIN (Resource temporarily unavailable)
1700000001.000500 epoll_wait(5,  <detached ...>
1700000002.000000 recvfrom(9, "", 65536, 0, NULL, NULL) = 0
+++ exited with 0 +++
""".splitlines()

    def test_calls_within_the_window_are_counted_by_kind(self):
        calls = system_calls.Calls.per(1, system_calls.count_calls(self.TRACE, 1700000001, 1700000002))
        self.assertEqual((calls.waits, calls.others, calls.lock_waits), (2, 3, 1))

    def test_an_extra_call_a_request_fails_its_gate(self):
        trace = [line for line in self.TRACE[1:4]] * 2 + self.TRACE[2:3]
        calls = system_calls.Calls.per(1, system_calls.count_calls(trace, 1700000001, 1700000002))
        self.assertEqual(calls.others, 5)
        self.assertTrue(report_of("calls.request", calls.others).failed)

    def test_the_control_loop_is_no_worker(self):
        reader, prober = system_calls.Counter(recvfrom=5), system_calls.Counter(recvfrom=9)
        self.assertEqual(system_calls.worker_calls({7: prober, 8: reader}, process=7, workers=1), reader)


class Profiles(unittest.TestCase):
    # As `callgrind --compress-strings=yes --compress-pos=yes` writes it; the last call began before the counting.
    PROFILE = """\
version: 1
positions: line
events: Ir
fl=(1) serve.cpp
fn=(1) serve
10 100
+2 20
cfi=(2) malloc.c
cfn=(2) operator new(unsigned long)
calls=3 0
+1 90
fl=(2)
fn=(2)
0 30
cfn=(3) malloc
calls=3 +4
* 60
fn=(3)
4 60
fn=(4) run
7 1
cfn=(1)
calls=0 0
8 210
""".splitlines()

    def test_instructions_and_calls_are_read(self):
        profile = read_profile(self.PROFILE)
        self.assertEqual(profile.total(), 100 + 20 + 30 + 60 + 1)
        self.assertEqual(profile.inclusive["serve"], 210)
        self.assertEqual(profile.inclusive["run"], 211)
        self.assertEqual(profile.calls["serve", "operator new(unsigned long)"], 3)
        self.assertEqual(profile.allocations(), 3)

    def test_one_allocation_a_chunk_fails_its_gate(self):
        self.assertTrue(report_of("allocations.chunk", read_profile(self.PROFILE).allocations() / 3).failed)

    def test_long_names_are_cut_to_what_people_say(self):
        self.assertEqual(short("drover::gateway::(anonymous namespace)::serve_request(drover::gateway::Worker&, "
                               "drover::wire::ServerConnection&) [clone .resume]"), "gateway::serve_request")


class Parents(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        git(self.root, "init", "--quiet")
        self.write("src/main.cpp", "int main() {}\n")
        self.first = self.commit()

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def commit(self) -> str:
        git(self.root, "add", ".")
        git(self.root, "-c", "user.name=gates", "-c", "user.email=gates@localhost", "commit", "--quiet", "-m", "change")
        return git(self.root, "rev-parse", "HEAD")

    def test_the_first_commit_has_no_parent(self):
        self.assertIsNone(parent_commit(self.root))
        self.assertIsInstance(build_parent(self.root, self.root / "cache"), NoParent)

    def test_a_change_is_compared_with_what_it_changes(self):
        self.write("src/main.cpp", "int main() { return 1; }\n")
        self.assertEqual(parent_commit(self.root), self.first)  # not committed yet
        self.commit()
        self.assertEqual(parent_commit(self.root), self.first)

    def test_a_changed_benchmark_is_compared_with_nothing(self):
        self.write(BENCHMARK[0] + "/run", "\n")
        self.commit()
        self.assertEqual(build_parent(self.root, self.root / "cache").why, "the benchmark itself changed")

    def test_a_parent_that_does_not_build_is_compared_with_nothing(self):
        self.write("src/main.cpp", "int main() { return 2; }\n")
        self.commit()
        parent = build_parent(self.root, self.root / "cache")
        self.assertIn(f"{self.first[:12]} does not build", parent.why)
        self.assertEqual(subprocess.run(["git", "-C", self.root, "status", "--porcelain"], capture_output=True, text=True).stdout,
                         "?? cache/\n")
