"""The access log of a mount, and firn profile."""
import errno
import json
import os
import re
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

from firn_cli import DEADLINE_S, NOBODY, FirnTest, needs_root

LINE = re.compile(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z door=fuse op=(?P<op>\w+) inode=(?P<inode>\d+)'
                  r'(?: (?:name|xattr)="(?P<name>(?:[^"\\]|\\.)*)")?(?: to=\d+)?(?: new_name="(?P<new>(?:[^"\\]|\\.)*)")?'
                  r'(?: offset=\d+ size=(?P<size>\d+) bytes=(?P<bytes>\d+))?'
                  r' uid=(?P<uid>\d+) gid=\d+ pid=(?P<pid>\d+) result=(?P<result>\w+) us=\d+\.\d+')


class AccessLogTest(FirnTest):
    def setUp(self):
        super().setUp()
        self.init()
        self.mounted.append((self.volume, self.mount_point))
        # What the kernel writes by itself is not in the log.
        mounted = self.firn("mount", self.volume, self.mount_point, "-o", "passthrough=off")
        if mounted.returncode != 0:
            self.tearDown()
            self.fail(mounted.stderr)
        self.log = self.mount_point / ".firn" / "accesslog"

    def logged(self, work, enough):
        """The lines of what `work` does, until `enough` of them have come."""
        lines = []
        with open(self.log, "rb", buffering=0) as log:
            work()
            deadline = time.monotonic() + DEADLINE_S
            text = b""
            while not enough(lines):
                self.assertLess(time.monotonic(), deadline, lines)
                text += log.read(1 << 16)
                lines = text[:text.rfind(b"\n") + 1].decode().splitlines()
        return [line for line in lines if line != "#"]

    def test_a_line_for_each_operation(self):
        name = 'a "quoted"\nname'

        def work():
            (self.mount_point / name).write_bytes(b"x" * 100)
            with self.assertRaises(OSError):
                os.getxattr(self.mount_point / name, "user.none")
            os.rename(self.mount_point / name, self.mount_point / "new")

        lines = self.logged(work, lambda lines: any("op=RENAME" in line for line in lines))
        told = [LINE.fullmatch(line) for line in lines]
        self.assertNotIn(None, told, lines)
        by_op = {one["op"]: one for one in told}
        self.assertEqual(by_op["CREATE"]["name"], 'a \\"quoted\\"\\x0aname')
        self.assertEqual((by_op["WRITE"]["size"], by_op["WRITE"]["bytes"]), ("100", "100"))
        self.assertEqual(by_op["GETXATTR"]["result"], "ENODATA")
        rename = by_op.get("RENAME") or by_op["RENAME2"]
        self.assertEqual((rename["new"], rename["result"]), ("new", "OK"))
        self.assertEqual({int(one["pid"]) for one in told if one["op"] == "GETXATTR"} - {os.getpid()}, set())

    def test_it_is_hidden_and_reserved(self):
        (self.mount_point / "folder").mkdir()
        self.assertEqual(os.listdir(self.mount_point), ["folder"])
        self.assertEqual(os.listdir(self.mount_point / ".firn"), ["accesslog"])
        for reserved, code in ((lambda: (self.mount_point / ".firn").mkdir(), errno.EEXIST),
                               (lambda: os.rename(self.mount_point / "folder", self.mount_point / ".firn"), errno.EPERM),
                               (lambda: os.rmdir(self.mount_point / ".firn"), errno.EPERM),
                               (lambda: os.unlink(self.log), errno.EPERM),
                               (lambda: (self.mount_point / ".firn" / "x").touch(), errno.EPERM),
                               (lambda: (self.mount_point / ".firn" / "x").stat(), errno.ENOENT)):
            with self.assertRaises(OSError) as refused:
                reserved()
            self.assertEqual(refused.exception.errno, code)
        # Elsewhere the name is like any other.
        (self.mount_point / "folder" / ".firn").mkdir()
        self.umount()
        self.succeed("fsck", self.volume)

    @needs_root
    def test_others_may_not_read_it(self):
        done = self.run_program("cat", self.log, user=NOBODY, group=NOBODY, extra_groups=[])
        self.assertEqual(done.returncode, 1)
        self.assertIn("Permission denied", done.stderr)

    def test_a_reader_that_is_too_slow_is_told(self):
        (self.mount_point / "file").touch()

        def work():
            for _ in range(12_000):
                try:
                    os.getxattr(self.mount_point / "file", "user.none")
                except OSError:
                    pass

        lines = self.logged(work, lambda lines: any(line.startswith("# dropped ") for line in lines))
        dropped = sum(int(line.split()[2]) for line in lines if line.startswith("# dropped "))
        told = sum("op=GETXATTR" in line for line in lines)
        self.assertGreater(told, 1000)
        self.assertEqual(dropped + told, 12_000)

    def test_it_can_be_interrupted_and_unmounted(self):
        reader = threading.Thread(target=lambda: self.run_program("timeout", "-s", "INT", "0.3", "cat", self.log))
        begin = time.monotonic()
        reader.start()
        reader.join()
        self.assertLess(time.monotonic() - begin, 5)
        self.umount()

    def test_profile_sums_up(self):
        (self.mount_point / "folder").mkdir()

        def work():
            for i in range(20):
                (self.mount_point / "folder" / f"file{i}").write_bytes(b"x" * 1000)
            time.sleep(0.02)

        with self.meanwhile(work), ThreadPoolExecutor() as pool:
            json_lines, table = pool.map(lambda words: self.succeed("profile", *words), (
                (self.mount_point, "--seconds", "2", "--interval", "1", "--json"), (self.volume, "--seconds", "1")))
        lines = json_lines.splitlines()
        self.assertEqual(len(lines), 2)
        sums = json.loads(lines[-1])
        operations = {one["operation"]: one for one in sums["operations"]}
        self.assertGreater(operations["WRITE"]["count"], 0)
        self.assertEqual(operations["WRITE"]["bytes"], 1000 * operations["WRITE"]["count"])
        self.assertAlmostEqual(sum(one["share"] for one in sums["operations"]), 1, places=3)
        self.assertIn(os.getpid(), [one["pid"] for one in sums["processes"]])
        self.assertIn("WRITE", table)
        if os.geteuid() == 0:
            self.assertTrue(any("/folder" in one["path"] for one in sums["paths"]), sums["paths"])

    def test_profile_of_nothing_mounted(self):
        self.refuse("profile", self.folder, words=["no firn volume"])


if __name__ == "__main__":
    unittest.main()
