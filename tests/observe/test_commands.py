"""firn stats, firn status and firn debug."""
import json
import os
import tarfile
import unittest
from concurrent.futures import ThreadPoolExecutor

from observed import ObservedTest

SECRETS = {"AWS_ACCESS_KEY_ID": "AKIAPLANTEDPLANTED42", "AWS_SECRET_ACCESS_KEY": "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",
           "FIRN_PASSPHRASE": "planted horse battery", "FIRN_TOKEN": "firn_" + "0123456789abcdef" * 4}


class CommandsTest(ObservedTest):
    def test_stats_tell_what_happens(self):
        self.make()
        with self.meanwhile(lambda: self.use_mount(10)), ThreadPoolExecutor() as pool:
            json_lines, table = pool.map(lambda words: self.succeed("stats", *words), (
                (self.mount_point, "--count", "2", "--json"), ("--url", self.url, "--count", "1")))
        lines = json_lines.splitlines()
        self.assertEqual(len(lines), 2)
        sample = json.loads(lines[-1])
        rates = {(one["door"], one["operation"]): one for one in sample["operations"]}
        self.assertGreater(rates["fuse", "CREATE"]["per_s"], 1)
        self.assertGreater(rates["fuse", "GETXATTR"]["errors_per_s"], 1)
        self.assertIn(("http", "GET metrics"), rates)
        self.assertTrue(any((one["p99_s"] or 0) > 0 for one in rates.values()), rates)
        self.assertGreater(sample["kv"]["commits_per_s"], 1)
        self.assertGreater(sum(sample["reactors"]), 0)
        self.assertLessEqual(max(sample["reactors"]), 1)
        self.assertEqual([tier["name"] for tier in sample["tiers"]["stores"]], ["nas"])
        for words in ("door", "CREATE", "commits/s", "tier nas", "reactors"):
            self.assertIn(words, table)

    def test_stats_say_which_volume_is_wanted(self):
        self.refuse("stats", words=["which volume"], code=2)
        self.refuse("stats", self.folder / "none", words=["none"])

    def test_status_tells_addresses_and_why_it_is_not_well(self):
        self.make()
        text = self.succeed("status", self.volume)
        self.assertIn(self.url, text)
        self.assertIn("nfs at 127.0.0.1:" + self.nfs_port, text)
        self.assertEqual((self.status()["health"], self.status()["reasons"]), ("ok", []))
        self.nas.rename(self.folder / "away")
        (self.mount_point / "file").write_bytes(b"x" * 100_000)
        self.firn("tier", "flush", self.volume)
        self.wait_until(lambda: self.status()["health"] == "degraded", "a tier is away, and health does not say so")
        self.assertRegex("\n".join(self.status()["reasons"]), "tier nas: ")
        self.assertEqual(self.scrape()['firn_tier_up{tier="nas"}'], 0)

    def bundle(self, *options):
        output = self.folder / f"bundle{len(options)}.tar.gz"
        environment = {**os.environ, **SECRETS}
        done = self.run_program(os.environ["FIRN"], "debug", self.volume, "-o", output, *options, env=environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(output.stat().st_mode & 0o777, 0o600)
        with tarfile.open(output) as archive:
            return {os.path.basename(member.name): archive.extractfile(member).read().decode("utf-8", "replace")
                    for member in archive if member.isfile()}

    def test_debug_leaves_secrets_and_names_out(self):
        self.make()
        with open(self.volume / "firn.toml", "a", encoding="utf-8") as file:
            file.write("".join(f"# {name} = {value}\n" for name, value in SECRETS.items()))
        self.setting("s3", 'endpoint = "https://planted-user:planted-password@127.0.0.1:1"')
        with open(self.volume / "firn.log", "a", encoding="utf-8") as file:
            file.write("Authorization: Bearer planted.bearer.token\nsecret_key=planted-in-log\n"
                       f"key {SECRETS['AWS_SECRET_ACCESS_KEY']} refused\nread /private name/of a file.txt failed\n")
        self.succeed("token", "create", self.volume)
        (self.mount_point / "private name").write_bytes(b"contents" * 20_000)
        files = self.bundle()
        self.assertEqual(set(files), {"system.txt", "environment.txt", "mounts.txt", "status.json", "metrics.txt",
                                      "stats.txt", "pending.json", "firn.toml", "firn.log"})
        self.assertEqual(json.loads(files["status.json"])["volume"], str(self.volume))
        self.assertLess(max(len(line) for line in files["status.json"].splitlines()), 1000)
        self.assertIn("firn_fuse_requests_total", files["metrics.txt"])
        self.assertIn("commits/s", files["stats.txt"])
        self.assertIn("refused", files["firn.log"])
        self.assertIn("FIRN_TOKEN is set", files["environment.txt"])
        for name, text in files.items():
            for planted in (*SECRETS.values(), "planted", "private name", "of a file", "contentscontents"):
                self.assertNotIn(planted.lower(), text.lower(), name)
        self.assertIn("of a file.txt", self.bundle("--with-paths")["firn.log"])

    def test_debug_tells_what_waits_without_names(self):
        self.make()
        self.nas.rename(self.folder / "away")
        with open(self.mount_point / "private name", "wb") as file:
            file.write(b"x" * 100_000)
            file.flush()
            os.fsync(file.fileno())
        self.wait_until(lambda: json.loads(self.succeed("wal", self.volume, "--json"))["pending"], "nothing is pending")
        pending = json.loads(self.bundle()["pending.json"])["pending"]
        self.assertTrue(pending)
        for file in pending:
            self.assertEqual(set(file), {"inode", "bytes", "since"})
        named = json.loads(self.bundle("--with-paths")["pending.json"])["pending"]
        self.assertIn("/private name", [file["name"] for file in named])

    def test_debug_of_a_volume_that_nobody_serves(self):
        self.init()
        files = self.bundle()
        self.assertIn("not there", files["status.json"])
        self.assertIn("[log]", files["firn.toml"])


if __name__ == "__main__":
    unittest.main()
