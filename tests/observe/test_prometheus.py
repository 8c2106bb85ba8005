"""Prometheus reads the metrics, promtool finds nothing to complain of, and the dashboard shows what there is."""
import json
import re
import socket
import subprocess
import unittest
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from firn_cli import DEADLINE_S
from observed import ObservedTest

DASHBOARD = Path(__file__).resolve().parents[2] / "deploy" / "grafana-firn.json"
# A series of each layer that is not 0 once it was used.
LAYERS = """
firn_build_info process_cpu_seconds_total process_resident_memory_bytes firn_reactor_busy_seconds_total
firn_fuse_requests_total{op="CREATE"} firn_fuse_errors_total{op="GETXATTR"} firn_fuse_request_seconds_count
firn_fuse_written_bytes_total
firn_http_requests_total{method="PUT",route="files",status="2xx"}
firn_http_request_seconds_count{method="GET",route="files"} firn_http_received_bytes_total firn_http_sent_bytes_total
firn_nfs_calls_total{procedure="write"} firn_nfs_call_seconds_count{procedure="read"} firn_nfs_read_bytes_total
firn_nfs_written_bytes_total
firn_kv_transactions_total firn_kv_commits_total firn_kv_commit_seconds_count firn_kv_syncs_total
firn_kv_sync_seconds_count firn_kv_log_bytes_total firn_kv_memtable_bytes
firn_meta_cache_hits_total{cache="inodes"} firn_meta_cache_hits_total{cache="names"}
firn_vfs_known_inodes firn_volume_inodes firn_volume_bytes firn_disk_available_bytes
firn_object_requests_total{store="nas",kind="put",outcome="ok"} firn_object_bytes_total{store="nas",kind="get"}
firn_object_request_seconds_count{store="nas",kind="put"}
firn_http_requests_in_flight
firn_kv_reads_total{kind="get"} firn_kv_reads_total{kind="scan"} firn_kv_read_seconds_count{kind="get"}
firn_tier_uploads_total{outcome="ok"} firn_tier_upload_seconds_count
firn_tier_hydrations_total{outcome="ok"} firn_tier_hydration_seconds_count
firn_tier_up{tier="nas"} firn_tier_uploaded_bytes_total firn_tier_hydrated_bytes_total
""".split()
# What is 0 again when nothing happens.
QUEUES = ("firn_fuse_notifier_queue", "firn_nfs_calls_in_flight")


class Prometheus:
    """A server of its own, on a port of its own, that scrapes one target."""

    def __init__(self, folder, target):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        config = folder / "prometheus.yml"
        config.write_text("global: {scrape_interval: 500ms, scrape_timeout: 500ms}\n"
                          "scrape_configs:\n- job_name: firn\n  static_configs:\n"
                          f"  - targets: ['{target}']\n")
        self.log = open(folder / "prometheus.log", "w", encoding="utf-8")
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}",
             f"--web.listen-address=127.0.0.1:{port}"], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.url = f"http://127.0.0.1:{port}"

    def stop(self):
        self.process.kill()
        self.process.wait(timeout=DEADLINE_S)
        self.log.close()

    def query(self, expression):
        """The values; an expression that is none raises ValueError."""
        words = urllib.parse.urlencode({"query": expression})
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/query?{words}", timeout=DEADLINE_S) as reply:
                return [float(one["value"][1]) for one in json.load(reply)["data"]["result"]]
        except urllib.error.HTTPError as refused:
            if refused.code == 503:
                return []  # not ready yet
            raise ValueError(f"{expression}: {refused.read().decode()}") from refused
        except (urllib.error.URLError, ConnectionError):
            return []  # not up yet


def panels(board):
    for panel in board["panels"]:
        yield panel
        yield from panel.get("panels", [])


class PrometheusTest(ObservedTest):
    def test_promtool_has_nothing_to_complain_of(self):
        self.make()
        self.use_doors()
        checked = subprocess.run(["promtool", "check", "metrics"], input=self.ask("/metrics"), text=True, check=False,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=DEADLINE_S)
        self.assertEqual((checked.returncode, checked.stdout), (0, ""))

    def test_open_metrics_are_for_those_who_accept_them(self):
        self.make()
        request = urllib.request.Request(self.url + "/metrics",
                                         headers={"Accept": "application/openmetrics-text; version=1.0.0, text/plain;q=0.5"})
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as reply:
            self.assertEqual(reply.headers["Content-Type"], "application/openmetrics-text; version=1.0.0; charset=utf-8")
            text = reply.read().decode()
        self.assertTrue(text.endswith("\n# EOF\n"))
        kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
        counters = {name for name, kind in kinds.items() if kind == "counter"}
        self.assertIn("firn_kv_reads", counters)
        for name in re.findall(r"^(\w+)[{ ]", text, re.MULTILINE):
            family = re.sub(r"_(bucket|sum|count)$", "", name)
            self.assertTrue(family in kinds and family not in counters or name.removesuffix("_total") in counters, name)
        self.assertNotIn("# EOF", self.ask("/metrics"))

    def test_prometheus_has_every_layer_and_the_dashboard_shows_it(self):
        self.make()
        self.use_doors()
        server = Prometheus(self.folder, self.url.removeprefix("http://"))
        self.addCleanup(server.stop)
        self.wait_until(lambda: server.query("up") == [1.0], "Prometheus did not scrape")
        for series in LAYERS:
            self.assertGreater(max(server.query(f"max_over_time({series}[1m])"), default=0), 0, series)
        for series in QUEUES:
            self.assertEqual(len(server.query(series)), 1, series)
        board = json.loads(DASHBOARD.read_text(encoding="utf-8"))
        self.assertGreaterEqual(board["schemaVersion"], 38)
        known = {re.split(r"[{ ]", series)[0] for series in self.scrape()}
        expressions = [target["expr"] for panel in panels(board) for target in panel.get("targets", [])]
        self.assertGreater(len(expressions), 20)
        for expression in expressions:
            for name in re.findall(r"\b(?:firn|process)_\w+", expression):
                self.assertIn(name, known, expression)
            server.query(expression.replace("$__rate_interval", "1m").replace("$instance", ".*"))


if __name__ == "__main__":
    unittest.main()
