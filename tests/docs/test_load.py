"""docs/load.md against the sources: names of ends, figures, assertions and bounds."""

import re
import unittest

from documents import rows, source, text_of


class Load(unittest.TestCase):
    def words(self, title, column=None):
        return [word for row in rows("load.md", title) for word in re.findall(r"[\w]+", row[column or title])]

    def test_figures(self):
        known = re.findall(r'case Figure::\w+: return "(\w+)"', source("load/figure.cpp"))
        self.assertEqual(self.words("figure"), known)

    def test_ends(self):
        known = re.findall(r'case End::\w+: return "(\w+)"', source("load/outcome.cpp"))
        self.assertEqual(self.words("end"), known)

    def test_assertions(self):
        names = re.findall(r'\{"(\w+)", (?:Rate|Count)::', source("load/assertion.cpp"))
        names += re.findall(r'\{"(p\d+)"', source("load/report.h")) + ["max", "mean"]
        told = set(re.findall(r"`(\w+)`", " ".join(row["of"] for row in rows("load.md", "assertion"))))
        self.assertEqual(told - set(self.words("figure")), set(names))

    def test_bounds(self):
        text = text_of("load.md")
        self.assertIn("`--max-outstanding`, 10,000;", text)
        self.assertIn("max_outstanding = 10'000", source("cli/load_settings.h"))
        self.assertIn("kMaxTokens{1'000'000}", source("traces/reader.h"))
        self.assertIn("kMaxLine = std::size_t{1} << 20", source("traces/reader.h"))
        self.assertIn("kMaxKinds = 64", source("load/report.h"))


if __name__ == "__main__":
    unittest.main()
