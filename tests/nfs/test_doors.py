"""One file system through two doors: what FUSE wrote NFS reads at once, and the other way round. And: kill -9."""
import errno
import fcntl
import http.client
import os
import random
import socket
import sys
import threading
import unittest
from pathlib import Path

import raw_nfs as raw
from firn_cli import DEADLINE_S
from libnfs import Mount
from raw_nfs import opaque, sattr, u32
from served import ServedTest


TRY_LOCKS = """
import fcntl, sys
file = open(sys.argv[1], "r+b", buffering=0)
for name, lock in (("flock", fcntl.flock), ("fcntl", lambda *words: fcntl.lockf(*words, 5, 0))):
    try:
        lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(name)
"""


class TwoDoorsTest(ServedTest):
    def setUp(self):
        super().setUp()
        self.make(address='"127.0.0.1:0"')
        self.mount_and_serve()
        self.nfs = Mount(self.url())

    def tearDown(self):
        self.nfs.close()
        super().tearDown()

    def assert_seen(self, seen):
        """At once: before the answer, the kernel was told to forget what it has cached of a file."""
        self.assertTrue(seen())


class TwoDoors(TwoDoorsTest):
    def test_fuse_writes_nfs_reads(self):
        for size in (10, 100_000):  # held in memory or inline, and by passthrough
            path = self.mount_point / f"f{size}"
            with open(path, "wb", buffering=0) as file:
                for i in range(5):
                    data = bytes([65 + i]) * size
                    os.pwrite(file.fileno(), data, i * size)
                    self.assertEqual(self.nfs.read_file(f"/f{size}")[i * size:], data)
                    self.assertEqual(self.nfs.stat(f"/f{size}").size, (i + 1) * size)
            self.assertEqual(self.nfs.read_file(f"/f{size}"), path.read_bytes())
        (self.mount_point / "f10").unlink()
        self.assertFalse(self.nfs.exists("/f10"))

    def test_nfs_writes_fuse_reads(self):
        for size in (10, 100_000):
            path = self.mount_point / f"f{size}"
            handle = self.nfs.create(f"/f{size}")
            for i in range(5):
                data = bytes([65 + i]) * size
                self.nfs.pwrite(handle, i * size, data)
                self.assert_seen(lambda: path.stat().st_size == (i + 1) * size)
                self.assert_seen(lambda: path.read_bytes()[i * size:] == data)
            self.nfs.pwrite(handle, 0, b"again")
            self.assert_seen(lambda: path.read_bytes()[:5] == b"again")
            self.nfs.call("close", handle)
        self.nfs.call("rename", "/f10", "/g")
        self.assert_seen(lambda: sorted(os.listdir(self.mount_point)) == ["f100000", "g"])
        self.nfs.call("unlink", "/g")
        self.assert_seen(lambda: not (self.mount_point / "g").exists())

    def test_open_through_both(self):
        path = self.mount_point / "shared"
        path.write_bytes(b"x" * 200_000)
        with open(path, "r+b", buffering=0) as first:
            handle = self.nfs.open("/shared", os.O_RDWR)
            self.nfs.pwrite(handle, 0, b"nfs")
            os.pwrite(first.fileno(), b"fuse", 100)
            with open(path, "r+b", buffering=0) as second:
                self.assertEqual(os.pread(second.fileno(), 3, 0), b"nfs")
                os.pwrite(second.fileno(), b"two", 300)
            self.assertEqual(self.nfs.pread(handle, 100, 4), b"fuse")
            self.assertEqual(self.nfs.pread(handle, 300, 3), b"two")
            self.nfs.call("close", handle)
        self.assertEqual(path.stat().st_size, 200_000)

    def test_changes_of_one_version_while_a_program_writes(self):
        path = self.mount_point / "written"
        with raw.Client(self.port) as client, open(path, "wb", buffering=0) as file:
            file.write(b"x" * 200_000)
            client.mount()
            handle = client.lookup("written")

            def set_mode(mode, guarded):
                guard = u32(1, *client.getattr(handle).ctime) if guarded else u32(0)
                reader = client.call(raw.SETATTR, opaque(handle) + sattr(mode=mode) + guard)
                return reader.u32(), reader.weak_cache()[0]

            # What the kernel writes by itself nobody can tell.
            self.assertEqual(set_mode(0o600, guarded=True)[0], raw.JUKEBOX)
            self.assertEqual(set_mode(0o640, guarded=False), (raw.OK, None))
            file.close()
            # The kernel tells of the close a moment later.
            self.wait_until(lambda: set_mode(0o600, guarded=True)[0] == raw.OK)
            status, before = set_mode(0o644, guarded=False)
            self.assertEqual((status, before[0]), (raw.OK, 200_000))
            known = client.getattr(handle).ctime
            path.chmod(0o755)
            stale = opaque(handle) + sattr(mode=0) + u32(1, *known)
            self.assertEqual(client.status(raw.SETATTR, stale), raw.NOT_SYNC)
            self.assertEqual(client.getattr(handle).mode, 0o755)

    def test_a_copy_that_syncs_beside_changes_of_attributes(self):
        """Neither waits for the other for ever."""
        source, path, ended = self.mount_point / "source", self.mount_point / "copy", threading.Event()
        source.write_bytes(os.urandom(1 << 20))

        def copy():
            with open(source, "rb") as origin:
                while not ended.is_set():
                    copied = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_SYNC)
                    os.copy_file_range(origin.fileno(), copied, 1 << 20, 0, 0)
                    os.close(copied)
        copier = threading.Thread(target=copy, daemon=True)
        copier.start()
        with raw.Client(self.port) as client:
            client.mount()
            self.wait_until(path.exists)
            handle = client.lookup("copy")
            for i in range(300):
                self.assertEqual(client.status(raw.SETATTR, opaque(handle) + sattr(mode=0o600 + i % 8) + u32(0)), raw.OK)
        ended.set()
        copier.join(DEADLINE_S)
        self.assertFalse(copier.is_alive())
        self.assertEqual(path.read_bytes(), source.read_bytes())

    def test_pages_of_a_closed_file_do_not_stay(self):
        path = self.mount_point / "pages"
        path.write_bytes(b"old" * 10)
        self.assertEqual(path.read_bytes()[:3], b"old")
        self.nfs.write_file("/pages", b"new" * 10)
        self.assert_seen(lambda: path.read_bytes()[:3] == b"new")

    def test_permissions_agree(self):
        path = self.mount_point / "mine"
        path.write_bytes(b"x")
        os.chown(path, 1000, 1000)
        path.chmod(0o600)
        with Mount(self.url(uid=1000, gid=1000)) as owner, Mount(self.url(uid=2000, gid=2000)) as other:
            self.assertEqual(owner.read_file("/mine"), b"x")
            with self.assertRaises(OSError) as caught:
                other.read_file("/mine")
            self.assertEqual(caught.exception.errno, errno.EACCES)
            acl = self.run_program("setfacl", "-m", "u:2000:r", path)
            self.assertEqual(acl.returncode, 0, acl.stderr)
            self.assertEqual(other.read_file("/mine"), b"x")


