"""Two real nodes of one version behind Drover: the command line, the client libraries, aborts. For each version."""

import json
import os
import re
import subprocess

from fleet import CHAT, CLIENTS, EMBEDDING, FleetTest, asking, call, long_chat, running, until


class OneVersion:
    """What is asked of a fleet of each version."""

    def setUp(self):
        for node in self.nodes:
            self.unload(node)

    def alike(self, *command):
        """Runs the same command line against a node and against the gateway, and compares all that a user sees."""
        node = self.nodes[0]
        direct, through = (node.cli(*command, url=url, check=False) for url in [node.url, self.gateway.url])
        self.assertEqual(seen(through), seen(direct))
        self.assertEqual(direct.returncode, 0, direct.stderr)
        return through.stdout

    def test_command_line_list(self):
        self.assertIn(CHAT, self.alike("list"))

    def test_command_line_show(self):
        self.assertIn("gemma3", self.alike("show", CHAT))
        self.assertIn("PARAMETER num_predict", self.alike("show", "--parameters", CHAT) + self.alike("show", "--modelfile", CHAT))

    def test_command_line_show_of_an_unknown_model(self):
        node = self.nodes[0]
        direct, through = (node.cli("show", "nobody", url=url, check=False) for url in [node.url, self.gateway.url])
        self.assertEqual(seen(through), seen(direct))
        self.assertNotEqual(through.returncode, 0)

    def test_command_line_version(self):
        self.alike("--version")

    def test_command_line_run(self):
        self.assertTrue(self.alike("run", CHAT, "The sky is blue because").strip())

    def test_command_line_run_of_an_embedding_model(self):
        if self.versions[0] == "0.24.0":
            self.skipTest("this version's command line does not embed")
        self.assertIsInstance(json.loads(self.alike("run", EMBEDDING, "sky")), list)

    def test_command_line_ps(self):
        for node in self.nodes:
            node.cli("run", CHAT, "The sky is blue because")
        until(lambda: running(self.gateway.url) == [CHAT], "the gateway to have seen what runs")
        self.assertIn(CHAT, self.alike("ps"))

    def test_command_line_stop(self):
        for node in self.nodes:
            node.cli("run", CHAT, "The sky is blue because")
        self.nodes[0].cli("stop", CHAT, url=self.gateway.url)
        for node in self.nodes:
            until(lambda node=node: running(node.url) == [], "each node that held the model to unload it")
        until(lambda: running(self.gateway.url) == [], "the gateway to have seen that nothing runs")

    def test_client_libraries(self):
        models = {"chat": CHAT, "embedding": EMBEDDING}
        environment = dict(os.environ, CLIENTS_GATEWAY=self.gateway.url, CLIENTS_NODE=self.nodes[0].url,
                           CLIENTS_MODELS=json.dumps(models))
        done = subprocess.run([CLIENTS / "run"], env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=1200)
        print(done.stdout)
        if done.returncode == 77:
            self.skipTest(done.stdout.strip())
        self.assertEqual(done.returncode, 0, "the client tests' own report stands above")

    def test_a_conversation_over_both_nodes(self):
        """Turn by turn the answers are those of one node, whichever node gave them."""
        def talk(url):
            messages, nodes = [], set()
            for question in ["The sky is", "And the sea is", "And the sun is", "So the moon is"]:
                messages.append({"role": "user", "content": question})
                answer = call(url, "POST", "/api/chat", {"model": CHAT, "messages": messages, "stream": False,
                                                         "options": {"temperature": 0, "seed": 7}})
                self.assertEqual(answer.status, 200, answer.body)
                messages.append(answer.json()["message"])
                nodes.add(answer.headers.get("x-drover-node"))
            return messages, nodes

        through, nodes = talk(self.gateway.url)
        self.assertEqual(through, talk(self.nodes[0].url)[0])
        self.assertLessEqual(nodes, {"node-1", "node-2"})

    def test_a_runner_with_enough_context_is_kept(self):
        """Loaded with the node's own context and with one that was asked for, behind the gateway's back."""
        loaded = {"node-1": 2048, "node-2": 1024}
        for node, num_ctx in zip(self.nodes, loaded.values()):
            options = {"num_ctx": num_ctx} if num_ctx != 2048 else {}
            call(node.url, "POST", "/api/generate", {"model": CHAT, "options": options})
        until(lambda: contexts(self.gateway.admin) == loaded, "the gateway to have seen what is loaded")
        before = [node.runners() for node in self.nodes]
        for num_ctx in [512, 1024, 1000, 2048, 1500, 512]:
            body = {"model": CHAT, "prompt": "Hi", "stream": False, "options": {"num_ctx": num_ctx, "num_predict": 1}}
            answer = call(self.gateway.url, "POST", "/api/generate", body)
            self.assertEqual(answer.status, 200, answer.body)
            has = loaded[answer.headers["x-drover-node"]]
            self.assertGreaterEqual(has, num_ctx)
            self.assertEqual(answer.headers["x-drover-context"], None if has == num_ctx else str(has))
        self.assertEqual([node.runners() for node in self.nodes], before, "a node loaded its model anew")

    def test_leaving_frees_the_slot(self):
        """Both nodes' only slots are taken by answers of minutes; once their readers leave, each node answers at once."""
        for node in self.nodes:
            call(node.url, "POST", "/api/generate", {"model": CHAT})
        chat = long_chat("Tell me everything.", 20_000)
        with asking(self.gateway.url, "POST", "/api/chat", chat) as one, asking(self.gateway.url, "POST", "/api/chat", chat) as two:
            self.assertEqual({one.headers["x-drover-node"], two.headers["x-drover-node"]}, {"node-1", "node-2"})
            one.readline(), two.readline()
        for _ in self.nodes:
            self.assertEqual(call(self.gateway.url, "POST", "/api/chat", long_chat("Hi", 1), timeout=30).status, 200)
        for node in self.nodes:
            self.assertEqual(call(node.url, "POST", "/api/chat", long_chat("Hi", 1), timeout=30).status, 200)


class Version0344(OneVersion, FleetTest):
    versions = ["0.34.4", "0.34.4"]


class Version0240(OneVersion, FleetTest):
    versions = ["0.24.0", "0.24.0"]


def contexts(admin):
    """The context of CHAT on each node, as the gateway knows it."""
    nodes = call(admin, "GET", "/api/status").json()["nodes"]
    return {node["name"]: runner["context"] for node in nodes for runner in node["runners"]
            if CHAT in runner["models"] and runner["resident"]}


def seen(done):
    """What a user sees of a finished command, without what moves: the spinner, relative times, the path of a node's own store,
    the order of a model's parameters, which a server draws anew for every call; and the tag that v0.24.0 leaves out of an error.
    """
    text = re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]", "", done.stdout + done.stderr)
    text = re.sub(r"[\u2800-\u28ff]", "", text)
    text = re.sub(r"(\d+|About an?|Less than a) (second|minute|hour)s? (ago|from now)", "TIME", text)
    text = re.sub(r"/\S*/blobs/", "STORE/", text)
    text = text.replace(":latest' not found", "' not found")
    return done.returncode, sorted(line.rstrip() for line in text.splitlines() if line.strip())
