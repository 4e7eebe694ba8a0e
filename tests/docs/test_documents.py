"""All documents: links lead somewhere, commands exist, and lists of words are those of the sources."""

import functools
import re
import unittest

from documents import DOCS, ROOT, blocks, drover, rows, source, text_of

DOCUMENTS = sorted(DOCS.glob("*.md"))
NAMES = [document.name for document in DOCUMENTS]


class Links(unittest.TestCase):
    def test_lead_somewhere(self):
        for document in [*DOCUMENTS, ROOT / "README.md", ROOT / "ARCHITECTURE.md", *(DOCS / "adr").glob("*.md")]:
            text = re.sub(r"^```.*?^```$", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
            for link in re.findall(r"\]\(([^)\s]+)\)", text):
                if re.match(r"https?://|mailto:", link):
                    continue
                with self.subTest(document=document.name, link=link):
                    path, _, anchor = link.partition("#")
                    target = (document.parent / path).resolve() if path else document
                    self.assertTrue(target.exists())
                    if anchor:
                        self.assertIn(anchor, anchors(target.read_text()))

    def test_every_document_is_reached_from_the_first_page(self):
        linked = set(re.findall(r"\(docs/([\w-]+\.md)\)", (ROOT / "README.md").read_text()))
        self.assertEqual(linked, set(NAMES))


class Commands(unittest.TestCase):
    def test_exist_with_their_flags(self):
        known = subcommands()
        for name in NAMES:
            for words in commands_in(text_of(name)):
                with self.subTest(document=name, command=" ".join(words)):
                    self.assertIn(words[0], known)
                    for flag in re.findall(r"--[\w-]+", " ".join(words[1:])):
                        self.assertIn(flag, flags_of(words[0]))

    def test_every_subcommand_is_told_of(self):
        told = {words[0] for name in NAMES for words in commands_in(text_of(name))}
        self.assertEqual(told, set(subcommands()))


class Operations(unittest.TestCase):
    def column(self, title):
        return [row[title] for row in rows("operations.md", title)]

    def test_events(self):
        known = set()
        for name in ["gateway/control.cpp", "cli/host.cpp"]:
            known |= set(re.findall(r'log_\.\w+\((?:level, )?"(\w+)"', source(name)))
        self.assertEqual({event for cell in self.column("event") for event in re.findall(r"\w+", cell)}, known)

    def test_states_and_their_reasons(self):
        health = source("balance/health.cpp")
        self.assertEqual(self.column("state"), re.findall(r'case Health::\w+: return "(\w+)"', health))
        documented = {row["in JSON and in the log"]: row["`drover nodes` says"] for row in rows("operations.md", "`drover nodes` says")}
        known = re.findall(r'case HealthReason::\w+: return "(\w+)"', health)
        self.assertEqual(sorted(documented), sorted(known))
        words = dict(re.findall(r'why == "(\w+)"\) return "([^"]+)"', source("cli/status_reader.cpp")))
        self.assertEqual(documented, {why: words.get(why, why.replace("_", " ")) for why in known})

    def test_columns_of_nodes(self):
        shown = next(block for block in blocks("operations.md", "console") if "drover nodes" in block).splitlines()[1]
        self.assertEqual(re.split(r"  +", shown), self.column("column"))
        titles = source("cli/views.cpp").split("std::string nodes_text")[1]
        self.assertEqual(re.findall(r'\.title = "([^"]+)"', titles), self.column("column"))

    def test_signals(self):
        known = re.search(r"kSignals = \{([^}]*)\}", source("cli/host.cpp"))[1]
        self.assertEqual({signal for cell in self.column("signal") for signal in re.findall(r"\w+", cell)},
                         set(re.findall(r"\w+", known)))


def anchors(text):
    """The names under which a page's headings can be linked to."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands_in(text):
    """The words behind `drover` of each command that a document shows, in blocks and in lines of text."""
    shown = re.findall(r"^```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    lines = [line for block in shown for line in block.splitlines()] + re.findall(r"`([^`\n]+)`", prose)
    for line in lines:
        command = re.match(r"(?:\$ |ExecStart=)?(?:\./|/usr/local/bin/)?drover ([a-z]+\b.*)", line)
        if command:
            yield command[1].split()


@functools.cache
def subcommands():
    return re.findall(r"^  (\w+) ", drover("--help").stdout.split("Subcommands:")[1], re.MULTILINE)


@functools.cache
def flags_of(command):
    return set(re.findall(r"--[\w-]+", drover(command, "--help").stdout))


if __name__ == "__main__":
    unittest.main()