class HttpOnSocket(http.client.HTTPConnection):
    """The daemon's API, on the socket in the volume's folder."""

    def __init__(self, path):
        super().__init__("localhost", timeout=DEADLINE_S)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)

    def ask(self, method, target, body=None, **headers):
        self.request(method, target, body, headers)
        reply = self.getresponse()
        return reply.status, reply.read()


class ThreeDoors(TwoDoorsTest):
    """HTTP beside the two, and files that the kernel and the NFS client know already."""

    def setUp(self):
        super().setUp()
        self.http = HttpOnSocket(self.volume / "firn.sock")

    def tearDown(self):
        self.http.close()
        super().tearDown()

    def done(self, method, target, body=None):
        status, answer = self.http.ask(method, target, body)
        self.assertIn(status, (200, 201, 204), answer)
        return answer

    def test_http_changes_the_others_see(self):
        for size in (10, 100_000):
            path = self.mount_point / f"f{size}"
            for letter in b"abc":  # replaced while the others know it
                data = bytes([letter]) * size
                self.done("PUT", f"/v1/files/f{size}", data)
                self.assertEqual(self.nfs.read_file(f"/f{size}"), data)
                self.assert_seen(lambda: path.read_bytes() == data)
            self.done("PATCH", f"/v1/files/f{size}?offset=3", b"patched")
            self.assertEqual(self.nfs.read_file(f"/f{size}")[3:10], b"patched")
            self.assert_seen(lambda: path.read_bytes()[3:10] == b"patched")
            self.done("PATCH", f"/v1/meta/f{size}", b'{"mode":"0640"}')
            self.assertEqual(self.nfs.stat(f"/f{size}").mode & 0o777, 0o640)
            self.assert_seen(lambda: path.stat().st_mode & 0o777 == 0o640)
        self.done("POST", "/v1/move?from=/f10&to=/g")
        self.assertFalse(self.nfs.exists("/f10"))
        self.assert_seen(lambda: sorted(os.listdir(self.mount_point)) == ["f100000", "g"])
        self.done("DELETE", "/v1/files/g")
        self.assertFalse(self.nfs.exists("/g"))
        self.assert_seen(lambda: not (self.mount_point / "g").exists())

    def test_http_sees_what_the_others_change(self):
        for size in (10, 100_000):
            with open(self.mount_point / f"f{size}", "wb", buffering=0) as file:
                for letter in b"abc":
                    os.pwrite(file.fileno(), bytes([letter]) * size, 0)
                    self.assertEqual(self.done("GET", f"/v1/files/f{size}"), bytes([letter]) * size)
            self.nfs.write_file(f"/f{size}", b"by nfs")
            self.assertEqual(self.done("GET", f"/v1/files/f{size}")[:6], b"by nfs")
            (self.mount_point / f"f{size}").unlink()
            self.assertEqual(self.http.ask("GET", f"/v1/files/f{size}")[0], 404)

    def test_a_part_by_http_into_a_file_that_a_program_writes(self):
        path = self.mount_point / "shared"
        path.write_bytes(b"x" * 200_000)
        with open(path, "r+b", buffering=0) as file:
            os.pwrite(file.fileno(), b"fuse", 100)
            self.done("PATCH", "/v1/files/shared?offset=300", b"http")
            os.pwrite(file.fileno(), b"more", 500)
            self.assert_seen(lambda: os.pread(file.fileno(), 4, 300) == b"http")
        expected = bytearray(b"x" * 200_000)
        expected[100:104], expected[300:304], expected[500:504] = b"fuse", b"http", b"more"
        self.assertTrue(self.done("GET", "/v1/files/shared") == bytes(expected))
        self.assertTrue(self.nfs.read_file("/shared") == bytes(expected))


    def locks(self, path):
        """Which kinds of locks somebody else has on the file's first bytes."""
        done = self.run_program(sys.executable, "-c", TRY_LOCKS, path)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.split()

    def test_locks_of_programs_hold_nobody_up_and_stay(self):
        for size in (10, 100_000):
            path, moved = self.mount_point / f"f{size}", self.mount_point / f"moved{size}"
            path.write_bytes(b"x" * size)
            with open(path, "r+b", buffering=0) as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                fcntl.lockf(file, fcntl.LOCK_EX, 5, 0)
                handle = self.nfs.open(f"/f{size}", os.O_RDWR)
                self.nfs.pwrite(handle, 0, b"nfs")
                self.assertEqual(self.nfs.pread(handle, 0, 3), b"nfs")
                self.nfs.call("fsync", handle)
                self.nfs.call("close", handle)
                self.done("PATCH", f"/v1/files/f{size}?offset=3", b"http")
                self.assertEqual(self.done("GET", f"/v1/files/f{size}")[:7], b"nfshttp")
                self.done("PATCH", f"/v1/meta/f{size}", b'{"mode":"0640"}')
                self.assertEqual(self.locks(path), ["flock", "fcntl"])
                self.nfs.call("rename", f"/f{size}", f"/moved{size}")
                self.assertEqual(self.locks(moved), ["flock", "fcntl"])
                self.done("PUT", f"/v1/files/f{size}", b"another file")
                self.assertEqual(self.locks(path), [])
                self.assertEqual(self.locks(moved), ["flock", "fcntl"])
                self.assertEqual(os.pread(file.fileno(), 7, 0), b"nfshttp")
            self.wait_until(lambda: not self.locks(moved), "they stayed when the file was closed")


