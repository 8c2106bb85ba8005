"""Large files, whose pages are sent without copying: right whatever happens to the file and the client meanwhile."""
import hashlib
import os
import re
import signal
import socket
import struct
import threading
import time
import unittest

from firn_cli import DEADLINE_S, disk_bytes
from served import Reply, ServedTest

# What a client's kernel may hold unread is copied, and twice that is the least of which anything is not.
UNREAD = int(open("/proc/sys/net/ipv4/tcp_rmem", encoding="ascii").read().split()[2])
LARGE = 3 * UNREAD + (8 << 20) + 123
PAUSE_S = 0.05


class PagesTest(ServedTest):
    def tearDown(self):
        if os.path.ismount(self.mount_point):
            self.umount()
        super().tearDown()

    def mount_and_serve(self):
        """Mounted too, so that others can change the file."""
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.settings(listen=[f"127.0.0.1:{self.port}"])
        self.mount()

    def make_large(self, path, size=LARGE):
        self.content = os.urandom(size)
        path.write_bytes(self.content)

    def begin(self, target="/v1/files/large", receive_buffer=None, **headers):
        """A connection that has asked, and read nothing."""
        connection = socket.socket()
        connection.settimeout(DEADLINE_S)
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.connect(("127.0.0.1", self.port))
        lines = "".join(f"{name}: {value}\r\n" for name, value in {"Host": "localhost", **headers}.items())
        connection.sendall(f"GET {target} HTTP/1.1\r\n{lines}\r\n".encode())
        return connection

    def read(self, connection, most=LARGE * 2):
        """So many bytes, or until the end."""
        parts = []
        while most > 0 and (part := connection.recv(min(most, 1 << 20))):
            parts.append(part)
            most -= len(part)
        return b"".join(parts)

    def read_reply(self, connection, start=b""):
        """A reply of counted length, and as much of its body as comes; `start` of it was read before."""
        while b"\r\n\r\n" not in start and (part := connection.recv(65536)):
            start += part
        head, _, body = start.partition(b"\r\n\r\n")
        length = int(re.search(rb"Content-Length: (\d+)", head).group(1))
        return Reply(start + self.read(connection, length - len(body)))

    def assert_same(self, body, expected):
        self.assertEqual((len(body), hashlib.sha256(body).digest()), (len(expected), hashlib.sha256(expected).digest()))


