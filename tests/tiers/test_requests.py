"""What work costs in requests, counted in front of the store: the limits of docs/benchmarks.md, with fewer files."""
import collections
import os
import time
import unittest

from proxied import ProxiedBucketTest, ProxiedTest

FILES = 3_000
IDLE_S, PATIENCE_S = 10, 60


class Counted:
    def cost(self, work):
        """Requests until nothing waits, by method; those for what files hold are "GET blob"."""
        made = collections.Counter()

        def count(method, path):
            made["GET blob" if method == "GET" and "/blob/" in path else method] += 1

        self.proxy.inject(count)
        work()
        self.flush()
        self.proxy.heal()
        return made

    def mount(self, *arguments):
        super().mount(*arguments)
        self.flush()  # how the metadata begins

    def assert_idles(self, at_most=1):
        """Once what the work left to do is done."""
        deadline = time.monotonic() + PATIENCE_S
        while (made := self.cost(lambda: time.sleep(IDLE_S))).total() > at_most:
            self.assertLess(time.monotonic(), deadline, made)

    def write_files(self, folder, size):
        (self.mount_point / folder).mkdir()
        for number in range(FILES):
            name = f"{folder}/f{number:05}"
            self.expected[name] = self.random.randbytes(size)
            (self.mount_point / name).write_bytes(self.expected[name])


class Tiers(Counted, ProxiedTest):
    def make(self):
        self.succeed("init", self.volume, "--tier", f"s3={self.url}")
        self.mount()

    def read(self, folder):
        for path in sorted((self.mount_point / folder).iterdir()):
            self.assertEqual(path.read_bytes(), self.expected[f"{folder}/{path.name}"], path)

    def test_small_files_go_and_come_together(self):
        self.make()
        for size, to_read in ((4_096, 0), (20_000, FILES // 50)):
            folder = f"of {size}"
            made = self.cost(lambda size=size, folder=folder: self.write_files(folder, size))
            self.assertLessEqual(made.total(), 20, made)
            self.succeed("tier", "evict", self.volume)
            made = self.cost(lambda folder=folder: self.read(folder))
            self.assertLessEqual(made["GET blob"], to_read, made)
        self.assert_idles()
        self.settle()

    def test_a_large_file_is_as_many_objects_as_it_needs(self):
        self.make()
        made = self.cost(lambda: self.write("large", 200 << 20))
        self.assertLessEqual(made["PUT"], 4 + 2, made)  # of 64 MiB, and of the metadata
        self.succeed("tier", "evict", self.volume)
        made = self.cost(self.assert_tree)
        self.assertLessEqual(made["GET blob"], 200 // 4 + 2, made)  # chunks of 4 MiB, each once
        self.settle()


class Bucket(Counted, ProxiedBucketTest):
    appends = 300

    def append(self):
        with open(self.mount_point / "log", "ab", buffering=0) as file:
            for _ in range(self.appends):
                data = self.random.randbytes(4096)
                file.write(data)
                os.fsync(file.fileno())
                self.expected["log"] = self.expected.get("log", b"") + data

    def test_an_fsync_is_one_put(self):
        self.succeed("init", self.url)
        self.mount()
        made = self.cost(self.append)
        self.assertGreaterEqual(made["PUT"], self.appends, made)
        self.assertLessEqual(made["PUT"], self.appends * 1.05, made)
        self.assert_idles()
        self.settle()


del ProxiedTest, ProxiedBucketTest
if __name__ == "__main__":
    unittest.main()
