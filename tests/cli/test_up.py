"""`drover up`: one endpoint without any configuration. Its live screen is in test_screen.py."""

import json
import re
import shlex
import shutil
import subprocess
import unittest

from harness import ANYWHERE, DEFAULT_NODE, PLACES, Command, CommandTest, free_port, get, needs_no_ollama_here, until


def up(*arguments):
    """The arguments of `drover up`, on ports that nobody else has."""
    ports = [part for flag in ["--listen", "--admin"] if flag not in arguments for part in [flag, ANYWHERE]]
    return ["up", "--plain", *ports, *arguments]


class Up(CommandTest):
    def up(self, *arguments, **variables):
        return self.start(*up(*arguments), **variables).serving()

    def test_finds_the_node_that_ollama_host_names(self):
        node = self.sim()
        for value in [node.url, node.url.removeprefix("http://"), node.url + "/"]:
            with self.subTest(OLLAMA_HOST=value):
                gateway = self.up("--no-sim", OLLAMA_HOST=value)
                self.assertIn(node.url, gateway.nodes())
                self.assertFalse(gateway.nodes()[node.url]["simulated"], "a node that was found is not one that we made")
                self.check_all_in(gateway.printed("stderr"), f"found an Ollama node on {node.url}")

    def test_node_flags_win_over_the_file(self):
        of_file, first, second = (self.sim() for _ in range(3))
        self.write(f"nodes: [{of_file.url}]\n")
        gateway = self.up("--node", first.url, "--node", second.url)
        self.assertEqual(set(gateway.nodes()), {first.url, second.url})

    def test_reads_the_file_in_its_folder(self):
        node = self.sim()
        self.write(f"{PLACES}policy: round_robin\nnodes: [{{name: mine, url: '{node.url}'}}]\n")
        gateway = self.start("up", "--plain").serving()
        self.assertEqual(gateway.nodes()[node.url]["name"], "mine")
        self.assertEqual(json.loads(get(f"{gateway.admin}/api/status").text)["policy"], "round_robin")

    def test_reads_the_file_that_config_names_instead(self):
        node = self.sim()
        self.write("nodes: [http://127.0.0.1:1]\n")
        self.write(f"{PLACES}nodes: [{node.url}]\n", "other.yaml")
        gateway = self.start("up", "--plain", "--config", "other.yaml").serving()
        self.assertEqual(set(gateway.nodes()), {node.url})

    def test_flags_win_over_the_file(self):
        self.write(f"{PLACES}policy: round_robin\nworkers: 1\nnodes: [http://127.0.0.1:1]\n")
        port = free_port()
        gateway = self.start("up", "--plain", "--listen", f"127.0.0.1:{port}", "--policy", "least_connections").serving()
        self.assertEqual(gateway.url, f"http://127.0.0.1:{port}")
        self.assertEqual(json.loads(get(f"{gateway.admin}/api/status").text)["policy"], "least_connections")

    def test_a_named_node_that_is_down_stays_listed_as_offline(self):
        down = f"http://127.0.0.1:{free_port()}"
        gateway = self.up("--node", down)
        until(lambda: gateway.nodes()[down].get("error"), "the first probe to fail")
        self.assertEqual(set(gateway.nodes()), {down}, "a named node is never replaced by simulated ones")
        node = gateway.nodes()[down]
        self.assertEqual((node["health"], node["reachable"], node["simulated"]), ("offline", False, False))

    def test_a_named_node_that_comes_up_is_used(self):
        port = free_port()
        self.write(f"timeouts: {{probe_interval: 200ms}}\nnodes: [http://127.0.0.1:{port}]\n")
        gateway = self.up()
        until(lambda: gateway.nodes()[f"http://127.0.0.1:{port}"].get("error"), "the first probe to fail")
        self.start("sim", "--listen", f"127.0.0.1:{port}")
        until(lambda: gateway.nodes()[f"http://127.0.0.1:{port}"]["health"] == "stable", "the node to be found up")

    def test_refuses_what_makes_no_sense(self):
        port = free_port()
        for arguments, words in [
            (["--policy", "fastest"], ["--policy", "fastest", "least_connections", "round_robin"]),
            (["--node", "ftp://gpu-1"], ["--node", "ftp"]),
            (["--listen", "here"], ["here"]),
            (["--listen", "0.0.0.0:0"], ["0.0.0.0", "keys and TLS are not there yet", "insecure"]),
            (["--admin", "0.0.0.0:0"], ["admin", "0.0.0.0", "keys and TLS are not there yet", "insecure"]),
            (["--listen", f"127.0.0.1:{port}", "--node", f"http://localhost:{port}"], [f"localhost:{port}", "itself"]),
            (["--config", "absent.yaml"], ["absent.yaml"]),
        ]:
            with self.subTest(arguments=arguments):
                done = self.drover(*up("--node", "http://127.0.0.1:1", *arguments))
                self.assertEqual(done.code, 2, done)
                self.check_all_in(done.errors, *words)

    def test_refuses_a_bad_file_in_its_folder(self):
        self.write("polcy: round_robin\nnodes: [http://127.0.0.1:1]\n")
        done = self.drover(*up())
        self.assertEqual(done.code, 2)
        self.check_all_in(done.errors, "drover.yaml:1:1: ", '"polcy"', '"policy"')

    def test_insecure_listens_beyond_this_machine(self):
        node = self.sim()
        gateway = self.up("--listen", "0.0.0.0:0", "--insecure", "--node", node.url)
        port = gateway.url.rsplit(":", 1)[1]
        self.assertEqual(get(f"http://127.0.0.1:{port}/").text, "Ollama is running")

    def test_standard_output_holds_the_access_log_and_nothing_else(self):
        gateway = self.up("--node", self.sim().url)
        gateway.line("stderr", r"\d of 1 nodes up")
        get(gateway.url + "/api/version")
        gateway.line("stdout", "/api/version")
        gateway.stop()
        gateway.end()
        for line in gateway.seen["stdout"]:
            self.assertIsInstance(json.loads(line), dict)
        self.assertNotIn("\x1b", gateway.printed("stderr"), "plain lines steer no terminal")