class Killed(ServedTest):
    def test_the_client_goes_on(self):
        self.make()
        self.serve()
        seed = random.randrange(1 << 32)
        print(f"{self.id()}: seed {seed}", flush=True)
        rounds = 6
        done = []
        with Mount(self.url()) as nfs:
            self.write_while_killed(nfs, random.Random(seed), rounds, done)
            self.assertEqual(len(done), rounds * 20)
            for name, data in done:
                self.assertEqual(nfs.read_file(name), data)
        self.stop()
        self.succeed("fsck", self.volume)

    def write_while_killed(self, nfs, source, rounds, done):
        for _ in range(rounds):
            killer = threading.Timer(source.random() * 0.3, self.kill_and_serve)
            killer.start()
            for _ in range(20):
                name = f"/f{len(done)}"
                data = source.randbytes(source.choice([10, 5000, 60_000, 300_000]))
                handle = nfs.create(name, os.O_RDWR | os.O_SYNC)  # libnfs does not send again what a COMMIT missed
                nfs.pwrite(handle, 0, data)
                nfs.call("fsync", handle)
                nfs.call("close", handle)
                done.append((name, data))
            killer.join()

    def kill_and_serve(self):
        self.kill()
        self.serve(self.port)

    def test_handles_outlive_the_daemon(self):
        self.make()
        self.serve()
        with Mount(self.url()) as nfs:
            nfs.write_file("/f", b"before")
            handle = nfs.open("/f", os.O_RDWR)
            self.kill_and_serve()
            self.assertEqual(nfs.pread(handle, 0, 10), b"before")
            nfs.pwrite(handle, 0, b"behind")
            nfs.call("fsync", handle)
            self.kill_and_serve()
            self.assertEqual(nfs.read_file("/f"), b"behind")
            nfs.call("close", handle)
        self.assertEqual(oct(Path(self.volume / "nfs.key").stat().st_mode & 0o777), "0o600")


if __name__ == "__main__":
    unittest.main()
