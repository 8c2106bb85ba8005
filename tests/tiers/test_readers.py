"""Machines that only read a volume that lives in a bucket, while another one writes it."""
import errno
import os
import time
import unittest

from bucket_volume import FOLLOW_S, BucketTest

SIZE = 8 << 20
PART = 1 << 20


class ReadersTest(BucketTest):
    def setUp(self):
        super().setUp()
        self.cache = self.folder / "reader cache"
        self.reader = self.folder / "reader"
        self.reader.mkdir()

    def begin(self, size):
        self.make()
        self.write("f", size)
        self.mount(self.cache, self.reader, "-o", "ro")

    def begin_held(self, size):
        self.begin(size)
        held = os.open(self.reader / "f", os.O_RDONLY)
        self.addCleanup(os.close, held)
        return held

    def expect_overtaken(self, held, offset, former):
        """What the kernel has of the version that was opened may come, or what it has of the one that there is now; else
        the file is to be opened again."""
        try:
            part = os.pread(held, 4096, offset)
        except OSError as error:
            self.assertEqual(error.errno, errno.ESTALE)
            return
        self.assertTrue(part in (former[offset:offset + 4096], self.expected["f"][offset:offset + 4096]), "another's bytes")

    def test_who_opens_it_gets_the_newest_whoever_else_has_it_open(self):
        held = self.begin_held(SIZE)
        former = self.expected["f"]
        self.assertEqual(os.pread(held, PART, 0), former[:PART])
        self.assertEqual(os.pread(held, PART, SIZE - PART), former[-PART:])
        for version in range(3):
            self.write("f", SIZE + version)
            self.expect_followed(self.cache, self.reader)  # opens it
            self.expect_followed(self.cache, self.reader)  # what the kernel has of it is the newest, too
            for offset in (0, SIZE // 2, SIZE - PART):
                self.expect_overtaken(held, offset, former)
        self.assertRaisesRegex(OSError, os.strerror(errno.ESTALE), self.read_uncached, held)
        again = os.open(self.reader / "f", os.O_RDONLY)
        self.assertEqual(self.read_uncached(again), self.expected["f"][:PART])
        os.close(again)

    def read_uncached(self, file):
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        return os.pread(file, PART, 0)

    def test_it_leaves_nothing_behind(self):
        self.begin(100)
        self.assertEqual(len(list((self.cache / "meta").iterdir())), 1)
        self.succeed("umount", self.reader)
        self.assertEqual(list((self.cache / "meta").iterdir()), [])

    def test_a_file_that_was_small_and_is_large(self):
        held = self.begin_held(100)
        former = self.expected["f"]
        self.write("f", SIZE)
        self.flush()
        time.sleep(FOLLOW_S + 1)
        self.expect_overtaken(held, 0, former)
        self.expect_overtaken(held, SIZE // 2, former)
        self.expect_followed(self.cache, self.reader)
        self.expect_overtaken(held, SIZE // 2, former)

    def test_a_file_that_was_large_and_is_small(self):
        held = self.begin_held(SIZE)
        former = self.expected["f"]
        self.assertEqual(os.pread(held, PART, 0), former[:PART])
        for size in (100, SIZE, 200):
            self.write("f", size)
            self.expect_followed(self.cache, self.reader)


if __name__ == "__main__":
    unittest.main(verbosity=2)
