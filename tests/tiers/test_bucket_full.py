"""A volume that lives in a bucket, on a machine whose disk fills below the cache: what is acknowledged is in the bucket, what is
not is refused, and reading goes on."""
import errno
import os
import shutil
import unittest

from bucket_volume import LONG_S, BucketTest


class BucketFull(BucketTest):
    def setUp(self):
        super().setUp()
        self.disk = self.small_disk(192)
        self.volume = self.disk / "cache"
        self.ballast = self.disk / "ballast"

    def fill_disk(self, leave=0):
        """To the last block, or `leave` bytes before, by somebody else."""
        with open(self.ballast, "ab", buffering=0) as file:
            for piece in (1 << 20, 4096, 1):
                data = os.urandom(piece)
                try:
                    while True:
                        file.write(data)
                except OSError as failure:
                    self.assertEqual(failure.errno, errno.ENOSPC)
        os.truncate(self.ballast, self.ballast.stat().st_size - leave)

    def write_or_be_refused(self, name, size):
        try:
            self.write(name, size)
            return True
        except OSError as failure:
            self.assertEqual(failure.errno, errno.ENOSPC, f"{name}: {failure}")
            self.doubtful.add(name)
            return False

    def remove_doubtful(self):
        for name in self.doubtful:
            (self.mount_point / name).unlink(missing_ok=True)
            self.expected.pop(name, None)
        self.flush()
        self.doubtful = set()

    def test_nothing_that_was_acknowledged_is_lost(self):
        self.doubtful = set()
        self.make()
        self.shorten_lease()
        for i in range(4):
            self.write(f"large{i}", self.random.randrange(3 << 20, 8 << 20))
        for i in range(30):
            self.write(f"small{i}", self.random.randrange(1, 40_000))
        self.lose_machine()  # nothing is in the cache
        for turn, leave in enumerate((0, 8 << 20, 12 << 20)):
            self.fill_disk(leave)
            refused = 0
            for i in range(40):
                size = self.random.choice([90, 5_000, 400_000, 3 << 20])
                refused += not self.write_or_be_refused(f"turn{turn}/f{i}", size)
            print(f"  {leave >> 20} MiB: {refused} of 40 refused", flush=True)
            self.assertGreater(refused, 0)
            for name in self.expected:
                if name not in self.doubtful:
                    self.assertEqual((self.mount_point / name).read_bytes(), self.expected[name], name)
            self.ballast.unlink()
            self.wait_until(lambda turn=turn: self.write_or_be_refused(f"after{turn}", 400_000),
                            lambda: f"no room: {self.status()}", patience_s=LONG_S)
            self.remove_doubtful()
            self.assert_tree()
            if turn == 1:
                self.lose_machine()
        self.lose_machine()
        self.assert_tree()
        self.settle()

    def test_a_mount_without_room_says_so(self):
        self.make()
        self.write("large", 3 << 20)
        self.umount()
        shutil.rmtree(self.volume)
        self.fill_disk()
        self.refuse("mount", self.url, self.mount_point, "--cache", self.volume, words=["No space left on device|full"])
        self.ballast.unlink()
        shutil.rmtree(self.volume, ignore_errors=True)
        self.mount()
        self.assert_tree()
        self.settle()


if __name__ == "__main__":
    unittest.main()
