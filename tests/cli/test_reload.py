"""SIGHUP: the settings are swapped whole, or the old ones stay; streams never notice."""

import json
import signal

from harness import PLACES, CommandTest, free_port, get, state, until


class Reload(CommandTest):
    def last_reload_succeeded(self, gateway):
        return "\ndrover_config_last_reload_success 1\n" in get(gateway.admin + "/metrics").text

    def test_a_good_file_swaps_the_nodes_while_a_stream_runs_to_its_end(self):
        self.streaming(tokens=800)
        new = self.sim()
        self.write_settings([new.url])
        self.gateway.send(signal.SIGHUP)
        until(lambda: set(self.gateway.nodes()) == {new.url}, "the new node to be the only one")
        self.assertEqual(state(self.node.url)["in_flight"], 1, "the stream runs on at the node that was taken out")
        self.assertTrue(self.stream.whole(), self.stream.error)
        self.assertEqual(len(self.stream.lines), 801)
        self.assertTrue(self.last_reload_succeeded(self.gateway))

    def test_new_requests_go_to_the_new_node(self):
        old, new = self.sim(), self.sim()
        gateway = self.ready(self.serve(old.url))
        self.write_settings([new.url])
        gateway.send(signal.SIGHUP)
        until(lambda: gateway.nodes().get(new.url, {}).get("health") == "stable", "the new node to be up")
        self.assertEqual(get(gateway.url + "/api/version").status, 200)
        self.assertEqual(set(gateway.nodes()), {new.url})
        gateway.line("stderr", "info reloaded nodes=1")

    def test_a_node_that_stays_keeps_its_health(self):
        stays, goes = self.sim(), self.sim()
        gateway = self.ready(self.serve(stays.url, goes.url))
        until(lambda: all(node["health"] == "stable" for node in gateway.nodes().values()), "both nodes to be up")
        # The details of a model are asked of one of those that have it.
        models = {model["digest"] for node in (stays, goes) for model in json.loads(get(node.url + "/api/tags").text)["models"]}
        asked = lambda node: state(node.url)["requests"].get("/api/show", 0)  # noqa: E731
        until(lambda: asked(stays) + asked(goes) >= len(models), "every model to have been asked about")
        before = asked(stays)
        self.write_settings([stays.url], settings="policy: round_robin\n")
        gateway.send(signal.SIGHUP)
        until(lambda: set(gateway.nodes()) == {stays.url}, "one node to be left")
        self.assertEqual(gateway.nodes()[stays.url]["health"], "stable")
        self.assertEqual(json.loads(get(gateway.admin + "/api/status").text)["policy"], "round_robin")
        self.assertEqual(asked(stays), before, "what is known of a node is not asked again")

    def test_a_bad_file_keeps_the_old_settings_and_says_why(self):
        gateway = self.ready(self.serve(self.sim().url))
        before = set(gateway.nodes())
        for settings, told in [
            ("nodes: [http://127.0.0.1:1]\npolcy: round_robin\n", r"drover\.yaml:2:1: unknown key .polcy."),
            ("nodes: [http://127.0.0.1:1]\ntimeouts: {drain: soon}\n", r"drover\.yaml:2:19: timeouts\.drain is soon"),
            ("nodes: [", r"drover\.yaml:\d+:\d+: not YAML"),
            ("listen: 0.0.0.0:1\nnodes: [http://127.0.0.1:1]\n", "keys and TLS are not there yet"),
        ]:
            with self.subTest(settings=settings):
                self.write(settings)
                gateway.send(signal.SIGHUP)
                gateway.line("stderr", told)
                gateway.line("stderr", "error reload_rejected")
                until(lambda: not self.last_reload_succeeded(gateway), "the metric to say so")
                self.assertEqual(set(gateway.nodes()), before)
                self.assertEqual(get(gateway.url + "/api/version").status, 200)
        self.write_settings(sorted(before))
        gateway.send(signal.SIGHUP)
        until(lambda: self.last_reload_succeeded(gateway), "the metric to say that all is well again")

    def test_an_absent_file_keeps_the_old_settings(self):
        gateway = self.ready(self.serve(self.sim().url))
        (self.folder / "drover.yaml").unlink()
        gateway.send(signal.SIGHUP)
        gateway.line("stderr", r"drover\.yaml: cannot be read")
        until(lambda: not self.last_reload_succeeded(gateway), "the metric to say so")
        self.assertEqual(len(gateway.nodes()), 1)

    def test_a_file_that_names_no_nodes_any_more_keeps_the_old_settings(self):
        gateway = self.ready(self.serve(self.sim().url))
        self.write(PLACES)
        gateway.send(signal.SIGHUP)
        until(lambda: not self.last_reload_succeeded(gateway), "the metric to say so")
        self.assertEqual(len(gateway.nodes()), 1, "a gateway without nodes would not have started")

    def test_another_address_needs_a_new_start_and_that_is_said(self):
        gateway = self.ready(self.serve(self.sim().url))
        nodes = sorted(gateway.nodes())
        self.write(f"listen: 127.0.0.1:{free_port()}\nadmin: 127.0.0.1:0\nnodes: [{nodes[0]}]\n")
        gateway.send(signal.SIGHUP)
        gateway.line("stderr", r"listen.*(restart|start again|new start|stays)")
        self.assertEqual(get(gateway.url + "/api/version").status, 200)

    def test_up_reads_its_file_again(self):
        old, new = self.sim(), self.sim()
        self.write_settings([old.url])
        gateway = self.start("up", "--plain").serving()
        self.assertEqual(set(gateway.nodes()), {old.url})
        self.write_settings([new.url])
        gateway.send(signal.SIGHUP)
        until(lambda: set(gateway.nodes()) == {new.url}, "the new node")
