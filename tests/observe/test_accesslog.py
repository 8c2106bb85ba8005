"""The access log of a mount and of the other doors, and firn profile."""
import errno
import json
import os
import re
import select
import signal
import subprocess
import threading
import time
import unittest
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

from firn_cli import DEADLINE_S, FIRN, NOBODY, FirnTest, needs_root
from observed import ObservedTest

LINE = re.compile(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z door=fuse op=(?P<op>\w+) inode=(?P<inode>\d+)'
                  r'(?: (?:name|xattr)="(?P<name>(?:[^"\\]|\\.)*)")?(?: to=\d+)?(?: new_name="(?P<new>(?:[^"\\]|\\.)*)")?'
                  r'(?: offset=\d+ size=(?P<size>\d+) bytes=(?P<bytes>\d+))?'
                  r' uid=(?P<uid>\d+) gid=\d+ pid=(?P<pid>\d+) result=(?P<result>\w+) us=\d+\.\d+')


FIELD = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)')


def fields(line):
    return {name: value.strip('"') for name, value in FIELD.findall(line.partition(" ")[2])}


class LogReader:
    """Lines of an open access log, as they come."""

    def __init__(self, log):
        self.log = log

    def until(self, enough):
        """Those that tell of requests, until `enough` of them have come."""
        deadline = time.monotonic() + DEADLINE_S
        lines = []
        text = b""
        while not enough(lines):
            if time.monotonic() > deadline:
                raise AssertionError(lines)
            text += self.log.read(1 << 16)
            lines = text[:text.rfind(b"\n") + 1].decode().splitlines()
        return [line for line in lines if line != "#"]


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
        with open(self.log, "rb", buffering=0) as log:
            work()
            return LogReader(log).until(enough)

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
        self.assertEqual([one["door"] for one in sums["doors"]], ["fuse"])
        operations = {one["operation"]: one for one in sums["operations"]}
        self.assertGreater(operations["WRITE"]["count"], 0)
        self.assertEqual(operations["WRITE"]["bytes"], 1000 * operations["WRITE"]["count"])
        self.assertAlmostEqual(sum(one["share"] for one in sums["operations"]), 1, places=3)
        self.assertIn(os.getpid(), [one["pid"] for one in sums["processes"]])
        self.assertIn("WRITE", table)
        if os.geteuid() == 0:
            self.assertTrue(any("/folder" in one["path"] for one in sums["paths"]), sums["paths"])

    def test_profile_says_which_volume_is_wanted(self):
        self.refuse("profile", words=["which volume"], code=2)
        self.refuse("profile", self.folder, words=[str(self.folder)])


