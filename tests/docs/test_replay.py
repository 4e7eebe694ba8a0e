"""docs/replay.md against the sources: names of figures, workloads, fleets and rivals, and bounds."""

import re
import tempfile
import unittest
from pathlib import Path

from documents import blocks, drover, rows, source, text_of


class Replay(unittest.TestCase):
    def words(self, title):
        return [word for row in rows("replay.md", title) for word in re.findall(r"[\w:]+", row[title])]

    def test_figures(self):
        known = re.findall(r'Figure\{"(\w+)"', source("replay/figures.cpp"))
        known = [re.sub(r"^(ttft|tpot|e2e|wait|program)_.*", r"\1", name) for name in known]
        self.assertEqual(sorted(set(self.words("figure")) | {"span_s"}), sorted(set(known)))

    def test_rivals(self):
        self.assertEqual(self.words("policy"), re.findall(r'Entry\{"(rival:\w+)"', source("replay/rivals/rival.cpp")))

    def test_workloads_and_fleets(self):
        told = " ".join(row["flags"] for row in rows("replay.md", "flags"))
        self.assertEqual(re.findall(r"--workload (\w+)", told), re.findall(r'name == "(\w+)"', source("replay/synthetic.cpp")))
        for fleet in re.findall(r'name == "(\w+)"\) kinds', source("replay/fleet.cpp")):
            self.assertIn(f"`{fleet}`" if fleet != "two" else "`--fleet two`", text_of("replay.md"))

    def test_cards(self):
        """The table of docs/engine.md has the data sheets of the source; docs/replay.md names all cards."""
        machines = re.findall(r'\{"([\w-]+)", (\d+)_GiB, (\d+), (\d+)\}', source("engine/presets.cpp"))
        told = {re.sub(r"[ -]|b$", "", name.lower()): figures
                for name, *figures in re.findall(r'\{"([\w ]+)", ([\d.]+), ([\d.]+)\}', source("gpu/data_sheet.cpp"))}
        sheets = [(name, memory, *told[name.replace("-", "")], bus, storage) for name, memory, bus, storage in machines]
        columns = ["card", "memory, GiB", "bandwidth, GB/s", "arithmetic, Tflop/s", "bus, GB/s", "storage, GB/s"]
        self.assertGreater(len(sheets), 5)
        self.assertEqual([tuple(row[column] for column in columns) for row in rows("engine.md", "card")], sheets)
        told = text_of("replay.md")
        for card in re.findall(r'Card\{\.name = "(\w+)"', source("engine/presets.cpp")) + [sheet[0] for sheet in sheets]:
            self.assertIn(card, told)

    def test_the_fleet_file_is_read(self):
        with tempfile.TemporaryDirectory(prefix="drover-docs-") as folder:
            (Path(folder) / "fleet.yaml").write_text(blocks("replay.md", "yaml")[0])
            done = drover("replay", "--fleet", "fleet.yaml", "--workload", "tenants", "--limit", 10, folder=folder)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_bounds(self):
        arguments = source("cli/commands.h")
        for bound in ["max_queue = 1000", 'queue_timeout = "300s"', "limit = 10'000", "spread = 0.3"]:
            self.assertIn(bound, arguments)
        self.assertIn("kResamples = 10'000", source("replay/compare.cpp"))
        self.assertIn("kMostNodes = 1'000", source("replay/fleet_file.cpp"))


if __name__ == "__main__":
    unittest.main()
