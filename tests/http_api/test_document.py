"""The document that the daemon serves, and made-up requests whose answers must be as it says."""
import os
import subprocess
import unittest
from pathlib import Path

from firn_cli import DEADLINE_S
from served import ServedTest

TOOLS = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "firn-tools"
TESTER = TOOLS / "api-tester" / "bin" / "schemathesis"
SEED = os.environ.get("FIRN_SEED", "1")
EXAMPLES = os.environ.get("FIRN_API_EXAMPLES", "8")
# The daemon that is asked ends with its first good request: test_stop has that, and what it refuses.
EXCLUDED = ("/v1/admin/stop",)
CHECKS = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
          "response_schema_conformance", "negative_data_rejection", "unsupported_method", "allow_header_conformance")


class Document(ServedTest):
    def setUp(self):
        super().setUp()
        self.succeed("init", self.volume, "--tier", f"t={self.folder}/tier")
        self.serve()

    def test_it_is_served(self):
        served = self.ask("GET", "/v1/openapi.json")
        self.assertEqual(served.headers["content-type"], "application/json")
        source = Path(__file__).resolve().parents[2] / "src" / "http" / "openapi.json"
        self.assertEqual(served.body, source.read_bytes())
        scoped = self.token("--path", "/a")
        self.assertEqual(self.ask("GET", "/v1/openapi.json", token=scoped).status, 200)

    def test_answers_are_as_it_says(self):
        self.assertTrue(TESTER.exists(), "run scripts/api-tester first")
        self.ask("PUT", "/v1/files/f", b"content")
        self.ask("POST", "/v1/mkdir?path=/d")
        url = f"http://127.0.0.1:{self.port}"
        source = self.folder / "source"
        source.mkdir()
        (source / "file").write_bytes(b"brought in")
        environment = {**os.environ, "FIRN_API_SOURCE": str(source), "FIRN_API_REPORT": str(self.folder / "report"),
                       "SCHEMATHESIS_HOOKS": "bounded", "PYTHONPATH": str(Path(__file__).parent)}
        excluded = [word for path in EXCLUDED for word in ("--exclude-path", path)]
        done = subprocess.run(
            [str(TESTER), "--config-file", str(Path(__file__).with_name("schemathesis.toml")), "run", url + "/v1/openapi.json", "--url", url, "--checks", ",".join(CHECKS), *excluded,
             "--phases", "examples,coverage,fuzzing", "--max-examples", EXAMPLES, "--seed", SEED, "--workers", "1",
             "--request-timeout", "10", "--suppress-health-check", "all", "--generation-database", "none", "--warnings", "off"],
            cwd=self.folder, env=environment, timeout=10 * DEADLINE_S, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, check=False)
        self.assertEqual(done.returncode, 0, done.stdout[-20_000:])
        self.assertEqual(self.ask("GET", "/v1/status").json()["health"], "ok")

    def test_stop(self):
        for token in (self.token(), self.token("--write"), self.token("--write", "--path", "/a")):
            refused = self.ask("POST", "/v1/admin/stop", token=token)
            self.assertEqual((refused.status, refused.headers["content-type"]), (403, "application/problem+json"))
        refused = self.ask("GET", "/v1/admin/stop")
        self.assertEqual((refused.status, refused.headers["allow"]), (405, "POST"))
        self.assertEqual(self.ask("POST", "/v1/admin/stop").status, 204)
        self.assertEqual(self.daemons[0].wait(DEADLINE_S), 0)


if __name__ == "__main__":
    unittest.main()