class Content(PagesTest):
    def setUp(self):
        super().setUp()
        self.init()
        self.mount_and_serve()
        self.make_large(self.mount_point / "large")

    def test_all_of_it_and_parts_on_one_connection(self):
        with self.begin() as connection:
            self.assert_same(self.read_reply(connection).body, self.content)
            last = LARGE - 1
            for asked, first, end in (("0-", 0, last), ("-1", last, last), ("5-20", 5, 20), (f"4097-{last - 1}", 4097, last - 1),
                                      (f"-{LARGE - 1}", 1, last)):
                connection.sendall(f"GET /v1/files/large HTTP/1.1\r\nHost: localhost\r\nRange: bytes={asked}\r\n\r\n".encode())
                reply = self.read_reply(connection)
                self.assertEqual((reply.status, reply.headers["content-range"]), (206, f"bytes {first}-{end}/{LARGE}"))
                self.assert_same(reply.body, self.content[first:end + 1])
            connection.sendall(b"GET /v1/ls/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertEqual(self.read_reply(connection).status, 200)

    def test_several_ranges_at_once(self):
        middle = 2 * UNREAD + (4 << 20)
        with self.begin(Range=f"bytes=0-9,1000-{middle},{middle + 1000}-{LARGE - 1}") as connection:
            reply = self.read_reply(connection)
        self.assertEqual(reply.status, 206)
        boundary = b"\r\n--" + reply.headers["content-type"].split("boundary=")[1].encode()
        parts = reply.body.split(boundary)
        self.assertEqual((parts[0], parts[-1], len(parts)), (b"", b"--\r\n", 5))
        for part, (first, end) in zip(parts[1:], ((0, 10), (1000, middle + 1), (middle + 1000, LARGE))):
            self.assert_same(part.partition(b"\r\n\r\n")[2], self.content[first:end])

    def test_heads_and_conditions_send_nothing(self):
        head = self.ask("HEAD", "/v1/files/large")
        self.assertEqual((head.status, head.body, head.headers["content-length"]), (200, b"", str(LARGE)))
        same = self.ask("GET", "/v1/files/large", If_None_Match=head.headers["etag"])
        self.assertEqual((same.status, same.body), (304, b""))
        self.assertEqual(self.ask("GET", "/v1/files/large", If_Match='"other"').status, 412)

    def test_a_slow_reader_gets_it_too(self):
        with self.begin(receive_buffer=65536) as connection:
            start = b""
            for _ in range(40):
                start += connection.recv(16384)
                time.sleep(PAUSE_S / 10)
            self.assert_same(self.read_reply(connection, start).body, self.content)

    def test_clients_that_leave_leave_nothing_behind(self):
        connections = [self.begin() for _ in range(40)]
        for number, connection in enumerate(connections):
            connection.recv(100_000)
            if number % 2:  # a reset instead of an end
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
        (self.mount_point / "large").unlink()
        socket_file = self.volume / "firn.sock"
        def metric(name):
            text = self.run_program("curl", "-sS", "--unix-socket", socket_file, "http://localhost/metrics").stdout
            return float(re.search(rf"^{name}(?:{{[^}}]*}})? (\S+)", text, re.MULTILINE).group(1))
        self.wait_until(lambda: metric("firn_http_connections") <= 1, "connections are left")
        hot = self.volume / "hot"
        self.wait_until(lambda: disk_bytes(hot) < LARGE // 2, "the file's bytes are left")

    def test_many_connections_are_served_at_once(self):
        """On all reactors, some of them with a large file."""
        (self.mount_point / "small").write_bytes(b"small")
        replies = [None] * 100
        def get(number):
            with self.begin("/v1/files/large" if number % 25 == 0 else "/v1/files/small") as connection:
                replies[number] = self.read_reply(connection).body
        threads = [threading.Thread(target=get, args=(number,)) for number in range(100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for number, body in enumerate(replies):
            self.assert_same(body, self.content if number % 25 == 0 else b"small")

    def test_what_is_under_way_ends_when_the_daemon_stops(self):
        connection = self.begin()
        start = connection.recv(100_000)
        os.kill(self.daemon_pid(), signal.SIGTERM)
        with connection:
            self.assert_same(self.read_reply(connection, start).body, self.content)
        self.wait_until(lambda: not os.path.ismount(self.mount_point), "the daemon does not end")


class Changes(PagesTest):
    def setUp(self):
        super().setUp()
        self.init()
        self.mount_and_serve()
        self.file = self.mount_point / "large"
        self.make_large(self.file)

    def test_what_is_cut_off_meanwhile_is_cut_off_for_the_client(self):
        for share in (0.1, 0.5):
            self.file.write_bytes(self.content)
            with self.begin(receive_buffer=1 << 20) as connection:
                start = self.read(connection, int(LARGE * share))
                os.truncate(self.file, 10_000)
                body = (start + self.receive(connection)).partition(b"\r\n\r\n")[2]
            self.assertLess(len(body), LARGE)
            self.assertEqual(body[:10_000], self.content[:10_000])

    def test_a_response_that_is_whole_has_no_zeros_in_it(self):
        """What the client's kernel holds unread when the file is cut off there is no other for that."""
        for unread in (1 << 20, 2 << 20, UNREAD // 8, UNREAD // 2, 2 * UNREAD):
            self.file.write_bytes(self.content)
            with self.begin() as connection:
                start = self.read(connection, LARGE - unread)
                time.sleep(PAUSE_S * 4)  # the kernels take what they can
                os.truncate(self.file, LARGE - unread * 3 // 4)
                body = (start + self.receive_to_pause(connection)).partition(b"\r\n\r\n")[2]
            whole = len(body) == LARGE
            if whole:
                self.assert_same(body, self.content)
            print(f"{unread} bytes before the end: {'whole' if whole else 'cut'}")

    @staticmethod
    def receive_to_pause(connection):
        connection.settimeout(PAUSE_S * 40)  # where the server keeps the connection for the next request
        parts = []
        try:
            while part := connection.recv(1 << 20):
                parts.append(part)
        except (TimeoutError, ConnectionResetError):
            pass
        return b"".join(parts)

    def test_a_file_that_is_replaced_is_sent_to_its_end(self):
        with self.begin(receive_buffer=65536) as connection:
            start = connection.recv(1000)
            new = self.mount_point / "new"
            new.write_bytes(b"new")
            new.rename(self.file)
            self.assert_same(self.read_reply(connection, start).body, self.content)
        self.assertEqual(self.ask("GET", "/v1/files/large").body, b"new")


class Evicted(PagesTest):
    def test_a_file_is_not_evicted_while_it_is_sent(self):
        """A hole would be sent as zeros."""
        self.succeed("init", self.volume, "--tier", f"nas={self.folder / 'tier'}")
        self.mount_and_serve()
        self.make_large(self.mount_point / "large")
        os.sync()
        self.succeed("tier", "flush", self.volume)
        with self.begin(receive_buffer=65536) as connection:
            start = b""
            for _ in range(4):
                start += self.read(connection, LARGE // 5)
                self.firn("tier", "evict", self.volume)
            reply = self.read_reply(connection, start)
        self.assert_same(reply.body, self.content)
        # Once nobody has it, it goes, and what comes from the tier is the same.
        self.wait_until(lambda: self.firn("tier", "evict", self.volume).returncode == 0 and self.hot_bytes() < LARGE // 2,
                        "it is not evicted")
        self.assert_same(self.ask("GET", "/v1/files/large").body, self.content)

    def hot_bytes(self):
        return disk_bytes(self.volume / "hot")


class Tls(PagesTest):
    def test_tls_reads_what_it_seals(self):
        self.init()
        ca = self.serve_tls()
        source, back = self.folder / "source", self.folder / "back"
        self.make_large(source, 2 * UNREAD + (3 << 20))
        url = f"https://127.0.0.1:{self.port}/v1/files/large"
        for options in (("-T", source), ("-o", back)):
            done = self.curl("--cacert", ca, "-f", *options, url)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_same(back.read_bytes(), self.content)


if __name__ == "__main__":
    unittest.main()
