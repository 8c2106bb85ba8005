"""Lines that are slow, and a near tier that hangs: things are late, and nothing fails."""
import os
import signal
import subprocess
import time
import unittest

from firn_cli import DEADLINE_S, FIRN
from slow_line import SlowLine
from tiered import TieredTest

MEBIBYTE = 1 << 20
SLOW_BYTES_PER_S = 110_000  # about a Mbit/s


class SlowLines(TieredTest):
    def setUp(self):
        super().setUp()
        self.line = SlowLine(self.server.port)
        self.addCleanup(self.line.stop)
        self.environment = {**self.environment, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.line.port}"}

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
