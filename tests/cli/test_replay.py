"""`drover replay`: what it prints, and what it says of arguments that are wrong."""

import json
import unittest

from harness import CommandTest

TRACE = """TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:15:00.0000000,300,20
2023-11-16 18:15:05.0000000,40,30
2023-11-16 18:15:10.0000000,50,40
"""
BLOCKS = """{"timestamp": 0, "input_length": 1024, "output_length": 5, "hash_ids": [1, 2]}
{"timestamp": 9000, "input_length": 1024, "output_length": 5, "hash_ids": [1, 3]}
"""
FEW = ["--limit", 50, "--fleet", "two"]


class Replay(CommandTest):
    def write(self, name, text):
        (self.folder / name).write_text(text)
        return name

    def report(self, *arguments):
        done = self.drover("replay", *arguments, "--json")
        self.assertEqual((done.code, done.errors), (0, ""))
        return json.loads(done.output)

    def test_compares_policies_for_people(self):
        done = self.drover("replay", *FEW, "--compare", "least_connections,rival:random", "--seeds", 3)
        self.assertEqual((done.code, done.errors), (0, ""))
        self.check_all_in(done.output, "Means over the seeds 1 to 3. Goal: ttft<2s,tpot<100ms.", "rival:random",
                          "time to first token, mean", "within the goal", "Reuse was not modelled",
                          "against least_connections", "95 % bootstrap intervals")
        self.assertRegex(done.output, r"(?m)^requests +50 +50$")
        self.assertRegex(done.output, r"(?m)^e2e_p95 +[+-]\d+\.\d % \([+-]\d+\.\d to [+-]\d+\.\d\)$")

    def test_compares_policies_for_scripts(self):
        report = self.report(*FEW, "--compare", "least_loaded,rival:sglang", "--seed", 4, "--seeds", 2)
        self.assertFalse(report["reuse_modelled"])
        self.assertEqual([policy["policy"] for policy in report["policies"]], ["least_loaded", "rival:sglang"])
        first, second = report["policies"]
        self.assertEqual([run["seed"] for run in second["seeds"]], [4, 5])
        self.assertEqual(first["means"]["requests"], 50)
        self.assertEqual(first["means"]["ok"] + first["means"]["refused"], 50)
        self.assertIsNone(first["means"]["cached"])
        self.assertEqual((first["against"], first["differences"]), ("least_loaded", {}))
        self.assertEqual(second["against"], "least_loaded")
        difference = second["differences"]["e2e_p95"]
        self.assertLessEqual(difference["low"], difference["mean"])
        self.assertLessEqual(difference["mean"], difference["high"])
        ratios = [ours["e2e_p95"] / theirs["e2e_p95"] - 1 for ours, theirs in zip(second["seeds"], first["seeds"], strict=True)]
        self.assertAlmostEqual(difference["mean"], sum(ratios) / 2)

    def test_equal_arguments_print_equal_reports(self):
        arguments = ["--workload", "agents", "--limit", 60, "--rate", 0.1, "--policy", "two_choices", "--seeds", 2]
        self.assertEqual(self.report(*arguments, "--jobs", 1), self.report(*arguments, "--jobs", 2))

    def test_replays_a_trace(self):
        report = self.report("--trace", self.write("azure.csv", TRACE), "--speed", 2)
        self.assertEqual(report["policies"][0]["means"]["ok"], 3)
        self.assertFalse(report["reuse_modelled"])
        report = self.report("--trace", self.write("mooncake.jsonl", BLOCKS), "--rate", 1)
        self.assertTrue(report["reuse_modelled"])
        self.assertAlmostEqual(report["policies"][0]["means"]["cached_infinite"], 512 / 2048)

    def test_replays_an_access_log_of_a_gateway(self):
        line = {"@timestamp": "2026-11-21T09:54:57.8Z", "drover.outcome": "ok", "gen_ai.request.model": "qwen3:8b",
                "gen_ai.usage.input_tokens": 600, "gen_ai.usage.output_tokens": 20, "drover.prefix_hashes": ["01", "02"]}
        refused = {"@timestamp": "2026-11-21T09:54:58Z", "drover.outcome": "refused"}
        log = self.write("access.log", "".join(json.dumps(each) + "\n" for each in [line, line, refused]))
        report = self.report("--trace", log)
        self.assertEqual(report["policies"][0]["means"]["ok"], 2)
        self.assertEqual(report["left_out"], {"refused": 1, "failed": 0, "cancelled": 0, "truncated": 0, "other": 0})
        self.assertGreater(report["policies"][0]["means"]["cached_infinite"], 0.3)
        del line["drover.prefix_hashes"]
        self.write("access.log", json.dumps(line) + "\n" + json.dumps(refused) + "\n")
        self.check_all_in(self.drover("replay", "--trace", log).output, "Reuse was not modelled", "left out, since nobody knows how much would have been read and written: 1 refused, 0 failed")
        self.write("access.log", json.dumps(line | {"gen_ai.request.model": "mine:7b"}) + "\n")
        self.assertIn("as --like mine:7b=llama3.1:8b", self.drover("replay", "--trace", log).errors)
        self.assertEqual(self.drover("replay", "--trace", log, "--like", "mine:7b=mistral:7b").code, 0)

    def test_shows_another_fleet_beside_the_first(self):
        fleet = self.write("fleet.yaml", "nodes:\n  - {card: slow, slots: 1}\n")
        asked = ["--workload", "tenants", "--rate", 0.1, "--limit", 300, "--compare", "least_loaded,random", "--fleet", fleet,
                 "--seeds", 2, "--what-if", "add 1 x rtx4090"]
        report = self.report(*asked)
        first, _, changed, other = report["policies"]
        self.assertEqual(report["what_if"], "add 1 x rtx4090")
        self.assertEqual((changed["policy"], changed["against"]), ("least_loaded, add 1 x rtx4090", "least_loaded"))
        self.assertEqual(other["against"], "random")
        self.assertLess(changed["means"]["e2e_p95"], first["means"]["e2e_p95"])
        self.assertLess(changed["differences"]["e2e_p95"]["high"], 0)
        done = self.drover("replay", *asked)
        self.assertRegex(done.output, r"(?m)^least_loaded +as it is +add 1 x rtx4090 +difference$")
        self.assertRegex(done.output, r"(?m)^random +as it is +add 1 x rtx4090 +difference$")
        self.assertRegex(done.output, r"(?m)^95 of 100 end within +\d.* s +\d.* s +-\d+\.\d % \(-\d+\.\d to -\d+\.\d\)$")

    def test_says_what_is_wrong(self):
        fleet = self.write("fleet.yaml", "nodes:\n  - {card: fast, slots: 0}\n  - {card: fest}\n")
        small = self.write("small.yaml", "nodes: [small]\n")
        broken = self.write("broken.csv", TRACE + "2023-11-16 18:15:20.0000000,none,40\n")
        for arguments, expected in [
            (["--policy", "best"], 'there is no policy "best"; use one of '),
            (["--compare", "random,rival:none"], 'there is no policy "rival:none"; use one of '),
            (["--workload", "none"], 'there is no workload "none"; use swap, agents or tenants, or name a --trace'),
            (["--fleet", "three"], 'there is no fleet "three"; use two, eight, hundred, or a YAML file'),
            (["--fleet", fleet], "fleet.yaml:2:25: nodes[0].slots is 0; expected "),
            (["--fleet", fleet], "\ndrover: fleet.yaml:3:12: nodes[1].card: \"fest\" is no card; expected one of fast"),
            (["--fleet", small], "the workload asks for phi4:14b, and no node of the fleet holds it"),
            (["--what-if", "add 1 x rtx9999"], '"add 1 x rtx9999" is no change of a fleet; expected one as "add 1 x fast"'),
            (["--what-if", "remove 2 x slow"], '"remove 2 x slow": the fleet has no more of them'),
            (["--trace", "nowhere.csv"], "nowhere.csv: cannot be read"),
            (["--trace", broken], "broken.csv:5: "),
            (["--goal", "soon"], "drover: "),
            (["--queue-timeout", "long"], '--queue-timeout is "long"; expected a time as 300s'),
            (["--rate", "-1"], "--rate"),
            (["--speed", "2"], "--speed requires --trace"),
        ]:
            with self.subTest(arguments=arguments):
                done = self.drover("replay", "--limit", 20, *arguments)
                self.assertEqual((done.code, done.output), (2, ""))
                self.assertIn(expected, done.errors)


if __name__ == "__main__":
    unittest.main()
