"""`drover check`: all that is wrong with a settings file, for people and for scripts."""

import json

from harness import CommandTest

BAD = """\
listen: 127.0.0.1:99999
polcy: round_robin
policy: least_conections
timeouts:
  drain: soon
nodes:
  - {name: "a b", url: "http://127.0.0.1:1"}
  - {url: "http://127.0.0.1:2", weight: -1}
"""
# Where each of its faults is, and words of what is said about it.
FAULTS = {
    "1:9": ["listen", "99999", "IP:PORT"],
    "2:1": ['unknown key "polcy"', 'did you mean "policy"?'],
    "3:9": ["policy is least_conections", "least_connections, least_loaded, round_robin"],
    "5:10": ["timeouts.drain is soon", "a duration"],
    "7:12": ["nodes[0].name"],
    "8:41": ["nodes[1].weight is -1", "from 1 to 100"],
}


class Check(CommandTest):
    def test_a_good_file_is_fine(self):
        self.write("nodes: [http://127.0.0.1:1, http://127.0.0.1:2]\n")
        done = self.drover("check", "drover.yaml")
        self.assertEqual((done.code, done.errors), (0, ""))
        self.check_all_in(done.output, "drover.yaml is fine", "2 nodes")

    def test_a_good_file_has_no_faults_for_scripts(self):
        self.write("nodes: [http://127.0.0.1:1]\n")
        done = self.drover("check", "--json", "drover.yaml")
        self.assertEqual((done.code, json.loads(done.output)), (0, []))

    def test_says_all_faults_at_once_with_their_places(self):
        self.write(BAD)
        done = self.drover("check", "drover.yaml")
        self.assertEqual((done.code, done.output), (2, ""))
        for place, words in FAULTS.items():
            with self.subTest(place=place):
                told = [line for line in done.errors.splitlines() if line.startswith(f"drover.yaml:{place}: ")]
                self.assertEqual(len(told), 1, done.errors)
                self.check_all_in(told[0], *words)

    def test_shows_the_line_and_marks_the_place(self):
        self.write(BAD)
        lines = self.drover("check", "drover.yaml").errors.splitlines()
        shown = next(number for number, line in enumerate(lines) if line.endswith("| polcy: round_robin"))
        self.assertEqual(lines[shown + 1].index("^^^^^"), lines[shown].index("polcy"))

    def test_says_the_same_for_scripts(self):
        self.write(BAD)
        done = self.drover("check", "--json", "drover.yaml")
        self.assertEqual(done.code, 2)
        faults = json.loads(done.output)
        self.assertEqual([f"{fault['line']}:{fault['column']}" for fault in faults], list(FAULTS))
        self.assertEqual((faults[1]["code"], faults[1]["suggestion"]), ("unknown_key", "policy"))
        for fault in faults:
            self.assertEqual(fault["file"], "drover.yaml")
            self.assertTrue(fault["message"] and fault["path"] and fault["code"], fault)

    def test_finds_faults_between_settings(self):
        for text, place, words in [
            ("listen: 127.0.0.1:4444\nnodes: ['http://localhost:4444']\n", "2:9", ["nodes[0].url", "itself", "listen"]),
            ("admin: 127.0.0.1:4444\nnodes: ['http://[::1]:4444']\n", "2:9", ["nodes[0].url", "itself", "admin"]),
            ("listen: 127.0.0.1:4444\nadmin: 127.0.0.1:4444\nnodes: ['http://n:1']\n", "2:8", ["admin", "listen"]),
            ("nodes: ['http://n:1', 'http://n:1']\n", "1:23", ["nodes[1].url", "nodes[0]"]),
            ("listen: 0.0.0.0:4444\nnodes: ['http://n:1']\n", "1:9", ["keys and TLS are not there yet", "insecure: true"]),
        ]:
            with self.subTest(text=text):
                self.write(text)
                done = self.drover("check", "drover.yaml")
                self.assertEqual(done.code, 2)
                self.check_all_in(done.errors, f"drover.yaml:{place}: ", *words)

    def test_what_is_no_yaml_is_said_with_its_place(self):
        self.write("nodes: [a,\n  - b: {")
        done = self.drover("check", "drover.yaml")
        self.assertEqual(done.code, 2)
        self.assertRegex(done.errors, r"^drover\.yaml:2:\d+: not YAML")

    def test_an_absent_file_is_said(self):
        done = self.drover("check", "absent.yaml")
        self.assertEqual(done.code, 2)
        self.check_all_in(done.errors, "absent.yaml", "No such file")

    def test_the_same_key_twice_is_a_fault(self):
        self.write("policy: round_robin\npolicy: least_connections\nnodes: ['http://n:1']\n")
        done = self.drover("check", "drover.yaml")
        self.assertEqual(done.code, 2)
        self.check_all_in(done.errors, "drover.yaml:2:1: policy is given twice, first in line 1")
