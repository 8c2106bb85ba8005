"""Content over HTTP: conditions, ranges, PATCH."""
import email
import os
import threading
import unittest

from served import ServedTest


class Files(ServedTest):
    def setUp(self):
        super().setUp()
        self.init()
        self.serve()

    def put(self, path, body, **headers):
        reply = self.ask("PUT", "/v1/files" + path, body, **headers)
        self.assertIn(reply.status, (201, 204), reply.body)
        return reply

    def test_a_tag_names_a_version(self):
        tag = self.put("/f", b"first").headers["etag"]
        self.assertRegex(tag, '^"[^"]+"$')
        got = self.ask("GET", "/v1/files/f")
        self.assertEqual(got.headers["etag"], tag)
        self.assertEqual(self.ask("HEAD", "/v1/files/f").headers["etag"], tag)
        same = self.ask("GET", "/v1/files/f", If_None_Match=tag)
        self.assertEqual((same.status, same.body, same.headers["etag"]), (304, b"", tag))
        self.assertEqual(self.ask("GET", "/v1/files/f", If_Modified_Since=got.headers["last-modified"]).status, 304)
        self.assertEqual(self.ask("GET", "/v1/files/f", If_Match='"other"').status, 412)
        self.assertEqual(self.put("/f", b"again", If_Match=tag).status, 204)
        refused = self.ask("PUT", "/v1/files/f", b"lost", If_Match=tag)
        self.assertEqual((refused.status, refused.json()["status"]), (412, 412))
        self.assertEqual(self.ask("GET", "/v1/files/f", If_None_Match=tag).body, b"again")

    def test_what_is_written_on_a_mount_changes_the_tag(self):
        self.stop(self.daemons[0])
        self.mounted.append((self.volume, self.mount_point))
        self.succeed("mount", self.volume, self.mount_point)
        file = self.mount_point / "f"
        tags = set()
        for text in ("aaa", "bbb", "ccc"):
            file.write_text(text)
            done = self.run_program("curl", "-sSi", "--unix-socket", self.volume / "firn.sock", "http://localhost/v1/files/f")
            self.assertTrue(done.stdout.endswith(text), done.stdout + done.stderr)
            tags.update(line for line in done.stdout.splitlines() if line.startswith("ETag: "))
        self.assertEqual(len(tags), 3, tags)
        self.umount()

    def test_one_creates_where_all_want_to(self):
        statuses = self.at_once(lambda i: self.ask("PUT", "/v1/files/f", b"%d" % i * 1000, If_None_Match="*").status)
        self.assertEqual(sorted(statuses), [201] + [412] * 7)
        body = self.ask("GET", "/v1/files/f").body
        self.assertEqual(body, b"%d" % statuses.index(201) * 1000)

    def test_no_update_is_lost_among_those_who_name_the_version(self):
        self.put("/f", b"0")

        def count(_):
            for _ in range(5):
                while True:
                    got = self.ask("GET", "/v1/files/f")
                    body = b"%d" % (int(got.body) + 1)
                    status = self.ask("PUT", "/v1/files/f", body, If_Match=got.headers["etag"]).status
                    self.assertIn(status, (204, 412))
                    if status == 204:
                        break

        self.at_once(count, 4)
        self.assertEqual(self.ask("GET", "/v1/files/f").body, b"20")

    def at_once(self, work, count=8):
        results = [None] * count
        threads = [threading.Thread(target=lambda i=i: results.__setitem__(i, work(i))) for i in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return results

    def test_ranges(self):
        content = os.urandom(1_000_000)
        tag = self.put("/f", content).headers["etag"]
        one = self.ask("GET", "/v1/files/f", Range="bytes=10-99")
        self.assertEqual((one.status, one.body, one.headers["content-range"]), (206, content[10:100], "bytes 10-99/1000000"))
        self.assertEqual(self.ask("GET", "/v1/files/f", Range="bytes=-5").body, content[-5:])
        several = self.ask("GET", "/v1/files/f", Range="bytes=900000-999999, 0-9, 5-400000")
        self.assertEqual(several.status, 206)
        parts = email.message_from_bytes(b"Content-Type: " + several.headers["content-type"].encode() + b"\r\n" + several.body)
        self.assertEqual([(part["Content-Range"], part.get_payload(decode=True)) for part in parts.get_payload()],
                         [("bytes 0-400000/1000000", content[:400001]), ("bytes 900000-999999/1000000", content[900000:])])
        outside = self.ask("GET", "/v1/files/f", Range="bytes=1000000-")
        self.assertEqual((outside.status, outside.headers["content-range"]), (416, "bytes */1000000"))
        self.assertEqual(self.ask("GET", "/v1/files/f", Range="bytes=0-0", If_Range=tag).status, 206)
        self.put("/f", b"changed")
        self.assertEqual(self.ask("GET", "/v1/files/f", Range="bytes=0-0", If_Range=tag).body, b"changed")
        many = ",".join(f"{i}-{i}" for i in range(65))
        self.assertEqual(self.ask("GET", "/v1/files/f", Range="bytes=" + many).status, 200)

    def test_curl_resumes(self):
        self.put("/f", b"0123456789")
        part = self.folder / "part"
        part.write_bytes(b"01234")
        done = self.curl("-C", "-", "-o", part, f"http://127.0.0.1:{self.port}/v1/files/f")
        self.assertEqual((done.returncode, part.read_bytes()), (0, b"0123456789"), done.stderr)

    def test_patch(self):
        tag = self.put("/f", b"0123456789").headers["etag"]
        written = self.ask("PATCH", "/v1/files/f?offset=2", b"ab", If_Match=tag)
        self.assertEqual((written.status, written.json()), (200, {"size": 10, "written": 2}))
        self.assertEqual(self.ask("PATCH", "/v1/files/f?offset=2", b"cd", If_Match=tag).status, 412)
        self.assertEqual(self.ask("PATCH", "/v1/files/f?append=1", b"+").json()["size"], 11)
        self.assertEqual(self.ask("GET", "/v1/files/f").body, b"01ab456789+")
        self.assertEqual(self.ask("PATCH", "/v1/files/f?truncate=3").json()["size"], 3)
        self.assertEqual(self.ask("GET", "/v1/files/f").body, b"01a")
        large = self.put("/large", b"x" * 1_000_000).headers["etag"]
        again = self.ask("PATCH", "/v1/files/large?offset=999999", b"yz", If_Match=large).headers["etag"]
        self.assertEqual(self.ask("PATCH", "/v1/files/large?truncate=5", If_Match=again).json()["size"], 5)
        for target in ("f", "f?offset=1&append=1", "f?offset=x", "f?truncate=-1", "f?append=2"):
            self.assertEqual(self.ask("PATCH", "/v1/files/" + target, b"x").status, 400, target)
        self.assertEqual(self.ask("PATCH", "/v1/files/none?append=1", b"x").status, 404)

    def test_lines_that_many_append_are_whole(self):
        self.put("/log", b"")
        self.at_once(lambda i: [self.ask("PATCH", "/v1/files/log?append=1", b"%d" % i * 50 + b"\n") for _ in range(5)])
        lines = self.ask("GET", "/v1/files/log").body.splitlines()
        self.assertEqual(sorted(lines), sorted(b"%d" % i * 50 for i in range(8) for _ in range(5)))

    def test_a_large_patch_that_breaks_off_leaves_the_daemon_well(self):
        self.put("/f", b"x")
        self.raw(b"PATCH /v1/files/f?append=1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000000\r\n\r\n" + b"y" * 500_000)
        self.assertEqual(self.ask("PATCH", "/v1/files/f?truncate=1").status, 200)
        self.assertEqual(self.ask("GET", "/v1/files/f").body, b"x")

    def test_what_a_resource_takes(self):
        for method, path, allowed in (("POST", "/v1/files/f", "GET, HEAD, PUT, PATCH, DELETE"), ("GET", "/v1/copy", "POST"),
                                      ("DELETE", "/v1/meta/f", "GET, HEAD, PATCH"), ("TRACE", "/v1/status", "GET, HEAD")):
            reply = self.ask(method, path)
            self.assertEqual((reply.status, reply.headers["allow"]), (405, allowed))
            self.assertEqual(reply.headers["content-type"], "application/problem+json")
        for path in ("/", "/v1", "/v1/work/flush", "/v1/stat", "/v1/admin/none"):
            self.assertEqual(self.ask("GET", path).json()["status"], 404, path)
        self.assertEqual(self.ask("PUT", "/v1/files/f", b"x", Content_Range="bytes 0-0/1").status, 400)


if __name__ == "__main__":
    unittest.main()
