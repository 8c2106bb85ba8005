"""A bucket behind a proxy that misbehaves: what is read is right or an error, nothing is lost, and the status names the cause."""
import subprocess
import time
import unittest

from fault_proxy import BROKEN, WITHOUT
from firn_cli import FIRN
from proxied import ProxiedTest, flip, lose


class StoreFaults(ProxiedTest):
    def lose_the_near_tier(self):
        self.nas.rename(self.folder / "nas away")

    def settle(self):
        """With the near tier back."""
        if not self.nas.exists():
            (self.folder / "nas away").rename(self.nas)
        super().settle()

    def evict(self):
        self.succeed("tier", "evict", self.volume)

    def assert_names_the_cause(self, *words):
        """What the user is told, wherever they look, while local work goes on."""
        self.write("meanwhile", 700_000)
        self.refuse("tier", "flush", self.volume, words=words)
        status = self.status()
        self.assertNotEqual(status["health"], "ok")
        reasons = "\n".join(status["reasons"])
        for word in ("tier s3", *words):
            self.assertRegex(reasons, f"(?i){word}")
        self.assert_tree()

    # ---- answers that are no answers ----
    def test_a_storm(self):
        names = WITHOUT + BROKEN + ("put_corrupted",)
        self.make()
        self.now_and_then(names)
        for i in range(20):
            self.write(f"f{i % 8}", self.random.randrange(1, 2_000_000))
            if i % 2 == 1:
                self.wait_until_drained()
        self.evict()
        self.lose_the_near_tier()
        self.assert_tree()
        self.umount()
        for name in names:
            self.assertGreater(self.proxy.injected.get(name, 0), 0, self.proxy.injected)
        self.go_on_restored()
        self.settle()

    def test_being_asked_to_slow_down(self):
        self.make()
        refused = [40]

        def choose(method, path):
            refused[0] -= 1
            return "slow_down" if refused[0] >= 0 else None

        self.write_tree()
        self.proxy.inject(choose)
        self.wait_until_drained()
        self.assertLess(refused[0], 0)
        self.evict()
        self.lose_the_near_tier()
        self.assert_tree()
        self.settle()

    def test_connections_that_hang(self):
        self.make()
        for i in range(3):
            self.write(f"cold{i}", 600_000)
        self.flush()
        self.evict()
        self.lose_the_near_tier()
        self.once_each("hang", "/blob/", ("GET", "PUT"))
        begun = time.monotonic()
        self.write("warm", 600_000)
        self.assertEqual((self.mount_point / "warm").read_bytes(), self.expected["warm"])
        self.assertLess(time.monotonic() - begun, 10)
        uploading = subprocess.Popen([FIRN, "tier", "flush", self.volume], env=self.environment,
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.assert_tree()
        self.assertEqual(uploading.wait(timeout=90), 1)  # the near tier is gone
        self.assertEqual(self.proxy.injected, {"hang": 2})
        self.assertGreaterEqual(len(self.blobs()), 2)
        self.settle()

    # ---- answers that lie ----
    def test_bodies_that_are_damaged_are_never_believed(self):
        self.make()
        for i in range(6):
            self.write(f"f{i}", self.random.randrange(1_000_000, 2_000_000))
        self.flush()
        self.evict()
        self.lose_the_near_tier()
        self.assert_damage_is_never_believed()

    def test_metadata_that_is_damaged_on_its_way_is_not_restored(self):
        self.make()
        self.write_tree()
        self.flush()
        self.umount()
        restored = self.folder / "restored"
        for _ in range(8):
            self.now_and_then(("corrupted", "shortened"), 0.1, methods=("GET",))
            done = self.firn("restore", self.url, restored)
            self.proxy.heal()
            if done.returncode == 0:
                break
            self.assert_refused(done)
        else:
            self.succeed("restore", self.url, restored)
        self.volume = restored
        self.mount()
        self.assert_tree()
        self.settle()

    def test_what_a_store_only_said_to_have_stored_stays_here(self):
        self.make()
        self.write_tree()
        self.now_and_then(("forgotten",), 1, "/blob/", ("PUT",))
        self.refuse("tier", "flush", self.volume, words=["tier s3", "does not have it"])
        self.assertEqual(self.blobs(), [])
        self.assertIn("0 files", self.succeed("tier", "evict", self.volume))
        self.proxy.heal()
        self.flush()
        self.evict()
        self.lose_the_near_tier()
        self.assert_tree()
        self.settle()

    def test_metadata_that_a_store_only_said_to_have_stored_is_sent_again(self):
        self.make()
        self.write_tree()
        for where in ("/sst/", "/root/", "/sst/"):
            self.umount()
            self.once_each("forgotten", where, ("PUT",))
            self.mount()
            self.write(f"after {self.proxy.injected}", 30_000)
            self.flush()
            self.assertEqual(self.proxy.injected, {"forgotten": 1})
            self.umount()  # with a root that has all of it, or the log
            self.proxy.heal()
            self.go_on_restored(name=f"restored {self.random.random()}")
        self.settle()

    def test_what_the_log_was_only_said_to_have_is_put_again(self):
        self.make()
        self.write_tree()
        for i in range(3):
            self.once_each("forgotten", "/log/", ("PUT",))
            self.write(f"f{i}", 5_000)
            self.flush()
            self.assertEqual(self.proxy.injected, {"forgotten": 1})
        self.proxy.heal()
        self.kill_daemon(self.volume)
        self.run_program("umount", "-l", self.mount_point)
        self.go_on_restored()
        self.settle()

    def test_a_restore_that_cannot_be_takes_nothing_over(self):
        """The daemon that is well has all of it."""
        self.make()
        self.write_tree()
        for i in range(3):
            self.write(f"f{i}", 5_000)
            self.flush()
        lost = self.metadata("log")[-2]
        lose(lost)
        restored = self.folder / "restored"
        self.refuse("restore", self.url, restored, words=[lost.name, "nothing was changed", "firn scrub"])
        self.assertFalse(restored.exists())
        self.write("after", 5_000)
        self.flush()
        status = self.status()
        self.assertEqual(status["health"], "ok", status["reasons"])
        self.assertEqual(self.firn("scrub", self.volume).returncode, 1)
        self.umount()
        self.go_on_restored()
        self.settle()

    def test_a_restore_goes_back_to_before_a_gap_when_told_to(self):
        self.make()
        self.write_tree()
        self.flush()
        there = self.metadata("log")
        for i in range(3):
            self.write(f"f{i}", 5_000)
            self.flush()
        lost = next(path for path in self.metadata("log") if path not in there)
        lose(lost)
        self.kill_daemon(self.volume)
        self.run_program("umount", "-l", self.mount_point)
        restored = self.folder / "restored"
        self.refuse("restore", self.url, restored, words=[lost.name, "nothing was changed", "--rewind"])
        told = self.succeed("restore", "--rewind", self.url, restored)
        self.assertRegex(told, f"the state before .*{lost.name}.*given up")
        for i in range(3):
            del self.expected[f"f{i}"]
        self.volume = restored
        self.refuse("mount", "--rewind", self.volume, self.mount_point, words=["--rewind is for volumes that live in"])
        self.mount()
        self.assert_tree()
        self.settle()

    def test_metadata_that_a_store_loses_later_is_mended(self):
        self.make()
        self.write_tree()
        self.flush()
        self.assert_scrub_mends_metadata()
        self.umount()
        self.go_on_restored()
        self.settle()

    def test_a_newest_root_that_is_damaged_at_the_start_is_made_good(self):
        self.make()
        self.write_tree()
        self.flush()
        self.umount()
        path = self.metadata("root")[-1]
        flip(path)
        self.refuse("restore", self.url, self.folder / "refused", words=[path.name, "checksum"])
        self.mount()
        self.write("after", 100)
        self.flush()
        metadata = self.status()["tiers"]["metadata"]
        self.assertEqual((metadata["attached"], metadata["damaged_objects"]), (True, 1))
        self.assertRegex("\n".join(self.status()["reasons"]), "1 objects of the metadata .* damaged or gone")
        self.assertIn(path.name, (self.volume / "firn.log").read_text())
        self.succeed("scrub", self.volume)
        self.assertEqual(self.status()["health"], "ok")
        self.umount()
        self.go_on_restored()
        self.settle()

    def test_fsck_notices_a_damaged_table(self):
        self.make()
        self.write_tree()
        self.flush()
        self.umount()
        self.succeed("fsck", "--deep", self.volume)
        path = self.metadata("sst")[-1]
        whole = path.read_bytes()
        for hurt in flip, lose:
            hurt(path)
            done = self.firn("fsck", "--deep", self.volume)
            self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
            self.assertRegex(done.stdout, f"metadata in the coldest tier, sst/.*{path.name}: .*firn scrub")
        self.mount()
        done = self.firn("scrub", self.volume)
        self.assertRegex(done.stdout, f"{path.name}: .*\\(repaired\\)")
        self.succeed("scrub", self.volume)
        self.assertNotEqual(self.metadata("sst")[-1], path)
        self.assertFalse(path.exists() and path.read_bytes() == whole)
        self.umount()
        self.go_on_restored()
        self.settle()

    def test_what_a_store_loses_later_is_mended(self):
        self.make()
        self.write_tree()
        self.flush()
        for blob in self.blobs():
            blob.unlink()
        done = self.firn("scrub", self.volume)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("repaired", done.stdout)
        self.succeed("scrub", self.volume)
        self.evict()
        self.lose_the_near_tier()
        self.assert_tree()
        self.settle()

    # ---- what a person must mend ----
    def test_wrong_credentials(self):
        self.make()
        self.write_tree()
        self.flush()
        good = self.environment
        for change, words in (({"AWS_SECRET_ACCESS_KEY": "not-it"}, ["SignatureDoesNotMatch"]),
                              ({"AWS_ACCESS_KEY_ID": "nobody"}, ["No user exists with the provided access key"]),
                              ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, ["no S3 credentials"])):
            with self.subTest(change=change):
                self.umount()
                self.environment = {**good, **change}
                self.mount()
                self.assert_names_the_cause(*words)
        self.umount()
        self.environment = good
        self.mount()
        self.wait_until_drained()
        self.assertEqual(self.status()["reasons"], [])
        self.settle()

    def test_a_bucket_that_is_gone(self):
        self.make()
        self.write_tree()
        self.flush()
        away = self.server.folder / "away"
        self.server.bucket.rename(away)
        try:
            self.assert_names_the_cause("NoSuchBucket", "bucket does not exist")
        finally:
            away.rename(self.server.bucket)
        self.wait_until_drained()
        self.evict()
        self.lose_the_near_tier()
        self.assert_tree()
        self.settle()

    def test_a_token_that_expired_is_looked_for_anew(self):
        file = self.folder / "credentials"

        def write_token(token):
            file.write_text("[default]\n"
                            f"aws_access_key_id = {good['AWS_ACCESS_KEY_ID']}\n"
                            f"aws_secret_access_key = {good['AWS_SECRET_ACCESS_KEY']}\naws_session_token = {token}\n")

        good = self.environment
        self.environment = self.without_keys()
        self.environment["AWS_SHARED_CREDENTIALS_FILE"] = str(file)
        write_token("first")
        self.proxy.token = "first"
        self.make()
        self.write_tree()
        self.flush()
        self.proxy.token = "second"
        self.assert_names_the_cause("ExpiredToken")
        write_token("second")
        self.wait_until_drained()
        self.evict()
        self.lose_the_near_tier()
        self.assert_tree()
        self.settle()

    def test_credentials_that_a_program_prints(self):
        token, program, config = (self.folder / name for name in ("token", "a program", "config"))
        good = self.environment
        keys = f'"AccessKeyId":"{good["AWS_ACCESS_KEY_ID"]}","SecretAccessKey":"{good["AWS_SECRET_ACCESS_KEY"]}"'
        program.write_text("#!/bin/sh\n"
                           f"""token=$(cat {token}) || exit 4\n"""
                           f"""printf '{{"Version":1,{keys},"SessionToken":"%s"}}' "$token"\n""")
        program.chmod(0o700)
        config.write_text(f'[profile printed]\ncredential_process = "{program}" --quietly\n')
        self.environment = self.without_keys()
        self.environment.update(AWS_CONFIG_FILE=str(config), AWS_PROFILE="printed")
        self.refuse("init", self.volume, "--tier", f"s3={self.url}",
                    words=["credential_process of the profile printed", "a program", "exit code 4", "No such file"])
        token.write_text("first")
        self.proxy.token = "first"
        self.make()
        self.write_tree()
        self.flush()
        self.proxy.token = "second"
        self.assert_names_the_cause("ExpiredToken")
        token.unlink()
        self.assert_names_the_cause("credential_process of the profile printed", "exit code 4")
        token.write_text("second")
        self.wait_until_drained()
        self.evict()
        self.lose_the_near_tier()
        self.assert_tree()
        self.settle()

    def test_clocks_that_differ(self):
        self.make()
        self.write_tree()
        self.proxy.clock_offset_s = self.random.choice([-1, 1]) * 7200
        self.flush()
        self.evict()
        self.lose_the_near_tier()
        self.assert_tree()
        self.assertGreater(self.proxy.injected.get("skewed", 0), 0)
        self.settle()

    def test_a_clock_that_cannot_be_set_right(self):
        self.make()
        self.write_tree()
        self.now_and_then(("skewed",), 1)
        self.assert_names_the_cause("RequestTimeTooSkewed", "clock")
        self.proxy.heal()
        self.wait_until_drained()
        self.settle()

    def test_a_flush_of_metadata_alone_ends_and_names_the_cause(self):
        self.make()
        self.flush()
        self.now_and_then(("expired",), 1)
        self.write("small", 100)
        self.refuse("tier", "flush", self.volume, words=["metadata, tier s3", "ExpiredToken"])
        self.proxy.heal()
        self.wait_until_drained()
        self.settle()

    def test_a_flush_that_waits_for_a_root_ends_and_names_the_cause(self):
        self.make()
        self.write("small", 100)
        self.flush()
        self.umount()
        taken_over = []

        def choose(method, path):  # the root that says who the writer is gets through
            if method != "PUT" or "/root/" not in path:
                return None
            taken_over.append(path)
            return "forgotten" if path != taken_over[0] else None

        self.proxy.inject(choose)
        self.mount()
        self.write("small", 200)
        begun = time.monotonic()
        self.refuse("tier", "flush", self.volume, words=["metadata, tier s3", "does not have it"])
        self.assertLess(time.monotonic() - begun, 60)
        self.assertIn("does not have it", "\n".join(self.status()["reasons"]))
        self.proxy.heal()
        self.wait_until_drained()
        self.settle()

    def test_init_and_restore_name_the_cause(self):
        init = ("init", self.volume, "--tier", f"nas={self.nas}", "--tier", f"s3={self.url}")
        good = self.environment
        self.environment = {**good, "AWS_SECRET_ACCESS_KEY": "not-it"}
        for command in (init, ("restore", self.url, self.folder / "restored")):
            self.refuse(*command, words=["SignatureDoesNotMatch"])
        self.environment = good
        self.now_and_then(("skewed",), 1)
        for command in (init, ("restore", self.url, self.folder / "restored")):
            self.refuse(*command, words=["RequestTimeTooSkewed", "clock"])
        self.proxy.heal()
        missing = "s3://no-such-bucket/prefix"
        for command in (("init", self.volume, "--tier", f"s3={missing}"), ("restore", missing, self.volume)):
            self.refuse(*command, words=["NoSuchBucket", "make the bucket first"])
        self.assertFalse(self.volume.exists())


if __name__ == "__main__":
    unittest.main(verbosity=2)
