"""docs/configuration.md against the settings that the binary knows: what `drover check` says about a file that is wrong in every
setting names them all with their bounds; the defaults that it does not say are those of the sources.
"""

import json
import re
import tempfile
import unittest
from pathlib import Path

from documents import blocks, drover, rows, source, text_of

# What `drover check` calls each kind of value, and what the document calls it.
EXPECTED = [
    (r"a duration from (\S+) to (\S+), for example (\S+)", r"duration, \1 to \2"),
    (r"(auto or )?a size from (\S+) to (\S+), for example (\S+)", r"\1size, \2 to \3"),
    (r"(auto or )?a whole number from (\S+) to (\S+)", r"\1whole number, \2 to \3"),
    (r"(true or false|a list)", r"\1"),
    (r"earliest_finish, .* or manual", "a [policy](#routes-and-policies)"),
    (r"(fit or as_sent)", r"\1"),
]

# Defaults that are no values: what the document says in words, and texts, which have no bounds.
WORDS = {
    "listen": ("address", "127.0.0.1:11435"), "admin": ("address", "127.0.0.1:11436"),
    "access_log.to": ("stdout, off or path", "stdout"), "hosts": ("list", "none"), "origins": ("list", "none"),
    "nodes": ("list", "none"), "nodes[].url": ("text", "required"), "nodes[].name": ("text", "from the url"), "nodes[].agent": ("text", "none"), "nodes[].gpu": ("text", "as its agent says"),
    "aliases": ("list", "none"), "aliases[].name": ("name", "required"), "aliases[].models": ("list", "required"),
    "aliases[].models[].model": ("name", "required"), "routes": ("list", "none"), "routes[].model": ("name or pattern", "required"), "routes[].nodes": ("list of names of nodes", "all"),
    "routes[].fallback": ("name", "none"),
    "trusted_proxies": ("list of addresses and ranges, as `10.0.0.0/8`", "none"), "tenant_header": ("name of a field", "x-drover-tenant"),
    "tenants": ("list", "none"), "tenants[].name": ("visible ASCII, 64 bytes at most", "required"), "tenants[].priority": ("high, normal or low", "normal"),
}


LISTS = {"nodes", "routes", "aliases", "aliases[].models", "tenants"}  # of maps, in whose elements their settings are written


