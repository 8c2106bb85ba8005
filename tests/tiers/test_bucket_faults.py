"""A volume that lives in a bucket that lies, or keeps its daemon out: what is acknowledged is there for the next machine,
and who waits is told why."""
import re
import shutil
import subprocess
import time
import unittest

from bucket_volume import LONG_S
from firn_cli import FIRN
from proxied import ProxiedBucketTest, lose


class BucketFaults(ProxiedBucketTest):
    def assert_waits(self, begin, end, *words):
        """An fsync, and `firn status` says for what; it succeeds once the bucket is well again."""
        self.write("a", 50_000)
        begin()
        thread, outcome = self.fsync_elsewhere("a")
        try:
            thread.join(3)
            self.assertTrue(thread.is_alive(), f"fsync did not wait: {outcome}")
            self.wait_until(lambda: self.names_the_cause(*words), lambda: f"not told why: {self.status()}")
            self.assertTrue(thread.is_alive(), f"fsync did not wait: {outcome}")
        finally:
            end()
        thread.join(LONG_S)
        self.assertFalse(thread.is_alive())
        self.assertIsNone(outcome["error"])
        self.expected["a"] += b"more"
        self.wait_until(lambda: self.status()["health"] == "ok", lambda: f"not well again: {self.status()['reasons']}")
        self.settle()

    def names_the_cause(self, *words):
        status = self.status()
        reasons = "\n".join(status["reasons"])
        return status["health"] != "ok" and all(re.search(word, reasons, re.IGNORECASE) for word in ("tier s3", *words))

    # ---- answers that are none ----
    def test_fsync_waits_while_the_bucket_is_away(self):
        self.make()
        self.assert_waits(lambda: self.now_and_then(("unavailable",), 1), self.proxy.heal, "ServiceUnavailable")

    # ---- answers that lie ----
    def test_bodies_that_are_damaged_are_never_believed(self):
        self.make()
        for i in range(6):
            self.write(f"f{i}", self.random.randrange(500_000, 1_000_000))
        self.lose_machine()
        self.assert_damage_is_never_believed(where="/blob/")

    def test_metadata_that_is_damaged_on_its_way_is_not_served(self):
        self.make()
        self.write_tree()
        for _ in range(5):
            self.umount()
            shutil.rmtree(self.volume)
            self.now_and_then(("corrupted", "shortened"), 0.1, methods=("GET",))
            self.mounted.append((self.volume, self.mount_point))
            done = self.firn("mount", self.url, self.mount_point, "--cache", self.volume)
            self.proxy.heal()
            if done.returncode != 0:
                self.assert_refused(done)
                shutil.rmtree(self.volume, ignore_errors=True)
                self.mount()
            self.assert_tree()
        self.settle()

    def test_chunks_that_the_bucket_only_said_to_have_stored_are_not_acknowledged(self):
        self.make()
        self.write("a", 5_000)
        self.now_and_then(("forgotten",), 1, "/blob/", ("PUT",))
        with self.assertRaises(OSError):
            self.write("large", 900_000)
        self.assertIn("does not have it", (self.volume / "firn.log").read_text())
        self.assertEqual(self.blobs(), [])
        self.write("a", 90, at=5_000)  # what needs no object of its own
        self.proxy.heal()
        self.write("large", 900_000)
        self.settle()

    def test_metadata_that_the_bucket_only_said_to_have_stored_is_sent_again(self):
        self.make()
        self.write_tree()
        for where in ("/sst/", "/root/", "/root/"):
            self.once_each("forgotten", where, ("PUT",))
            for _ in range(300):  # more log than goes without a root at the end
                self.write("often", 90)
            self.umount()
            self.assertEqual(self.proxy.injected, {"forgotten": 1})
            self.proxy.heal()
            shutil.rmtree(self.volume)
            self.mount()
            self.assert_tree()
        self.settle()

    def test_what_the_log_was_only_said_to_have_is_put_again(self):
        self.make()
        self.write_tree()
        for i in range(3):
            self.once_each("forgotten", "/log/", ("PUT",))
            self.write(f"f{i}", 5_000)
            self.assertEqual(self.proxy.injected, {"forgotten": 1})
            self.proxy.heal()
        self.wait_until(lambda: (self.volume / "firn.log").read_text().count("it is put again") == 3,
                        "nobody looked whether the bucket kept it")
        time.sleep(0.5)
        self.lose_machine()
        self.assert_tree()
        self.settle()

    def test_what_is_not_mounted_yet_cannot_be_unmounted(self):
        """Nobody waits for the end of a daemon that only starts, or takes it for ended."""
        self.make()
        self.write("a", 5_000)
        self.umount()
        self.proxy.inject(lambda method, path: "hang")
        self.mounted.append((self.volume, self.mount_point))
        starting = subprocess.Popen([FIRN, "mount", self.url, self.mount_point, "--cache", self.volume], env=self.environment)
        try:
            self.wait_until(lambda: "mount " in (self.volume / "firn.lock").read_text())
            daemon = self.daemon_pid()
            for arguments in ([self.volume], ["--lazy", self.volume], [self.mount_point]):
                self.refuse("umount", *arguments, words=[f"process {daemon} is about to mount it", f"kill {daemon}"])
            self.refuse("mount", self.url, self.mount_point, "--cache", self.volume, words=[f"process {daemon}, which is about to mount it"])
            self.proxy.heal()
            self.assertEqual(starting.wait(LONG_S), 0)
        finally:
            starting.kill()
            starting.wait()
        self.assert_tree()
        self.umount()

    def test_a_gap_in_the_log_is_passed_over_only_when_told_to(self):
        self.make()
        for i in range(3):
            self.write(f"f{i}", 5_000)
        there = self.metadata("log")
        for i in range(3, 6):
            self.write(f"f{i}", 5_000)
        lost = next(path for path in self.metadata("log") if path not in there)
        time.sleep(self.rechecked_s)
        lose(lost)
        # The daemon that has all of it is left alone, and goes on.
        words = [lost.name, "nothing was changed", "firn scrub", "--rewind"]
        self.refuse("mount", self.url, self.folder / "elsewhere", "--cache", self.folder / "another", words=words)
        self.write("after", 5_000)
        self.assert_not_fenced()
        # It is lost, too.
        self.kill_daemon(self.volume)
        self.run_program("umount", "-l", self.mount_point)
        shutil.rmtree(self.volume)
        self.refuse("mount", self.url, self.mount_point, "--cache", self.volume, words=words)
        self.refuse("mount", self.url, self.mount_point, "--cache", self.volume, "--rewind", "-o", "ro",
                    words=["--rewind changes the volume"], code=2)
        self.mounted.append((self.volume, self.mount_point))
        done = self.firn("mount", "--rewind", self.url, self.mount_point, "--cache", self.volume)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, f"went back to the state before .*{lost.name}.*given up")
        for name in ("f3", "f4", "f5", "after"):
            del self.expected[name]
        self.assert_tree()
        self.write("new", 5_000)
        self.settle()

    def test_metadata_that_the_bucket_loses_later_is_mended(self):
        self.make()
        self.write_tree()
        self.assert_scrub_mends_metadata()
        self.settle()

    # ---- what a person must mend ----
    def test_wrong_credentials_and_buckets(self):
        self.make()
        self.write("a", 50_000)
        self.umount()
        shutil.rmtree(self.volume)
        good = self.environment
        for change, words in (({"AWS_SECRET_ACCESS_KEY": "not-it"}, ["SignatureDoesNotMatch"]),
                              ({"AWS_ACCESS_KEY_ID": "nobody"}, ["No user exists with the provided access key"]),
                              ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, ["no S3 credentials"])):
            with self.subTest(change=change):
                self.environment = {**good, **change}
                self.refuse("mount", self.url, self.mount_point, "--cache", self.volume, words=words)
        self.environment = good
        self.refuse("mount", "s3://no-such-bucket/x", self.mount_point, "--cache", self.volume,
                    words=["NoSuchBucket", "make the bucket first"])
        self.mount()
        self.assert_tree()
        self.settle()

    def test_a_bucket_that_is_gone(self):
        away = self.server.folder / "away"
        self.make()
        self.assert_waits(lambda: self.server.bucket.rename(away), lambda: away.rename(self.server.bucket),
                          "NoSuchBucket", "bucket does not exist")

    def test_a_token_that_expired_is_looked_for_anew(self):
        file = self.folder / "credentials"

        def write_token(token):
            file.write_text("[default]\n"
                            f"aws_access_key_id = {good['AWS_ACCESS_KEY_ID']}\n"
                            f"aws_secret_access_key = {good['AWS_SECRET_ACCESS_KEY']}\naws_session_token = {token}\n")

        def expire():
            self.proxy.token = "second"

        good = self.environment
        self.environment = self.without_keys()
        self.environment["AWS_SHARED_CREDENTIALS_FILE"] = str(file)
        write_token("first")
        self.proxy.token = "first"
        self.make()
        self.assert_waits(expire, lambda: write_token("second"), "ExpiredToken")

    def test_clocks_that_differ(self):
        self.proxy.clock_offset_s = self.random.choice([-1, 1]) * 7200
        self.make()
        for _ in range(6):
            self.write_some()
        self.assertGreater(self.proxy.injected.get("skewed", 0), 0)
        self.settle()

    def test_a_clock_that_cannot_be_set_right(self):
        self.make()
        self.assert_waits(lambda: self.now_and_then(("skewed",), 1), self.proxy.heal, "RequestTimeTooSkewed", "clock")


if __name__ == "__main__":
    unittest.main(verbosity=2)
