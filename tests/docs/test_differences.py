"""The list of where Drover answers differently from Ollama on purpose: each request goes to a node and to a gateway in front
of it, and both must answer as the list says. A difference that disappears or changes fails.

The node is a simulated one, which follows Ollama but where an entry says otherwise (`simulated`): it has no account, no cloud,
no routes that the gateway lacks, and the gateway's own strict parser for heads. With DIFFERENCES_NODE and
DIFFERENCES_GATEWAY, the URLs of a real one and of a gateway in front of it, and DIFFERENCES_MODEL, its chat model, the list is
held against that node; what needs an account or the internet, or a fault of the node, is left out there.

The list is tests/differences.json. An entry has:
  name, why
  request         method, path, headers, body, extra_fields (so many further header fields), fault (armed on the node before).
                  A path, header or body is a text, or a list of parts: texts, {"repeat", "times"}, {"base64"}.
                  CHAT stands for the model.
  ollama, drover  what each answers: status, reason (x-drover-reason), body (all of it), contains, lacks, broken (the
                  connection ends before the answer), headers (null: absent, "*": any value)
  simulated       what a simulated node answers in place of `ollama`
  needs_internet  `ollama` cannot be seen here
"""

import base64
import json
import os
import unittest

from documents import CHAT, ROOT, Gateway, rows, start_sim
from exchange import ask
from world import request as control

LIST = json.loads((ROOT / "tests" / "differences.json").read_text())
GIVEN = "DIFFERENCES_NODE" in os.environ
MODEL = os.environ["DIFFERENCES_MODEL"] if GIVEN else CHAT


class Differences(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        if GIVEN:
            cls.node, cls.gateway = os.environ["DIFFERENCES_NODE"], os.environ["DIFFERENCES_GATEWAY"]
            return
        sim = start_sim()
        cls.addClassCleanup(sim.stop)
        gateway = Gateway({"node-1": sim.url})
        cls.addClassCleanup(gateway.stop)
        cls.node, cls.gateway = sim.url, gateway.url
        # In memory, so that no fault hits a load of the gateway's own.
        assert ask(gateway.url, "POST", "/api/generate", body=whole('{"model":"CHAT","prompt":"Hi","stream":false}')).status == 200

    def check(self, entry):
        on_node = entry["ollama"] if GIVEN else entry.get("simulated", entry["ollama"])
        if GIVEN and ("fault" in entry["request"] or entry.get("needs_internet")):
            self.skipTest("cannot be asked of this node")
        self.check_side("the node", self.send(self.node, entry["request"]), on_node)
        self.check_side("the gateway", self.send(self.gateway, entry["request"]), entry["drover"])

    def send(self, url, request):
        if "fault" in request:
            control(self.node + "/sim/faults", {**request["fault"], "count": 1})
            self.addCleanup(ask, self.node, "DELETE", "/sim/faults")
        headers = {name: whole(value).decode() for name, value in request.get("headers", {}).items()}
        headers |= {f"X-Extra-{number}": "1" for number in range(request.get("extra_fields", 0))}
        body = whole(request["body"]) if "body" in request else None
        return ask(url, request["method"], whole(request["path"]).decode(), headers, body)

    def check_side(self, side, answer, expected):
        said = f"{side} answered {answer.status} {answer.headers} {answer.body[:300]}"
        self.assertEqual(answer.status, expected["status"], said)
        self.assertEqual(answer.headers.get("x-drover-reason"), expected.get("reason"), said)
        if "broken" in expected:
            self.assertEqual(answer.broken, expected["broken"], said)
        if "body" in expected:
            self.assertEqual(answer.body.decode(), expected["body"], said)
        self.assertIn(expected.get("contains", ""), answer.body.decode(), said)
        if "lacks" in expected:
            self.assertNotIn(expected["lacks"], answer.body.decode(), said)
        for name, value in expected.get("headers", {}).items():
            got = answer.headers.get(name.lower())
            self.assertEqual(got and "*" if value == "*" else got, value, f"{name}: {said}")


def of_entry(entry):
    return lambda self: self.check(entry)


for each in LIST:
    setattr(Differences, f"test_{each['name']}", of_entry(each))


class TheList(unittest.TestCase):
    maxDiff = None

    def test_is_what_the_document_shows(self):
        self.assertEqual(rows("differences.md", "difference"), [row(entry) for entry in LIST])

    def test_names_are_unique(self):
        names = [entry["name"] for entry in LIST]
        self.assertEqual(sorted(set(names)), sorted(names))

    def test_entries_differ(self):
        for entry in LIST:
            self.assertNotEqual(entry["ollama"], entry["drover"], entry["name"])


def whole(parts):
    """Bytes of a text or of a list of parts."""
    if isinstance(parts, str):
        return parts.replace('"CHAT"', json.dumps(MODEL)).encode()
    if isinstance(parts, list):
        return b"".join(whole(part) for part in parts)
    return base64.b64decode(parts["base64"]) if "base64" in parts else parts["repeat"].encode() * parts["times"]


def row(entry):
    """The entry as docs/differences.md shows it."""
    request = entry["request"]
    path = whole(request["path"]).decode()
    return {"difference": entry["name"].replace("_", " "),
            "request": f"{shortened(request['method'])} {shortened(path)}",
            "Ollama": answer_text(entry["ollama"]), "Drover": answer_text(entry["drover"]), "why": entry["why"]}


def shortened(text):
    return text if len(text) < 40 else text[:14] + "..."


def answer_text(expected):
    text = str(expected["status"])
    if "reason" in expected:
        text += f" `{expected['reason']}`"
    named = [f"`{name}`" if value == "*" else f"`{name}: {value}`" for name, value in expected.get("headers", {}).items() if value]
    if named:
        text += " " + ", ".join(named)
    if "contains" in expected and "error" in expected["contains"]:
        text += ", an error at its end"
    return text + (", connection broken" if expected.get("broken") else "")


if __name__ == "__main__":
    # The table for docs/differences.md.
    for entry in LIST:
        cells = row(entry)
        cells["request"] = f"`{cells['request']}`"
        print("| " + " | ".join(cell.replace("|", "\\|") for cell in cells.values()) + " |")
