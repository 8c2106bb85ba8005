"""Large bodies on their way into files: whole in every framing, nothing of what follows them swallowed, and no trace of
what did not come whole."""
import os
import re
import signal
import socket
import threading
import time
import unittest
from pathlib import Path

from firn_cli import DEADLINE_S
from served import Reply, ServedTest

MIB = 1 << 20
SIZE = 40 * MIB + 4321  # several times what the disk is asked to write at once, and more than is reserved at once
MANY_MIB = 300  # of a body, several times what a daemon may use for it
LEFT_OVER = 4 * MIB  # what the store may hold of a file that is gone


def head_of(method, target, *fields):
    lines = "".join(field + "\r\n" for field in fields)
    return f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n".encode()


def put_head(target="/v1/files/large", size=SIZE):
    return head_of("PUT", target, f"Content-Length: {size}")


class UploadTest(ServedTest):
    def setUp(self):
        super().setUp()
        self.init()
        self.content = os.urandom(MIB) * (SIZE // MIB + 1)
        self.content = b"".join(number.to_bytes(8, "big") + self.content[8 + number * MIB:(number + 1) * MIB]
                                for number in range(SIZE // MIB + 1))[:SIZE]

    def stored(self):
        """Bytes that the files with content occupy on the disk."""
        return sum(os.lstat(os.path.join(folder, name)).st_blocks * 512
                   for folder, _, names in os.walk(self.volume / "hot") for name in names)

    def stored_now(self):
        try:
            return self.stored()
        except FileNotFoundError:  # it went between its listing and a look at it
            return SIZE * 10

    def assert_same(self, content, path="/v1/files/large"):
        reply = self.ask("GET", path)
        self.assertEqual((reply.status, len(reply.body)), (200, len(content)))
        self.assertTrue(reply.body == content)

    def put_old(self):
        self.assertEqual(self.ask("PUT", "/v1/files/large", b"old").status, 201)

    def assert_no_trace(self):
        self.assert_same(b"old")
        self.assertEqual([entry["name"] for entry in self.ask("GET", "/v1/ls/").json()["entries"]], ["large"])
        self.wait_until(lambda: self.stored_now() < LEFT_OVER, "the disk holds what nobody can see")

    @staticmethod
    def read_reply(connection, rest=b""):
        """A reply of counted length, and what came behind it."""
        while b"\r\n\r\n" not in rest:
            part = connection.recv(65536)
            if not part:
                raise AssertionError(f"no reply: {rest[:200]!r}")
            rest += part
        head, _, body = rest.partition(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)", head)
        length = int(length.group(1)) if length else 0
        while len(body) < length:
            body += connection.recv(65536)
        return Reply(head + b"\r\n\r\n" + body[:length]), body[length:]


class Whole(UploadTest):
    def test_what_follows_on_the_connection_is_the_next_request(self):
        self.serve()
        with self.connect() as connection:
            sender = threading.Thread(target=connection.sendall, args=(
                put_head() + self.content + head_of("GET", "/v1/files/large", "Range: bytes=-10") +
                put_head("/v1/files/second", 5 * MIB) + self.content[:5 * MIB] + head_of("GET", "/v1/files/second"),))
            sender.start()
            rest = b""
            replies = []
            for _ in range(4):
                reply, rest = self.read_reply(connection, rest)
                replies.append(reply)
            sender.join(DEADLINE_S)
        self.assertEqual([reply.status for reply in replies], [201, 206, 201, 200])
        self.assertEqual(replies[1].body, self.content[-10:])
        self.assertTrue(replies[3].body == self.content[:5 * MIB])
        self.assertEqual(rest, b"")
        self.assert_same(self.content)

    def test_in_chunks_of_any_size(self):
        self.serve()
        text, at, size = [head_of("PUT", "/v1/files/large", "Transfer-Encoding: chunked")], 0, 1
        while at < SIZE:
            part = self.content[at:at + size]
            text += [b"%x\r\n" % len(part), part, b"\r\n"]
            at, size = at + len(part), size * 7 % 3_000_017
        self.assertEqual(Reply(self.raw(b"".join(text) + b"0\r\n\r\n")).status, 201)
        self.assert_same(self.content)

    def test_memory_does_not_grow_with_the_body(self):
        daemon = self.serve()
        status = Path(f"/proc/{daemon.pid}/status")

        def memory(what):
            return int(re.search(rf"{what}:\s+(\d+) kB", status.read_text()).group(1)) << 10

        before = memory("VmRSS")
        with self.connect() as connection:
            connection.sendall(put_head(size=MANY_MIB * MIB))
            for _ in range(MANY_MIB):
                connection.sendall(self.content[:MIB])
            self.assertEqual(self.read_reply(connection)[0].status, 201)
        self.assertLess(memory("VmHWM") - before, MANY_MIB * MIB // 4)

    def test_with_tls(self):
        source = self.folder / "source"
        source.write_bytes(self.content)
        ca = self.serve_tls()
        url = f"https://localhost:{self.port}/v1/files/large"
        done = self.curl("--cacert", ca, "-T", source, "-o", os.devnull, "-w", "%{http_code}", url)
        self.assertEqual(done.stdout, "201", done.stderr)
        out = self.folder / "out"
        self.curl("--cacert", ca, "-o", out, url)
        self.assertTrue(out.read_bytes() == self.content)

    def test_in_pieces_with_pauses_and_behind_an_old_file(self):
        self.serve()
        self.put_old()
        with self.connect() as connection:
            connection.sendall(put_head())
            for at in range(0, SIZE, 9_999_991):
                connection.sendall(self.content[at:at + 9_999_991])
                self.assert_same(b"old")
                time.sleep(0.1)
            self.assertEqual(self.read_reply(connection)[0].status, 204)
        self.assert_same(self.content)
        self.wait_until(lambda: self.stored_now() < SIZE + LEFT_OVER, "more is held than was sent")

    def test_parts_of_a_file(self):
        self.serve()
        self.put_old()
        half = SIZE // 2 + 77
        for offset, part in ((half, self.content[half:]), (0, self.content[:half])):
            self.assertEqual(self.ask("PATCH", f"/v1/files/large?offset={offset}", part).status, 200)
        self.assert_same(self.content)
        self.assertEqual(self.ask("PATCH", "/v1/files/large?append=1", self.content).status, 200)
        self.assert_same(self.content * 2)


def in_chunks(content):
    chunks = (content[at:at + 300_001] for at in range(0, len(content), 300_001))
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


class Broken(UploadTest):
    def send_most(self):
        """A connection that sent all but the end of a body, which the daemon has begun to store."""
        connection = self.connect()
        connection.sendall(put_head() + self.content[:-1])
        self.wait_until(lambda: self.stored_now() > SIZE // 2, "nothing is stored")
        return connection

    def refused(self, text):
        """The reply to what is sent until the daemon takes no more."""
        with self.connect() as connection:
            def send():
                try:
                    connection.sendall(text)
                except OSError:
                    pass
            sender = threading.Thread(target=send)
            sender.start()
            reply, _ = self.read_reply(connection)
            connection.shutdown(socket.SHUT_RDWR)
            sender.join(DEADLINE_S)
            return reply

    def test_a_body_that_ends_early_leaves_no_trace(self):
        self.serve()
        self.put_old()
        with self.send_most() as connection:
            connection.shutdown(socket.SHUT_WR)
            self.assertNotIn(b"HTTP/1.1 2", self.receive(connection))
        self.assert_no_trace()

    def test_a_promise_that_is_not_kept_holds_no_disk(self):
        self.serve()
        self.put_old()
        with self.connect() as connection:
            connection.sendall(put_head(size=1 << 40) + self.content[:3 * MIB])
            self.wait_until(lambda: self.stored_now() > MIB, "nothing is stored")
            time.sleep(0.5)
            self.assertLess(self.stored(), 32 * MIB)
        self.assert_no_trace()

    def test_a_client_that_sends_nothing_more_is_cut_off(self):
        self.settings(stall_timeout="3s")
        self.serve()
        self.put_old()
        with self.connect() as connection:
            connection.sendall(put_head() + self.content[:-1])
            self.assertNotIn(b"HTTP/1.1 2", self.receive(connection))
        self.assert_no_trace()

    def test_a_daemon_that_is_killed_in_the_middle(self):
        daemon = self.serve()
        self.put_old()
        with self.send_most():
            daemon.send_signal(signal.SIGKILL)
            daemon.wait(DEADLINE_S)
        self.stop(daemon)
        self.serve()
        self.assert_no_trace()

    def limited(self):
        self.settings(max_body="2MiB")
        self.serve()
        self.put_old()

    def assert_too_large(self, reply):
        self.assertEqual((reply.status, reply.headers["content-type"]), (413, "application/problem+json"))
        self.assertIn("2097152 bytes", reply.json()["detail"])

    def test_a_body_that_says_it_is_too_large(self):
        self.limited()
        for method, target in (("PUT", "/v1/files/large"), ("PATCH", "/v1/files/large?append=1"),
                               ("PATCH", "/v1/meta/large"), ("POST", "/v1/mkdir?path=/folder")):
            with self.connect() as connection:
                connection.sendall(head_of(method, target, f"Content-Length: {2 * MIB + 1}", "Expect: 100-continue"))
                self.assert_too_large(self.read_reply(connection)[0])
            self.assert_too_large(self.refused(
                head_of(method, target, f"Content-Length: {2 * MIB + 1}") + self.content[:2 * MIB + 1]))
        self.assert_no_trace()
        # Up to that it is no matter how.
        for framing in (lambda body: head_of("PUT", "/v1/files/large", f"Content-Length: {len(body)}") + body,
                        lambda body: head_of("PUT", "/v1/files/large", "Transfer-Encoding: chunked") + in_chunks(body)):
            self.assertEqual(Reply(self.raw(framing(self.content[:2 * MIB]))).status, 204)
            self.assert_same(self.content[:2 * MIB])
        # The daemon's own socket has no such limit.
        source = self.folder / "source"
        source.write_bytes(self.content[:3 * MIB])
        done = self.curl("--unix-socket", self.volume / "firn.sock", "-T", source, "http://localhost/v1/files/large")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_same(self.content[:3 * MIB])

    def test_a_body_in_chunks_that_turns_out_to_be_too_large(self):
        self.limited()
        for method, target in (("PUT", "/v1/files/large"), ("PATCH", "/v1/files/large?append=1"),
                               ("PATCH", "/v1/files/large?offset=1")):
            self.assert_too_large(self.refused(
                head_of(method, target, "Transfer-Encoding: chunked") + in_chunks(self.content[:2 * MIB + 1])))
            self.assert_no_trace()
        # What fits is written as without a limit, whether it is held in memory meanwhile or not.
        expected = b"old"
        for size in (1, 400_000, 2 * MIB):
            head = head_of("PATCH", "/v1/files/large?append=1", "Transfer-Encoding: chunked")
            reply = Reply(self.raw(head + in_chunks(self.content[:size])))
            self.assertEqual((reply.status, reply.json()["written"]), (200, size))
            expected += self.content[:size]
            self.assert_same(expected)

    def test_a_disk_that_fills_in_the_middle(self):
        self.volume = self.small_disk(96) / "vol"
        self.init()
        self.serve()
        self.put_old()
        for _ in range(2):  # what the first one took is there again
            reply = self.refused(put_head(size=4 * SIZE) + self.content * 4)
            self.assertEqual((reply.status, reply.json()["errno"]), (507, 28))
            self.assert_no_trace()
        self.assertEqual(self.ask("PUT", "/v1/files/large", self.content).status, 204)
        self.assert_same(self.content)


if __name__ == "__main__":
    unittest.main()
