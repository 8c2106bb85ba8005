"""firn get, put -r, du and find: through the volume's socket, and with --url."""
import json
import os
import signal
import stat
import subprocess
import unittest

from firn_cli import DEADLINE_S, FIRN, FirnTest
from relay import Relay
from served import ServedTest, attributes

NAMES = ("plain", "with space", "grüße", os.fsdecode(b"caf\xe9"), "new\nline", "%41?#")


def make_tree(root):
    """Kinds of files, names, permissions and times."""
    (root / "folder" / "deep").mkdir(parents=True)
    (root / "empty").mkdir()
    for index, name in enumerate(NAMES):
        (root / "folder" / name).write_bytes(os.urandom(1000 * index))
    large = root / "folder" / "deep" / "large"
    large.write_bytes(os.urandom(3_000_000))
    large.chmod(0o640)
    (root / "link").symlink_to("folder/plain")
    (root / "dangling").symlink_to("/nowhere/at all")
    for number, path in enumerate(sorted(root.rglob("*"))):
        time_ns = (1_000_000_000 + number) * 1_000_000_000 + 123_456_789
        os.utime(path, ns=(time_ns, time_ns), follow_symlinks=False)
    (root / "empty").chmod(0o555)
    os.utime(root / "empty", ns=(5_000_000_000, 5_000_000_000))
    root.chmod(0o750)
    return root


def content_of(path, info):
    if stat.S_ISLNK(info.st_mode):
        return os.readlink(path)
    return path.read_bytes() if stat.S_ISREG(info.st_mode) else None


def snapshot(root):
    found = {}
    for path in [root, *root.rglob("*")]:
        info = path.lstat()
        found[str(path.relative_to(root))] = (oct(info.st_mode), info.st_mtime_ns, content_of(path, info))
    return found


class SlowLine(Relay):
    """Passes on connections, and of each answer only so many bytes (or of what each client sends); then it hangs."""

    def __init__(self, port, limit, sending=False):
        self.limit, self.sending = limit, sending
        super().__init__(port)

    def pass_on(self, source, sink, to_server):
        left = self.limit if to_server == self.sending else 1 << 40
        while left > 0 and (data := source.recv(min(self.PIECE, left))):
            left -= len(data)
            sink.sendall(data)


class TransferTest(ServedTest):
    def setUp(self):
        super().setUp()
        self.init()
        self.serve()
        self.url = ("--url", f"http://127.0.0.1:{self.port}")
        self.here = f"{self.volume}:"
        self.ways = ((self.here, ()), ("", self.url))

    def done(self, *arguments):
        return json.loads(self.succeed(*arguments, "--json"))