@needs_no_ollama_here
class UpWithoutNodes(CommandTest):
    def test_no_sim_refuses(self):
        done = self.drover(*up("--no-sim"))
        self.assertEqual(done.code, 1)
        self.check_all_in(done.errors, f"127.0.0.1:{DEFAULT_NODE}", "--node URL")

    def test_its_own_address_is_no_node(self):
        port = free_port()
        for setting in ["--listen", "--admin"]:
            for value in [f"127.0.0.1:{port}", f"http://localhost:{port}", f"[::1]:{port}", f"0.0.0.0:{port}"]:
                with self.subTest(setting=setting, OLLAMA_HOST=value):
                    done = self.drover(*up(setting, f"127.0.0.1:{port}", "--no-sim"), OLLAMA_HOST=value)
                    self.assertEqual(done.code, 1)
                    self.assertNotIn(str(port), done.errors, "it was not even asked")

    def test_a_bad_ollama_host_is_refused_by_name(self):
        done = self.drover(*up(), OLLAMA_HOST="ftp://gpu-1")
        self.assertNotEqual(done.code, 0)
        self.check_all_in(done.errors, "OLLAMA_HOST", "ftp")


@needs_no_ollama_here
class UpSimulated(unittest.TestCase):
    """What a new user sees first: `drover up` where there is no Ollama."""

    @classmethod
    def setUpClass(cls):
        cls.gateway = Command(None, *up())
        cls.addClassCleanup(cls.gateway.stop)
        cls.gateway.serving().line("stderr", r"3 of 3 nodes up")

    def pasted(self, pattern):
        return self.gateway.line("stderr", pattern)

    def test_says_in_plain_words_that_the_nodes_are_simulated(self):
        printed = self.gateway.printed("stderr")
        for words in ["SIMULATED", "made-up", "--node URL", "--no-sim"]:
            self.assertIn(words, printed)
        nodes = self.gateway.nodes().values()
        self.assertTrue(all(node["simulated"] for node in nodes))
        self.assertEqual({node["name"] for node in nodes}, {"sim-fast", "sim-slow", "sim-small"})

    def test_the_ollama_line_names_the_endpoint_and_a_model_of_it(self):
        host, model = self.pasted(r"OLLAMA_HOST=(\S+) ollama run (\S+)").groups()
        self.assertEqual(f"http://{host}", self.gateway.url)
        listed = json.loads(get(f"http://{host}/api/tags").text)["models"]
        self.assertIn(model, [entry["name"] for entry in listed])

    @unittest.skipUnless(shutil.which("curl"), "needs curl")
    def test_the_curl_line_streams_an_answer(self):
        done = subprocess.run(shlex.split(self.pasted(r"(curl .*)$")[1]), capture_output=True, text=True, timeout=60)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual((done.returncode, lines[-1]["done"]), (0, True), done)
        self.assertTrue("".join(line["response"] for line in lines).strip(), "a text came")

    def test_the_openai_line_is_python_and_its_base_url_answers(self):
        line = self.pasted(r"(client = OpenAI\(.*\))")[1]
        made = eval(line.removeprefix("client = "), {"OpenAI": lambda **arguments: arguments})  # as the library would take it
        self.assertEqual(set(made), {"base_url", "api_key"})
        model = self.pasted(r"ollama run (\S+)")[1]
        self.assertIn(model, [entry["id"] for entry in json.loads(get(made["base_url"] + "/models").text)["data"]])

    def test_says_now_and_then_how_it_goes(self):
        self.assertTrue(re.search(r"up [\d.]+s: 3 of 3 nodes up, .*in flight", self.gateway.printed("stderr")))
