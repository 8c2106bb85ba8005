"""A daemon that may have few files open: a flood through one door is refused there, and other doors go on."""
import ctypes
import os
import resource
import socket
import sys
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "nfs"))

from firn_cli import DEADLINE_S
from observed import ObservedTest
from raw_nfs import OK, READ, Client, opaque, u32, u64

LIMIT = 1024
FLOOD = 950  # connections: with what a daemon needs for itself, more than there may be
SERVED = (LIMIT - 512) // 8 * 3 // 4 // 3  # of them by HTTP, as cli/descriptors.cc has it
FILES = 150  # that are open through the mount at once, while the others are flooded
LARGE = 100_000
JUKEBOX = 10008


def limit_descriptors():
    """In the child: as a user's limit is, which nobody raises."""
    cap_drop, cap_sys_resource = 24, 24
    ctypes.CDLL(None, use_errno=True).prctl(cap_drop, cap_sys_resource, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))


class DescriptorsTest(ObservedTest):
    def setUp(self):
        super().setUp()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16_384), hard))
        self.connections = []
        self.mount_with_few_descriptors()
        for i in range(FILES):
            (self.mount_point / f"file{i}").write_bytes(b"%06d" % i * (LARGE // 6))

    def tearDown(self):
        for connection in self.connections:
            connection.close()
        super().tearDown()

    def mount_with_few_descriptors(self):
        self.init()
        self.setting("http", 'listen = ["127.0.0.1:0"]')
        self.setting("nfs", 'address = "127.0.0.1:0"', 'exports = ["/ *(rw,no_root_squash,insecure)"]')
        self.mounted.append((self.volume, self.mount_point))
        done = self.firn("mount", self.volume, self.mount_point, preexec_fn=limit_descriptors)
        self.assertEqual(done.returncode, 0, done.stderr)
        limits = Path(f"/proc/{self.daemon_pid()}/limits").read_text()
        self.assertRegex(limits, rf"Max open files +{LIMIT} +{LIMIT}")
        status = self.status()
        self.url = status["http"][0]
        self.http_port = int(self.url.rpartition(":")[2])
        self.nfs_port = int(status["nfs"].rpartition(":")[2])

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.daemon_pid()}/fd"))

    def flood(self, port):
        for _ in range(FLOOD):
            self.connections.append(socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S))

    def leave(self):
        while self.connections:
            self.connections.pop().close()

    def assert_files_open(self):
        """All files at once through the mount, and the daemon's own socket answers."""
        files = []
        try:
            for i in range(FILES):
                files.append(os.open(self.mount_point / f"file{i}", os.O_RDWR))
            for i, file in enumerate(files):
                os.pwrite(file, b"new", LARGE // 2)
                self.assertEqual(os.pread(file, 6, 0), b"%06d" % i)
            self.assertEqual(self.status()["health"], "ok")
        finally:
            for file in files:
                os.close(file)

    def test_a_flood_of_http_connections(self):
        self.flood(self.http_port)
        for connection in self.connections:
            connection.setblocking(False)
        deadline = time.monotonic() + DEADLINE_S
        waiting = list(self.connections)
        while len(waiting) > SERVED and time.monotonic() < deadline:
            for connection in list(waiting):
                try:
                    reply = connection.recv(65536)
                except BlockingIOError:
                    continue
                self.assertRegex(reply, rb"^HTTP/1.1 503 ")
                self.assertIn(b"Retry-After: 1\r\n", reply)
                self.assertIn(b"application/problem+json", reply)
                waiting.remove(connection)
            time.sleep(0.05)
        self.assertEqual(len(waiting), SERVED)
        self.assertLess(self.descriptors(), LIMIT // 2)
        # Those that are served hold files, too.
        for i, connection in enumerate(waiting):
            connection.setblocking(True)
            connection.sendall(b"PUT /v1/files/put%d HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\n" % i +
                               b"x" * 199_999)
        self.assert_files_open()
        for connection in waiting:
            connection.sendall(b"x")
            self.assertRegex(connection.recv(65536), rb"^HTTP/1.1 201 ")
        self.leave()
        self.wait_until(self.answers, "nobody is served after the flood")

    def answers(self):
        try:
            return self.ask("/v1/files/file1")[:6] == "000001"
        except OSError:
            return False

    def read_all(self, client, handles):
        """Reads all at once, and again what was put off. How many were put off."""
        put_off, left = 0, dict(enumerate(handles))
        deadline = time.monotonic() + DEADLINE_S
        while left:
            self.assertLess(time.monotonic(), deadline, f"{len(left)} files stay out of reach")
            asked = {}
            for i, handle in left.items():
                message = client.message(READ, opaque(handle) + u64(0) + u32(LARGE))
                asked[client.xid] = i
                client.send(message)
            for _ in range(len(left)):
                reply = client.receive()
                i = asked.pop(reply.u32())
                self.assertEqual((reply.u32(), reply.u32()), (1, 0))
                reply.fixed(8)
                self.assertEqual(reply.u32(), 0)
                status = reply.u32()
                self.assertIn(status, (OK, JUKEBOX))
                put_off += status == JUKEBOX
                if status == OK:
                    reply.optional_attributes()
                    self.assertEqual(reply.u32(), LARGE // 6 * 6)
                    del left[i]
        return put_off

    def test_a_flood_of_nfs_connections_and_opens(self):
        with Client(self.nfs_port) as client:
            self.assertEqual(client.mount("/"), OK)
            handles = [client.lookup(f"file{i}") for i in range(FILES)]
            self.flood(self.nfs_port)
            self.wait_until(lambda: self.descriptors() < LIMIT // 2, "connections are not refused")
            self.assert_files_open()
            # More files than may be open for NFS, as many at once as a connection may ask for.
            reading = threading.Thread(target=lambda: [self.read_all(client, handles) for _ in range(5)])
            reading.start()
            self.assert_files_open()
            reading.join(DEADLINE_S)
            self.assertFalse(reading.is_alive())
            self.read_all(client, handles)
            self.assertLess(self.descriptors(), LIMIT // 2)
            # Those that were refused have been told: their connections ended.
            ended = 0
            for connection in self.connections:
                connection.setblocking(False)
                try:
                    ended += connection.recv(1) == b""
                except BlockingIOError:
                    pass
            self.assertGreaterEqual(ended, FLOOD - 100)


if __name__ == "__main__":
    unittest.main()