class DoorsTest(ObservedTest):
    """One log for what comes through all doors, with and without a mount."""

    def nfs_copy(self, source, target, uid=0, gid=0):
        port = self.nfs_port
        options = f"?version=3&nfsport={port}&mountport={port}&uid={uid}&gid={gid}"
        return self.run_program("nfs-cp", *(f"nfs://127.0.0.1/nfs/{name}{options}" if isinstance(name, str) else name
                                            for name in (source, target)))

    def use_nfs(self, name, **who):
        (self.folder / "local").write_bytes(b"n" * 7000)
        self.assertNotEqual(self.nfs_copy("none", self.folder / "got", **who).returncode, 0)
        done = self.nfs_copy(self.folder / "local", name, **who)
        self.assertEqual(done.returncode, 0, done.stderr)

    def use_http(self):
        self.ask("/v1/files/by%20http", "PUT", b"h" * 5000)
        with self.assertRaises(urllib.error.HTTPError):
            self.ask("/v1/files/none")
        self.ask("/v1/move?from=/by%20http&to=/moved", "POST")

    def check_http(self, told):
        by_op = {one["op"]: one for one in told if one["door"] == "http"}
        self.assertEqual((by_op["PUT:files"]["path"], by_op["PUT:files"]["bytes"], by_op["PUT:files"]["result"]),
                         ("/by http", "5000", "OK"))
        self.assertEqual((by_op["GET:files"]["path"], by_op["GET:files"]["result"]), ("/none", "404"))
        self.assertEqual((by_op["POST:move"]["path"], by_op["POST:move"]["new_path"]), ("/by http", "/moved"))
        for one in by_op.values():
            self.assertEqual((one["client"], one["uid"]), ("127.0.0.1", str(os.geteuid())))
            self.assertGreater(float(one["us"]), 0)

    def check_nfs(self, told):
        calls = [one for one in told if one["door"] == "nfs"]
        by_op = {one["op"]: one for one in calls}
        self.assertEqual((by_op["create"]["name"], by_op["create"]["result"]), ("by-nfs", "OK"))
        self.assertEqual(sum(int(one["bytes"]) for one in calls if one["op"] == "write"), 7000)
        self.assertEqual((by_op["write"]["uid"], by_op["write"]["gid"], by_op["write"]["client"]),
                         ("1001", "1002", "127.0.0.1"))
        self.assertIn("NFS3ERR_NOENT", [one["result"] for one in calls if one["op"] == "lookup"])

    def test_the_log_tells_which_door(self):
        self.make()
        self.ask("/v1/mkdir?path=/nfs&mode=777", "POST")
        with open(self.mount_point / ".firn" / "accesslog", "rb", buffering=0) as log:
            (self.mount_point / "by-fuse").mkdir()
            self.use_http()
            self.use_nfs("by-nfs", uid=1001, gid=1002)
            told = [fields(line) for line in
                    LogReader(log).until(lambda lines: any("op=write " in line for line in lines))]
        self.assertIn(("fuse", "MKDIR", "by-fuse"), [(one["door"], one["op"], one.get("name")) for one in told])
        self.check_http(told)
        self.check_nfs(told)

    def serve_without_mount(self):
        self.init()
        self.setting("http", 'listen = ["127.0.0.1:0"]')
        self.setting("nfs", 'address = "127.0.0.1:0"', 'exports = ["/ *(rw,no_root_squash,insecure)"]')
        # pylint: disable-next=consider-using-with
        self.daemon = subprocess.Popen([FIRN, "serve", self.volume], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(self.daemon.wait)
        self.addCleanup(self.daemon.stdout.close)
        self.addCleanup(self.daemon.send_signal, signal.SIGTERM)
        ready, _, _ = select.select([self.daemon.stdout], [], [], DEADLINE_S)
        self.assertTrue(ready and self.daemon.stdout.readline().startswith("serving"))
        status = self.status()
        self.url = status["http"][0]
        self.nfs_port = status["nfs"].rpartition(":")[2]

    def test_it_is_served_where_nothing_is_mounted(self):
        self.serve_without_mount()
        with urllib.request.urlopen(self.url + "/v1/admin/accesslog?seconds=3", timeout=DEADLINE_S) as log:
            self.assertEqual(log.headers["Content-Type"], "text/plain; charset=utf-8")
            self.use_http()
            told = [fields(line) for line in log.read().decode().splitlines() if line != "#"]
        self.check_http(told)
        self.assertNotIn("GET:admin/accesslog", [one["op"] for one in told])
        for bad in ("0", "601", "x"):
            with self.assertRaises(urllib.error.HTTPError) as refused:
                self.ask("/v1/admin/accesslog?seconds=" + bad)
            self.assertEqual(refused.exception.code, 400)
        if os.geteuid() == 0:
            token = self.succeed("token", "create", self.volume, "--read-only").strip()
            request = urllib.request.Request(self.url + "/v1/admin/accesslog",
                                             headers={"Authorization": "Bearer " + token})
            with self.assertRaises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(request, timeout=DEADLINE_S)
            self.assertEqual(refused.exception.code, 403)

    def test_profile_sums_up_by_door(self):
        self.serve_without_mount()
        self.ask("/v1/mkdir?path=/nfs", "POST")
        names = (f"by-nfs{i}" for i in range(1_000_000))

        def work():
            self.ask("/v1/files/by-http", "PUT", b"h" * 5000)
            self.use_nfs(next(names))

        with self.meanwhile(work), ThreadPoolExecutor() as pool:
            both, only_nfs, table = pool.map(lambda words: self.succeed("profile", *words), (
                (self.volume, "--seconds", "2", "--json"), (self.volume, "--seconds", "2", "--door", "nfs", "--json"),
                ("--url", self.url, "--seconds", "2")))
        sums = json.loads(both)
        self.assertEqual({one["door"] for one in sums["doors"]}, {"http", "nfs"})
        put = {(one["door"], one["operation"]): one for one in sums["operations"]}["http", "PUT:files"]
        self.assertGreater(put["count"], 0)
        self.assertEqual(put["bytes"], 5000 * put["count"])
        self.assertIn("/by-http", [one["path"] for one in sums["paths"]])
        self.assertEqual([one["client"] for one in sums["clients"]], ["127.0.0.1"])
        self.assertEqual({one["door"] for one in json.loads(only_nfs)["operations"]}, {"nfs"})
        for words in ("http PUT:files", "nfs create", "clients", "127.0.0.1"):
            self.assertIn(words, table)


if __name__ == "__main__":
    unittest.main()