class Trees(TransferTest):
    def test_there_and_back(self):
        tree = make_tree(self.folder / "tree")
        before = snapshot(tree)
        for number, (prefix, options) in enumerate(self.ways):
            with self.subTest(options):
                put = self.done("put", "-r", tree, f"{prefix}/copy{number}", *options)
                self.assertEqual((put["files"], put["left_out"]), (len(NAMES) + 3, 0))
                back = self.folder / f"back{number}"
                get = self.done("get", "-r", f"{prefix}/copy{number}", back, *options)
                self.assertEqual((get["files"], get["bytes"]), (put["files"], put["bytes"]))
                self.assertEqual(snapshot(back), before)

    def test_existing_folders_take_what_comes_under_its_name(self):
        tree = make_tree(self.folder / "tree")
        self.succeed("mkdir", self.here + "/into")
        self.succeed("put", "-r", tree, tree / "folder" / "plain", self.here + "/into")
        out = self.folder / "out"
        out.mkdir()
        self.succeed("get", "-r", self.here + "/into/tree", self.here + "/into/plain", out)
        self.assertEqual(snapshot(out / "tree"), snapshot(tree))
        self.assertEqual(sorted(path.name for path in out.iterdir()), ["plain", "tree"])
        self.refuse("get", "-r", self.here + "/", out, words=["-T"])
        self.succeed("get", "-r", "-T", self.here + "/into/tree", out / "tree")
        self.assertEqual(snapshot(out / "tree"), snapshot(tree))

    def test_update_leaves_what_is_there(self):
        tree = make_tree(self.folder / "tree")
        files = len(NAMES) + 1
        out = self.folder / "out"
        for _ in range(2):
            self.succeed("put", "-r", "-u", "-T", tree, self.here + "/tree")
            self.succeed("get", "-r", "-u", "-T", self.here + "/tree", out)
        (tree / "folder" / "plain").write_text("changed")
        (tree / "link").unlink()
        (tree / "link").symlink_to("elsewhere")
        put = self.done("put", "-r", "-u", "-T", tree, self.here + "/tree")
        get = self.done("get", "-r", "-u", "-T", self.here + "/tree", out)
        for counts in (put, get):
            self.assertEqual((counts["unchanged"], counts["bytes"]), (files - 1, len("changed")))
        self.assertEqual(snapshot(out), snapshot(tree))

    def test_what_cannot_be_copied_is_said_and_left_out(self):
        tree = self.folder / "tree"
        tree.mkdir()
        (tree / "file").write_text("it")
        os.mkfifo(tree / "pipe")
        self.refuse("put", "-r", tree, self.here + "/tree", words=["tree/pipe", "left out"])
        self.assertEqual(self.succeed("cat", self.here + "/tree/file"), "it")

    def test_refusals_name_the_file_and_the_reason(self):
        out = self.folder / "out"
        (out / "file").mkdir(parents=True)
        self.succeed("put", FIRN.parent / FIRN.name, self.here + "/file")
        self.succeed("mkdir", self.here + "/folder")
        for prefix, options in self.ways:
            with self.subTest(options):
                self.refuse("get", prefix + "/none", out, *options, words=["/none", "not found|no such"])
                self.refuse("get", prefix + "/folder", out, *options, words=["/folder", "-r"])
                self.refuse("get", prefix + "/file", out, *options, words=["out/file", "folder"])
                self.refuse("get", prefix + "/file", self.folder / "no" / "file", *options, words=["no/", "no such"])
                self.refuse("get", prefix + "/file", prefix + "/file", self.folder / "x", *options, words=["no folder"])
                self.refuse("get", prefix + "/file", *options, words=["TARGET"], code=2)
                self.refuse("put", "-r", out, prefix + "/file", *options, words=["/file", "exists|not a dir"])
                self.refuse("put", out, prefix + "/", *options, words=["out", "-r"])
                self.refuse("put", self.folder / "none", prefix + "/", *options, words=["none", "no such"])
        self.assertEqual(sorted(path.name for path in out.iterdir()), ["file"])


class Interrupted(TransferTest):
    def setUp(self):
        super().setUp()
        self.source = self.folder / "source"
        self.source.write_bytes(os.urandom(6_000_000))
        self.succeed("put", self.source, self.here + "/large")
        self.out = self.folder / "out"
        self.part = self.folder / ".out.firn-part"

    def kill_in_the_middle(self):
        line = SlowLine(self.port, 4_000_000)
        try:
            process = subprocess.Popen([FIRN, "get", "/large", self.out, "--url", f"http://127.0.0.1:{line.port}"])
            try:
                self.wait_until(lambda: self.part.exists() and self.part.stat().st_size > 3_000_000)
                self.refuse("get", self.here + "/large", self.out, words=["out", "another process"])
            finally:
                process.send_signal(signal.SIGKILL)
                process.wait(DEADLINE_S)
        finally:
            line.close()
        self.assertFalse(self.out.exists())

    def test_goes_on_where_it_was(self):
        for prefix, options in self.ways:
            with self.subTest(options):
                self.kill_in_the_middle()
                done = self.done("get", prefix + "/large", self.out, *options)
                self.assertGreater(done["resumed_bytes"], 2_900_000)
                self.assertEqual(done["resumed_bytes"] + done["bytes"], 6_000_000)
                self.assertEqual(self.out.read_bytes(), self.source.read_bytes())
                self.assertFalse(self.part.exists())
                self.assertEqual(os.listxattr(self.out), [])
                self.out.unlink()

    def test_a_file_that_changed_meanwhile_comes_whole(self):
        self.kill_in_the_middle()
        self.source.write_bytes(os.urandom(5_000_000))
        self.succeed("put", self.source, self.here + "/large")
        done = self.done("get", self.here + "/large", self.out)
        self.assertEqual((done["resumed_bytes"], done["bytes"]), (0, 5_000_000))
        self.assertEqual(self.out.read_bytes(), self.source.read_bytes())

    def test_an_old_file_stays_until_the_new_one_is_there(self):
        self.out.write_text("old")
        line = SlowLine(self.port, 1_000_000)
        process = subprocess.Popen([FIRN, "get", "/large", self.out, "--url", f"http://127.0.0.1:{line.port}"],
                                   stderr=subprocess.PIPE)
        try:
            self.wait_until(lambda: self.part.exists() and self.part.stat().st_size > 500_000)
            self.assertEqual(self.out.read_text(), "old")
        finally:
            process.kill()
            process.communicate(timeout=DEADLINE_S)
            line.close()
        self.succeed("get", self.here + "/large", self.out)
        self.assertEqual(self.out.read_bytes(), self.source.read_bytes())


    def test_a_connection_that_ends_early_is_a_failure_and_no_file(self):
        line = SlowLine(self.port, 2_000_000)
        process = subprocess.Popen([FIRN, "get", "/large", self.out, "--url", f"http://127.0.0.1:{line.port}"],
                                   stderr=subprocess.PIPE, text=True)
        try:
            self.wait_until(lambda: self.part.exists() and self.part.stat().st_size > 1_000_000)
        finally:
            line.close()
            said = process.communicate(timeout=DEADLINE_S)[1]
        self.assertEqual(process.returncode, 1)
        self.assertRegex(said, r"^firn: get: /large: .*\n$")
        self.assertFalse(self.out.exists())
        self.assertGreater(self.done("get", self.here + "/large", self.out)["resumed_bytes"], 900_000)


