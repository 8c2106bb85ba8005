"""Clients that are wrong, slow, many or evil; and a server that stops under them."""
import threading
import time
import unittest

from firn_cli import DEADLINE_S
from served import Reply, ServedTest, listing

HOST = "Host: localhost\r\n"
NEXT = f"GET /v1/files/smuggled HTTP/1.1\r\n{HOST}\r\n"


class Hostile(ServedTest):
    def setUp(self):
        super().setUp()
        self.init()

    def test_nothing_is_smuggled_past_a_proxy(self):
        self.serve()
        put = f"PUT /v1/files/f HTTP/1.1\r\n{HOST}"
        for name, text in {
                "two lengths": put + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
                "the same length twice": put + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
                "a list of lengths": put + "Content-Length: 1, 1\r\n\r\na",
                "length and chunks": put + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                "chunks and length": put + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
                "chunked twice": put + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                "chunked, identity": put + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
                "gzip, chunked": put + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
                "xchunked": put + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
                "chunks in HTTP/1.0": put.replace("1.1", "1.0") + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                "a blank before the colon": put + "Content-Length : 1\r\n\r\na",
                "a tab before the colon": put + "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n",
                "a folded line": put + "X: a\r\n b\r\nContent-Length: 1\r\n\r\na",
                "a folded length": put + "Content-Length:\r\n 1\r\n\r\na",
                "bare LF": put.replace("\r\n", "\n") + "Content-Length: 1\n\na",
                "one bare LF": put + "X: a\nContent-Length: 1\r\n\r\na",
                "bare CR": put + "X: a\rContent-Length: 1\r\n\r\na",
                "NUL": put + "X: a\0b\r\nContent-Length: 1\r\n\r\na",
                "signed length": put + "Content-Length: +1\r\n\r\na",
                "hexadecimal length": put + "Content-Length: 0x1\r\n\r\na",
                "no length's number": put + "Content-Length: \r\n\r\na",
                "huge length": put + "Content-Length: 99999999999999999999\r\n\r\na",
                "two hosts": put + "Host: other\r\nContent-Length: 1\r\n\r\na",
                "a blank first": f"GET /v1/status HTTP/1.1\r\n {HOST}\r\n",
        }.items():
            reply = self.raw(text + NEXT)
            self.assertIn(Reply(reply).status, (400, 501), f"{name}: {reply[:200]}")
            self.assertEqual(reply.count(b"HTTP/1.1 "), 1, f"{name}: {reply}")
            self.assertIn(b"Connection: close", reply)
        self.assertEqual(self.ask("GET", "/v1/files/f").status, 404)

    def test_chunks_that_are_none_store_nothing(self):
        self.serve()
        put = f"PUT /v1/files/f HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n"
        for body in ("0x1\r\na\r\n0\r\n\r\n", "-1\r\na\r\n0\r\n\r\n", "1\r\nab\r\n0\r\n\r\n", "1\na\r\n0\r\n\r\n",
                     "ffffffffffffffffff\r\na", "1\r\na", "g\r\n", "1\r\na\r\n"):
            reply = self.raw(put + body)
            self.assertNotIn(b" 201 ", reply, body)
            self.assertNotIn(b" 204 ", reply, body)
        self.assertEqual(self.ask("GET", "/v1/files/f").status, 404)

    def test_odd_but_right_forms_are_served(self):
        self.serve()
        put = f"PUT /v1/files/f HTTP/1.1\r\n{HOST}Transfer-Encoding: Chunked\r\n\r\n" \
              "3;name=value\r\nabc\r\n0002\r\nde\r\n0\r\nTrailer: x\r\n\r\n"
        get = f"GET /v1/files/f HTTP/1.1\r\n{HOST}\r\n"
        reply = self.raw(put + get + get)
        self.assertEqual(reply.count(b"HTTP/1.1 "), 3, reply)
        self.assertEqual(reply.count(b"\r\n\r\nabcde"), 2, reply)
        absolute = self.raw(f"GET http://localhost:1/v1/files/f HTTP/1.1\r\n{HOST}\r\n")
        self.assertEqual(Reply(absolute).body, b"abcde")
        evil = self.raw(f"GET http://evil.example/v1/files/f HTTP/1.1\r\n{HOST}\r\n")
        self.assertEqual(Reply(evil).status, 403)
        old = self.raw(f"GET /v1/files/f HTTP/1.0\r\n{HOST}\r\n" + get)
        self.assertEqual((Reply(old).status, Reply(old).body), (200, b"abcde"))
        head = self.raw(f"HEAD /v1/files/f HTTP/1.1\r\n{HOST}Connection: close\r\n\r\n")
        self.assertEqual((Reply(head).headers["content-length"], Reply(head).body), ("5", b""))
        self.assertEqual(self.ask("PUT", "/v1/files/f", b"", Expect="200-maybe").status, 417)

    def test_paths_do_not_leave_the_volume(self):
        self.serve()
        for path in ("../../../../etc/passwd", "..%2f..%2f..%2fetc/passwd", "%2e%2e/%2e%2e/etc/passwd",
                     "..%5c..%5cetc/passwd", "%252e%252e/etc/passwd", "/etc/passwd", "..;/etc/passwd"):
            self.assertEqual(self.ask("GET", "/v1/files/" + path).status, 404, path)
        self.assertEqual(self.ask("GET", "/v1/files/a%00b").status, 400)
        self.assertEqual(self.ask("GET", "/v1/files/%zz").status, 400)
        self.assertEqual(self.ask("GET", "/v1/files/" + "a" * 20000).status, 431)

    def test_slow_clients_are_cut_off(self):
        self.settings(head_timeout="300ms", idle_timeout="300ms", stall_timeout="300ms", min_rate="1MiB")
        self.serve()
        def lasts(text, trickle=b""):
            begin = time.monotonic()
            with self.connect() as connection:
                connection.sendall(text)
                reply = b""
                connection.settimeout(0.05)
                while time.monotonic() < begin + DEADLINE_S:
                    try:
                        part = connection.recv(65536)
                        if not part:
                            return reply
                        reply += part
                    except TimeoutError:
                        try:
                            connection.sendall(trickle)
                        except OSError:
                            pass
                    except ConnectionResetError:
                        return reply
            self.fail("the connection was kept")
        self.assertEqual(lasts(b""), b"")
        self.assertIn(b" 408 ", lasts(b"GET / HTTP/1.1\r\nX: ", b"a"))
        body = f"PUT /v1/files/f HTTP/1.1\r\n{HOST}Content-Length: 100000\r\n\r\n".encode()
        self.assertNotIn(b" 201 ", lasts(body))
        self.assertNotIn(b" 201 ", lasts(body, b"x"))
        self.assertEqual(self.ask("GET", listing("/")).json()["entries"], [])

    def test_connections_are_counted(self):
        self.settings(connections=3)
        self.serve()
        idle = [self.connect() for _ in range(3)]
        for connection in idle:
            connection.sendall(f"GET /v1/status HTTP/1.1\r\n{HOST}\r\n".encode())
            self.assertTrue(connection.recv(20).startswith(b"HTTP/1.1 200"))
        self.assertEqual(Reply(self.raw("")).status, 503)
        idle.pop().close()
        self.wait_until(lambda: self.ask("GET", "/v1/status").status == 200)
        for connection in idle:
            connection.close()

    def test_what_is_under_way_ends_when_the_daemon_stops(self):
        daemon = self.serve()
        idle = self.connect()
        with self.connect() as connection:
            connection.sendall(f"PUT /v1/files/f HTTP/1.1\r\n{HOST}Expect: 100-continue\r\nContent-Length: 6\r\n\r\n"
                               .encode())
            self.assertTrue(connection.recv(100).startswith(b"HTTP/1.1 100 "))
            stopping = threading.Thread(target=self.stop, args=(daemon,))
            stopping.start()
            self.assertEqual(idle.recv(1), b"")  # closed at once
            connection.sendall(b"abcdef" + NEXT.encode())
            reply = self.receive(connection)
            stopping.join()
        self.assertTrue(reply.startswith(b"HTTP/1.1 201 "), reply)
        self.assertIn(b"Connection: close", reply)
        self.assertEqual(reply.count(b"HTTP/1.1 "), 1)
        idle.close()
        self.serve()
        self.assertEqual(self.ask("GET", "/v1/files/f").body, b"abcdef")

    def test_what_does_not_end_is_cut_off_then(self):
        self.settings(drain_timeout="200ms")
        daemon = self.serve()
        with self.connect() as connection:
            connection.sendall(f"PUT /v1/files/f HTTP/1.1\r\n{HOST}Expect: 100-continue\r\nContent-Length: 6\r\n\r\n"
                               .encode())
            self.assertTrue(connection.recv(100).startswith(b"HTTP/1.1 100 "))
            self.stop(daemon)
            self.assertNotIn(b" 201 ", self.receive(connection))


if __name__ == "__main__":
    unittest.main()
