"""Lines that are slow, and a near tier that hangs: things are late, and nothing fails."""
import os
import signal
import subprocess
import time
import unittest

from bucket_volume import BucketTest
from firn_cli import DEADLINE_S, FIRN
from slow_line import SlowLine
from tiered import TieredTest

MEBIBYTE = 1 << 20
LEASE_S = 5  # tiers.lease
SLOW_BYTES_PER_S = 110_000  # about a Mbit/s


class SlowLineTest(TieredTest):
    def setUp(self):
        super().setUp()
        self.line = SlowLine(self.server.port)
        self.addCleanup(self.line.stop)
        self.environment = {**self.environment, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.line.port}"}


class SlowLines(SlowLineTest):
    def got_bytes(self):
        return {store["name"]: store["got_bytes"] for store in self.status()["tiers"]["stores"]}

    def test_a_chunk_of_forty_seconds_arrives_in_one_piece_either_way(self):
        self.succeed("init", self.volume, "--tier", f"s3={self.url}")
        self.mount()
        self.write("cold", 4 * MEBIBYTE)
        self.flush()
        self.succeed("tier", "evict", self.volume)
        self.write("fresh", 4 * MEBIBYTE)
        sent, fetched = self.line.up.carried, self.line.down.carried
        self.line.set_rate(SLOW_BYTES_PER_S)
        try:
            flush = subprocess.Popen([FIRN, "tier", "flush", self.volume], env=self.environment, text=True,
                                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.addCleanup(flush.kill)
            self.assertEqual((self.mount_point / "cold").read_bytes(), self.expected["cold"])
            said, _ = flush.communicate(timeout=3 * DEADLINE_S)
            self.assertEqual(flush.returncode, 0, said)
        finally:
            self.line.set_rate(None)
        for name, carried in (("up", self.line.up.carried - sent), ("down", self.line.down.carried - fetched)):
            self.assertGreater(carried, 4 * MEBIBYTE, name)
            self.assertLess(carried, 5 * MEBIBYTE, f"{name}: something went twice")
        self.assertEqual(self.status()["tiers"]["pending_files"], 0)
        self.settle()

    def test_a_near_tier_that_is_slow_is_read_from_alone(self):
        """The near one is the bucket here, and a folder stands for one that costs money."""
        self.succeed("init", self.volume, "--tier", f"near={self.url}", "--tier", f"far={self.nas}")
        self.mount()
        for i in range(4):
            self.write(f"cold{i}", 4 * MEBIBYTE)
        self.flush()
        self.succeed("tier", "evict", self.volume)
        before = self.got_bytes()
        self.line.set_rate(8 * SLOW_BYTES_PER_S)  # together they take twenty seconds
        try:
            reads = [subprocess.Popen(["cat", self.mount_point / f"cold{i}"], stdout=subprocess.DEVNULL) for i in range(4)]
            for read in reads:
                self.addCleanup(read.wait)
                self.addCleanup(read.kill)
            for read in reads:
                self.assertEqual(read.wait(timeout=2 * DEADLINE_S), 0)
        finally:
            self.line.set_rate(None)
        got = {name: count - before[name] for name, count in self.got_bytes().items()}
        self.assertGreaterEqual(got["near"], 16 * MEBIBYTE)
        self.assertLess(got["far"], MEBIBYTE, "the next tier was asked for content, too")
        self.settle()

    def test_a_bucket_that_is_late_keeps_nothing_from_the_near_tier(self):
        """For a minute and a half both are waited for; then the bucket gets the rest beside what else there is."""
        self.make()
        self.write("first", MEBIBYTE)
        self.flush()
        self.line.set_rate(SLOW_BYTES_PER_S // 4)
        self.write("large", 6 * MEBIBYTE)  # four minutes of such a line
        flush = subprocess.Popen([FIRN, "tier", "flush", self.volume], env=self.environment, text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.addCleanup(flush.kill)
        try:
            self.wait_until(lambda: self.in_tiers("large") == 1 + 2, "what the near tier has does not count", patience_s=120)
            begin = time.monotonic()
            self.write("second", MEBIBYTE)
            self.wait_until(lambda: self.in_tiers("second") == 1 + 2, "others wait for the bucket", patience_s=60)
            self.assertIsNone(flush.poll(), "the bucket has not got it yet")
            self.assertLess(time.monotonic() - begin, 60)
        finally:
            self.line.set_rate(None)
        said, _ = flush.communicate(timeout=DEADLINE_S)
        self.assertEqual(flush.returncode, 0, said)
        self.assertEqual(self.in_tiers("large"), 1 + 2 + 4)
        self.settle()

    def in_tiers(self, name):
        return int(os.getxattr(self.mount_point / name, "user.firn.tiers"))


class SlowBucket(SlowLineTest, BucketTest):
    def test_what_is_small_does_not_wait_for_the_only_request_that_there_may_be(self):
        self.make()
        self.write("small", 1_000)
        self.umount()
        settings = self.volume / "firn.toml"
        settings.write_text(settings.read_text().replace("#requests = 64", "requests = 1"))
        self.assertIn("\nrequests = 1\n", settings.read_text())
        self.mount()
        self.expected["large"] = self.random.randbytes(16 * MEBIBYTE)
        (self.mount_point / "large").write_bytes(self.expected["large"])
        sent = self.line.up.carried
        self.line.set_rate(SLOW_BYTES_PER_S)  # it takes two minutes and a half
        try:
            flush = subprocess.Popen([FIRN, "tier", "flush", self.volume], env=self.environment,
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.addCleanup(flush.wait)
            self.addCleanup(flush.kill)
            self.wait_until(lambda: self.line.up.carried > sent + MEBIBYTE, "the upload does not begin")
            for _ in range(2):  # each is an object of the log
                thread, outcome = self.fsync_elsewhere("small")
                thread.join(DEADLINE_S)
                self.assertFalse(thread.is_alive(), "fsync waits for the upload")
                self.assertIsNone(outcome["error"])
                self.expected["small"] += b"more"
            time.sleep(2 * LEASE_S)
            self.assertEqual(self.run_program("stat", self.mount_point / "small").returncode, 0)  # asks for the lease
            self.assertIsNone(flush.poll(), "the upload is what all this went past")
        finally:
            self.line.set_rate(None)
        self.assertNotIn("requests wait", (self.volume / "firn.log").read_text())
        self.settle()


class NearTierHangs(TieredTest):
    """The near tier is a folder in another volume, whose daemon is stopped."""

    def setUp(self):
        super().setUp()
        self.server_volume, share = self.folder / "server", self.folder / "share"
        share.mkdir()
        self.nas = share / "nas"
        self.succeed("init", self.server_volume)
        self.mount(self.server_volume, share)
        self.share = share

    def signal_server(self, number):
        os.kill(self.daemon_pid(self.server_volume), number)

    def blob_count(self):
        return len(self.blobs())

    def test_reads_come_from_the_next_tier_and_uploads_go_there(self):
        self.make()
        for i in range(5):
            self.write(f"cold{i}", 3 * MEBIBYTE)
        self.flush()
        self.succeed("tier", "evict", self.volume)
        before = self.blob_count()
        self.signal_server(signal.SIGSTOP)
        try:
            begin = time.monotonic()
            for i in range(5):
                self.assertEqual((self.mount_point / f"cold{i}").read_bytes(), self.expected[f"cold{i}"])
            self.assertLess(time.monotonic() - begin, DEADLINE_S, "each chunk waits for the tier that hangs")
            self.write("fresh", 3 * MEBIBYTE)
            flush = subprocess.Popen([FIRN, "tier", "flush", self.volume], env=self.environment,
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.addCleanup(flush.wait)
            self.addCleanup(flush.kill)
            self.wait_until(lambda: self.blob_count() > before, "the bucket gets nothing")
        finally:
            self.signal_server(signal.SIGCONT)
        self.wait_until_drained()
        self.settle()
        self.umount(self.share)


if __name__ == "__main__":
    unittest.main(verbosity=2)