class InterruptedPut(TransferTest):
    SIZE, PART = 150 << 20, 64 << 20

    def setUp(self):
        super().setUp()
        self.source = self.folder / "source"
        self.write_source()
        old = self.folder / "old"
        old.write_text("old")
        self.succeed("put", old, self.here + "/large")

    def write_source(self):
        self.source.write_bytes(os.urandom(1 << 20) * (self.SIZE >> 20))
        with open(self.source, "r+b") as file:
            for offset in range(0, self.SIZE, 1 << 20):
                file.seek(offset)
                file.write(os.urandom(16))
        self.source.chmod(0o640)

    def names(self):
        return self.succeed("ls", self.here + "/").split()

    def kill_in_the_middle(self, sent=100 << 20):
        line = SlowLine(self.port, sent, sending=True)
        process = subprocess.Popen([FIRN, "put", "-r", self.source, "/large", "--url", f"http://127.0.0.1:{line.port}"])
        try:
            part = self.here + "/.large.firn-part"

            def arrived():
                done = self.firn("stat", "--json", part)
                return done.returncode == 0 and json.loads(done.stdout)["size"] > sent - (1 << 20)
            self.wait_until(arrived)
            self.assertEqual(self.succeed("cat", self.here + "/large"), "old")
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(DEADLINE_S)
            line.close()

    def assert_there(self):
        out = self.folder / "out"
        self.succeed("get", self.here + "/large", out)
        self.assertEqual(out.read_bytes(), self.source.read_bytes())
        self.assertEqual(self.names(), ["large"])
        reply = self.ask("GET", attributes("/large")).json()
        self.assertEqual((reply["xattrs"], reply["mode"]), ({}, "0640"))
        out.unlink()

    def test_goes_on_also_after_the_daemon_was_killed(self):
        self.kill_in_the_middle()
        self.daemons[0].kill()
        self.daemons[0].wait(DEADLINE_S)
        self.stop(self.daemons[0])
        self.serve()
        done = self.done("put", "-r", self.source, self.here + "/large")
        self.assertEqual((done["resumed_bytes"], done["bytes"]), (self.PART, self.SIZE - self.PART))
        self.assert_there()
        out = self.folder / "out"
        self.succeed("get", self.here + "/large", out)
        self.assertEqual(out.stat().st_mtime_ns, self.source.stat().st_mtime_ns)

    def test_a_source_that_changed_meanwhile_is_sent_whole(self):
        self.kill_in_the_middle()
        self.write_source()
        done = self.done("put", "-r", self.source, "/large", "--url", f"http://127.0.0.1:{self.port}")
        self.assertEqual((done["resumed_bytes"], done["bytes"]), (0, self.SIZE))
        self.assert_there()

    def test_two_at_once_are_one_or_the_other(self):
        other = self.folder / "other"
        other.write_bytes(os.urandom(1 << 20) * 100)
        processes = [subprocess.Popen([FIRN, "put", "-r", source, self.here + "/large"], stderr=subprocess.PIPE)
                     for source in (self.source, other, self.source)]
        for process in processes:
            self.assertEqual((process.communicate(timeout=DEADLINE_S)[1], process.returncode), (b"", 0))
        out = self.folder / "out"
        self.succeed("get", self.here + "/large", out)
        self.assertIn(out.read_bytes(), (self.source.read_bytes(), other.read_bytes()))
        self.succeed("put", "-r", self.source, self.here + "/large")
        self.assert_there()


