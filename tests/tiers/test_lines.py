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


if __name__ == "__main__":
    unittest.main(verbosity=2)