class Configuration(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.documented = {row["setting"]: row for row in rows("configuration.md", "setting")}
        cls.known = known_settings()
        cls.defaults = defaults_in_sources()

    def test_every_setting_is_documented_and_no_other(self):
        self.assertGreater(len(self.known), 40)
        self.assertEqual(sorted(self.documented), sorted(self.known))

    def test_bounds(self):
        for path, message in self.known.items():
            with self.subTest(path):
                self.assertEqual(self.documented[path]["values"], values(path, message))

    def test_defaults(self):
        for path, message in self.known.items():
            with self.subTest(path):
                self.assertEqual(self.documented[path]["default"], self.default(path, message))

    def default(self, path, message):
        if path in WORDS:
            return WORDS[path][1]
        example = re.search(r"for example (\S+)$", message)
        return "auto" if "auto or" in message else example[1] if example else self.defaults[path]

    def test_the_texts_in_words_are_true(self):
        """Addresses as the help says them, the log's default by a run of the binary."""
        said = drover("up", "--help").stdout
        for name in ["listen", "admin"]:
            self.assertRegex(said, rf"--{name} .*default: {re.escape(WORDS[name][1])}")
        self.assertIn("LogTarget target = LogTarget::standard_output;", source("config/settings.h"))

    def test_the_complete_file_is_fine_and_complete(self):
        (text,) = [block for block in blocks("configuration.md", "yaml") if "listen:" in block]
        checked = check(text)
        self.assertEqual(checked.returncode, 0, checked.stdout)
        written = values_of(text)
        required = set(self.known) - LISTS
        self.assertEqual(sorted(written), sorted(required))
        for path in required - set(WORDS):
            self.assertEqual(written[path], self.default(path, self.known[path]), path)

    def test_the_example_of_faults_is_real(self):
        (shown,) = [block for block in blocks("configuration.md", "console") if "drover check" in block]
        lines = {int(number): line for number, line in re.findall(r"^ +(\d+) \| (.*)$", shown, re.MULTILINE)}
        text = "".join({2: "limits:", 4: "timeouts:"}.get(number, lines.get(number, "")) + "\n" for number in range(1, 6))
        self.assertEqual(f"$ drover check drover.yaml\n{check(text, as_json=False).stderr}", shown)

    def test_policies(self):
        documented = [row["policy"].strip("`") for row in rows("configuration.md", "policy")]
        listed = re.search(r"expected (earliest_finish, .* or manual)$", self.known["policy"])[1]
        self.assertEqual(documented, re.split(", | or ", listed))

    def test_gpus(self):
        told = text_of("configuration.md").partition("### GPUs")[2].partition("### Limits")[0]
        known = re.findall(r'\{"([\w ]+)", [\d.]+, [\d.]+\}', source("gpu/data_sheet.cpp"))
        self.assertEqual([name for name in re.findall(r"`([\w ]+)`", told)], known)

    def test_flags_of_up(self):
        """The table of flags, against the help."""
        flags = {row["flag"].split()[0] for row in rows("configuration.md", "flag")}
        self.assertEqual(flags, set(re.findall(r"^ +(--[\w-]+)", drover("up", "--help").stdout, re.MULTILINE)))

    def test_what_needs_a_restart_is_what_the_document_says(self):
        """Each setting that is only used at the start is a real one."""
        for name in re.findall(r"`([\w.]+)`", text_of("configuration.md").split("hold for connections that begin")[1].split(":")[0]):
            self.assertIn(name, self.known)


def known_settings():
    """What the binary expects of every setting, by its path: `drover check` says it when each is given a map, where none takes
    one but sections, whose own settings it then names."""
    top = keys_of(faults_of("a: a\n"), "")
    known = {}
    for name, fault in zip(top, (faults_of(f"{name}: {{a: a}}\n") for name in top)):
        if "unknown key" not in fault[0]["message"]:
            known[name] = fault[0]["message"]
            continue
        for inner in keys_of(fault, name):
            known[f"{name}.{inner}"] = faults_of(f"{name}: {{{inner}: {{a: a}}}}\n")[0]["message"]
    for name, needed in (("nodes", "url"), ("routes", "model"), ("aliases", "name"), ("tenants", "name")):
        known |= known_elements(f"{name}[]", needed, f"{name}: [%s]\n")
    return known | known_elements("aliases[].models[]", "model", "aliases: [{name: a, models: [%s]}]\n")


def known_elements(path, needed, text):
    """The same of the elements of a list; `text` has a place for one."""
    known = {}
    for inner in keys_of(faults_of(text % f"{{{needed}: a, a: a}}"), path.replace("[]", "[0]")):
        before = "" if inner == needed else f"{needed}: a, "
        known[f"{path}.{inner}"] = faults_of(text % f"{{{before}{inner}: {{a: a}}}}")[0]["message"]
    return known


def keys_of(faults, path):
    message = next(fault["message"] for fault in faults if fault["code"] == "unknown_key")
    listed = re.fullmatch(rf'unknown key "a"{re.escape(f" in {path}" if path else "")}; expected (.*)', message)
    assert listed, f"`drover check` no longer lists the keys it knows: {message}"
    return re.split(", | or ", listed[1])


def values(path, message):
    """The document's words for what a message expects."""
    if path in WORDS:
        return WORDS[path][0]
    for pattern, words in EXPECTED:
        found = re.search(f"expected {pattern}$", message)
        if found:
            return found.expand(words)
    raise AssertionError(f"{path}: {message}")


def faults_of(text):
    return json.loads(check(text).stdout)


def check(text, as_json=True):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "drover.yaml").write_text(text)
        return drover("check", "drover.yaml", *["--json"] * as_json, folder=folder)


def defaults_in_sources():
    """Defaults of numbers, flags and choices: what binding.cpp binds to which member, and what settings.h puts there."""
    sections = {"settings": ("", "DroverSettings"), "limits": ("limits.", "Limits"), "timeouts": ("timeouts.", "Timeouts"),
                "retry": ("retry.", "RetrySettings"), "health": ("health.", "HealthThresholds"), "node": ("nodes[].", "NodeSpec"), "route": ("routes[].", "RouteSettings"),
                "tenant": ("tenants[].", "TenantSettings"), "log": ("access_log.", "AccessLogSettings"),
                "alias": ("aliases[].", "AliasSettings"), "share": ("aliases[].models[].", "Share")}
    text = source("config/settings.h") + source("fleet/node.h") + source("fleet/alias.h") + source("balance/settings.h")
    members = {name: dict(re.findall(r"(\w+) =\s+([^;]+);", re.search(rf"struct {name} {{(.*?)\n *}};", text, re.DOTALL)[1]))
               for _, name in sections.values()}
    defaults = {}
    for setting, owner, member in re.findall(r'\{"(\w+)",\s*"[^"]*"\},\s*(\w+)\.(\w+)', source("config/binding.cpp")):
        prefix, struct = sections[owner]
        if member in members[struct]:
            defaults[prefix + setting] = members[struct][member].split("::")[-1]
    return defaults


def values_of(text):
    """The settings written in a file of the document's simple form, by path."""
    found, sections = {}, {}  # by the indentation that their settings go beyond
    for line in re.sub(r" *#.*", "", text).splitlines():
        name = re.match(r"( *(?:- )?)(\w+):(?: |$)(.*)", line)
        if not name:
            continue
        indent, key, value = len(name[1]), name[2], name[3]
        sections = {at: section for at, section in sections.items() if at < indent}
        path = (sections[max(sections)] if sections else "") + key
        if value:
            found[path] = value
        else:
            sections[indent] = f"{path}[]." if path in LISTS else f"{path}."
    return found


if __name__ == "__main__":
    unittest.main()