class Looking(TransferTest):
    def setUp(self):
        super().setUp()
        tree = self.folder / "tree"
        (tree / "a" / "b").mkdir(parents=True)
        (tree / "a" / "b" / "three").write_bytes(bytes(3_000_000))
        (tree / "a" / "one.txt").write_bytes(bytes(1000))
        (tree / os.fsdecode(b"caf\xe9.txt")).write_bytes(bytes(10))
        os.utime(tree / "a" / "one.txt", (1000, 1000))
        (tree / "link").symlink_to("a")
        self.succeed("put", "-r", tree, self.here + "/tree")
        linked = self.ask("POST", "/v1/link?from=/tree/a/b/three&to=/tree/z-linked")
        self.assertEqual(linked.status, 201)

    def both(self, *arguments):
        """What the command prints of /tree, without what the two ways differ by."""
        said = [self.succeed(*arguments, prefix + "/tree", *options).replace(str(self.here), "")
                for prefix, options in self.ways]
        self.assertEqual(said[0], said[1])
        return said[0]

    def test_du(self):
        lines = [json.loads(line) for line in self.both("du", "--json").splitlines()]
        sums = {line["path"]: (line["bytes"], line["files"]) for line in lines}
        self.assertEqual(sums, {"/tree/a/b": (3_000_000, 1), "/tree/a": (3_001_000, 2), "/tree": (3_001_011, 5)})
        self.assertEqual(lines[-1]["path"], "/tree")
        self.assertRegex(self.both("du", "-s"), r"^ *2\.86 MiB +5 /tree\n$")
        self.assertEqual(len(self.both("du").splitlines()), 3)
        self.assertEqual(json.loads(self.succeed("du", "--json", "-s", self.volume))["files"], 5)
        self.assertEqual(json.loads(self.succeed("du", "--json", self.here + "/tree/a/one.txt"))["bytes"], 1000)
        self.refuse("du", self.here + "/none", words=["/none", "not found"])

    def test_find(self):
        self.assertEqual(self.both("find", "--type", "d").split(), ["/tree", "/tree/a", "/tree/a/b"])
        self.assertEqual(self.both("find", "--type", "l").split(), ["/tree/link"])
        self.assertEqual(self.both("find", "--name", "*.txt", "--size", "+100").split(), ["/tree/a/one.txt"])
        self.assertEqual(self.both("find", "--size", "+2M").split(), ["/tree/a/b/three", "/tree/z-linked"])
        self.assertEqual(self.both("find", "--size", "-1K").count("\n"), 2)
        self.assertNotIn("one.txt", self.both("find", "--newer", "2h"))
        self.assertIn("three", self.both("find", "--newer", "1d"))
        for wrong in (("--size", "1M"), ("--size", "+x"), ("--newer", "soon"), ("--type", "x")):
            self.refuse("find", self.here + "/", *wrong, words=[wrong[0]], code=2)

    def test_folders_that_may_not_be_read_are_said_and_left_out(self):
        body = b'{"mode":"0700"}'
        self.assertEqual(self.ask("PATCH", attributes("/tree/a"), body).status, 200)
        environment = {**os.environ, "FIRN_TOKEN": self.token("--uid", "1000")}
        out = self.folder / "out"
        for command in (("find", "/tree"), ("du", "/tree"), ("get", "-r", "/tree", out)):
            done = self.firn(*command, *self.url, env=environment)
            self.assert_refused(done, "/tree/a", "may not be read")
        self.assertEqual((out / "z-linked").stat().st_size, 3_000_000)
        self.assertFalse((out / "a" / "b").exists())

    def test_find_prints_the_bytes_of_names(self):
        done = subprocess.run([FIRN, "find", "-0", "--name", "caf*", self.here + "/tree"], check=True,
                              timeout=DEADLINE_S, stdout=subprocess.PIPE)
        self.assertEqual(done.stdout, os.fsencode(self.here) + b"/tree/caf\xe9.txt\0")
        found = json.loads(self.succeed("find", "--json", "--name", "caf*", "/tree", *self.url))
        self.assertEqual(bytes.fromhex(found["path_hex"]), b"/tree/caf\xe9.txt")
        self.assertEqual((found["type"], found["size"]), ("file", 10))


class IntoItself(FirnTest):
    def test_a_folder_is_not_copied_into_itself(self):
        self.init()
        self.mount()
        (self.mount_point / "a" / "b").mkdir(parents=True)
        inner = self.mount_point / "a" / "b"
        self.refuse("put", "-r", self.mount_point / "a", inner, words=["itself"])
        self.refuse("get", "-r", self.mount_point / "a", inner, words=["itself"])
        self.assertEqual(list(inner.iterdir()), [])


if __name__ == "__main__":
    unittest.main()
