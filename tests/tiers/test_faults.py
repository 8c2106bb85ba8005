"""Stores that are away, a daemon that is killed at any moment, and two volumes on one bucket."""
import json
import os
import re
import subprocess
import threading
import time
import unittest

from firn_cli import FIRN
from tiered import TieredTest

HANGING_S = 60  # at most, for what ends beside a share that does not answer
KILLS = int(os.environ.get("FIRN_KILLS", "6"))


class Faults(TieredTest):
    def test_a_bucket_that_is_away_for_the_whole_workload(self):
        self.make()
        self.server.stop()
        try:
            self.write_tree()
            self.refuse("tier", "flush", self.volume, words=["s3"])
            self.assert_tree()
            status = self.status()
            self.assertNotEqual(status["health"], "ok")
            self.assertTrue(any("s3" in reason or "coldest" in reason for reason in status["reasons"]), status["reasons"])
            self.assertGreater(status["tiers"]["pending_files"], 0)
            self.assertIn("large0", self.succeed("wal", self.volume))
            self.assert_wal_lists_all()
        finally:
            self.server.start()
        self.wait_until_drained()
        self.succeed("tier", "evict", self.volume)
        self.nas.rename(self.folder / "away")
        self.assert_tree()
        (self.folder / "away").rename(self.nas)
        self.settle()

    def ask(self, target):
        done = self.run_program("curl", "-sS", "--max-time", "20", "--unix-socket", self.volume / "firn.sock",
                                f"http://localhost{target}")
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def assert_wal_lists_all(self):
        pending = lambda *options: json.loads(self.succeed("wal", self.volume, "--json", *options))["pending"]
        everything, by_age = pending("--all"), pending()
        self.assertEqual(len(everything), self.status()["tiers"]["pending_files"])
        inodes = [file["inode"] for file in everything]
        self.assertEqual(inodes, sorted(inodes))
        self.assertEqual(sorted(inodes), sorted(file["inode"] for file in by_age))
        ages = [file["since"] for file in by_age]
        self.assertEqual(ages, sorted(ages))
        self.assertEqual(pending("--limit", "1"), by_age[:1])
        self.assertIn("there may be more", self.succeed("wal", self.volume, "--limit", "1"))
        # Pages meet without a gap.
        listed, after = [], 0
        while after is not None:
            page = self.ask(f"/v1/admin/wal?limit=7&after={after}")
            listed += [file["inode"] for file in page["pending"]]
            after = page["next"]
        self.assertEqual(listed, inodes)
        self.assertEqual(self.ask("/v1/admin/wal?order=age&after=7")["status"], 400)

    def test_a_share_that_is_unmounted_is_not_written_under(self):
        share = self.folder / "share"
        share.mkdir()
        self.nas.mkdir()
        subprocess.run(["mount", "--bind", share, self.nas], check=True)
        self.other_mounts.append(self.nas)
        self.make()
        self.write("before", 3 << 20)
        self.flush()
        subprocess.run(["umount", "-l", self.nas], check=True)
        self.write("meanwhile", 3 << 20)
        self.refuse("tier", "flush", self.volume, words=["nas"])
        self.assertEqual(list(self.nas.iterdir()), [])
        subprocess.run(["mount", "--bind", share, self.nas], check=True)
        self.wait_until_drained()
        self.succeed("tier", "evict", self.volume)
        self.server.stop()  # so that all of it comes from the share
        try:
            self.assert_tree()
        finally:
            self.server.start()
        self.settle()

    def test_a_share_that_hangs_keeps_nobody_from_ending(self):
        self.make()
        self.write("before", 3 << 20)
        self.flush()
        # Whoever looks for the store's marker waits until somebody writes to it.
        marker = self.nas / "firn-store"
        text = marker.read_text()
        marker.unlink()
        os.mkfifo(marker)
        self.write("after", 3 << 20)
        flush = subprocess.Popen([FIRN, "tier", "flush", self.volume], env=self.environment, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(3)
        began = time.monotonic()
        self.umount()
        self.assertLess(time.monotonic() - began, HANGING_S)
        flush.communicate()
        marker.unlink()
        marker.write_text(text)
        self.mount()
        self.assert_tree()
        self.settle()

    def test_what_changes_while_the_share_is_away_is_restored_from_the_bucket(self):
        self.make()
        self.write("changed", 3 << 20)
        self.write("kept", 100_000)
        self.flush()
        self.nas.rename(self.folder / "away")
        self.write("changed", 5 << 20)
        self.write("fresh", 3 << 20)
        self.refuse("tier", "flush", self.volume, words=["nas"])
        self.assertEqual(self.status()["tiers"]["pending_files"], 2)
        self.umount()
        restored, mount_point = self.folder / "restored", self.folder / "there"
        mount_point.mkdir()
        self.succeed("restore", self.url, restored)
        self.mount(restored, mount_point)
        self.assert_tree(mount_point)

    def test_what_the_share_damaged_while_the_bucket_was_away_is_sent_again(self):
        """One blob is damaged, and another lost, in the only tier that has them: the local disk has what they hold."""
        self.make()
        self.set_pace()
        self.server.stop()
        try:
            for name in ("damaged", "lost"):
                self.write(name, 3 << 20)
                self.refuse("tier", "flush", self.volume, words=["s3"])
            first, second = sorted((path for path in (self.nas / "blob").rglob("*") if path.is_file()),
                                   key=lambda path: path.stat().st_mtime_ns)
            with open(first, "r+b") as file:
                file.seek(1 << 20)
                file.write(b"damage")
            second.unlink()
        finally:
            self.server.start()
        self.wait_until(lambda: self.status()["tiers"]["pending_files"] == 0, lambda: f"still pending: {self.status()}")
        self.assertEqual(self.status()["tiers"]["repaired_objects"], 2)
        self.succeed("tier", "evict", self.volume)
        self.nas.rename(self.folder / "away")
        self.assert_tree()
        (self.folder / "away").rename(self.nas)
        self.settle()

    def test_a_tier_that_is_away_hides_no_other(self):
        """Neither where files are, nor how much waits, also after a restart."""
        self.make()
        self.server.stop()
        try:
            begun = time.time()
            self.write("f", 3 << 20)
            closed = time.time()
            self.write("folder/g", 5 << 20)
            self.refuse("tier", "flush", self.volume, words=["s3"])
            self.assertEqual(os.getxattr(self.mount_point / "f", "user.firn.tiers"), b"3")
            self.assertRegex(self.succeed("tier", "ls", self.mount_point), r"(?m)all +some +f$")
            self.assert_pending(2, 8 << 20)
            self.kill_daemon(self.volume)
            self.run_program("umount", "-l", self.mount_point)
            self.mount()
            self.assert_pending(2, 8 << 20)
            time.sleep(2)
            age, now = self.status()["tiers"]["oldest_pending_s"], time.time()  # the one of the file, whatever came between
            self.assertGreater(age, now - closed - 3)
            self.assertLess(age, now - begun + 1)
            self.assertEqual(os.getxattr(self.mount_point / "f", "user.firn.tiers"), b"3")
            self.write("f", 1000, at=5000)
            self.assertEqual(os.getxattr(self.mount_point / "f", "user.firn.tiers"), b"1")
        finally:
            self.server.start()
        self.wait_until_drained()
        self.assert_pending(0, 0)
        self.assertEqual(os.getxattr(self.mount_point / "f", "user.firn.tiers"), b"7")

    def assert_pending(self, files, size):
        def told():
            tiers = self.status()["tiers"]
            return tiers["pending_files"], tiers["pending_bytes"]
        self.wait_until(lambda: told() == (files, size), lambda: f"{told()} is pending, and not {(files, size)}")
        text = self.firn("status", self.volume).stdout
        self.assertRegex(text, r"pending +nothing" if files == 0 else rf"pending +{files} files, {size >> 20}(\.\d+)? MiB, the oldest")

    def set_pace(self):
        """Uploads begin at once; so the daemon knows from now on."""
        path = self.volume / "firn.toml"
        text, changed = re.subn(r"(?m)^#?flush_interval = .*$", 'flush_interval = "1s"', path.read_text())
        self.assertEqual(changed, 1, text)
        path.write_text(text)
        self.umount()
        self.mount()

    def test_killed_again_and_again(self):
        """What an fsync acknowledged is there after every kill; in the end everything is uploaded, and nothing is left over."""
        self.make()
        for round_number in range(KILLS):
            stop = threading.Event()

            def push():
                while not stop.is_set():
                    self.firn(*self.random.choice([("tier", "flush", self.volume), ("tier", "evict", self.volume),
                                                   ("gc", self.volume, "--grace", "0s"),
                                                   ("tier", "warm", self.volume)]))

            pusher = threading.Thread(target=push)
            pusher.start()
            killer = threading.Timer(0.3 + self.random.random(), self.kill_daemon, [self.volume])
            killer.start()
            try:
                for i in range(10_000):
                    name = f"d{i % 3}/f{self.random.randrange(12)}"
                    sure = self.expected.get(name)
                    try:
                        self.write(name, self.random.choice([100, 20_000, 300_000, 5_000_000]))
                    except OSError:
                        # Any mixture of old and new: it goes from the ledger, and is made anew.
                        if sure is not None or name in self.expected:
                            self.expected.pop(name, None)
                        doubtful = name
                        break
                else:
                    self.fail("the daemon was never killed")
            finally:
                stop.set()
                killer.join()
                pusher.join()
            self.run_program("umount", "-l", self.mount_point)
            self.mount()
            (self.mount_point / doubtful).unlink(missing_ok=True)
            self.assert_tree()
        self.wait_until_drained()
        self.succeed("tier", "evict", self.volume)
        self.settle()

    def test_the_bucket_has_one_writer(self):
        self.make()
        self.write_tree()
        self.flush()
        other = self.folder / "other"
        self.succeed("restore", self.url, other)
        other_point = self.folder / "other-mnt"
        other_point.mkdir()
        self.mount(other, other_point)
        self.assert_tree(other_point)
        # The first one notices with its next change, goes on locally, and puts nothing there any more.
        self.write("late", 3 << 20)
        self.refuse("tier", "flush", self.volume, words=["taken over"])
        status = self.status()
        self.assertEqual(status["health"], "failing")
        self.assertTrue(any("taken over" in reason for reason in status["reasons"]), status["reasons"])
        self.assert_tree()
        self.refuse("gc", self.volume, words=["taken over"])
        self.expected.pop("late")
        self.assert_tree(other_point)

    def test_a_flush_right_after_the_mount_waits_for_the_bucket(self):
        self.make()
        for i in range(5):
            self.write(f"f{i}", 1000)
            self.umount()
            self.mount()
            self.flush()
            self.assertEqual(self.status()["reasons"], [])
        self.settle()

    def test_a_slow_start_of_the_bucket_does_not_keep_a_volume_from_being_mounted(self):
        self.make()
        self.write("f", 3 << 20)
        self.flush()
        self.umount()
        self.server.stop()
        try:
            began = time.monotonic()
            self.mount()
            self.assertLess(time.monotonic() - began, 10)
            self.assert_tree()
        finally:
            self.server.start()
        self.settle()


if __name__ == "__main__":
    unittest.main(verbosity=2)
