"""What the command line makes of a server whose answers are odd: whole numbers, far times, and no crash."""
import json
import os
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from firn_cli import DEADLINE_S, FIRN, FirnTest

FAR_S = str(2**63 - 1)  # a year that no calendar has
ENTRY = {"name": "f", "type": "file", "mode": "0644", "nlink": 1, "uid": 0, "gid": 0, "size": 1, "mtime": "0"}
# JSON objects that are no answer, for each command.
ODD = {
    ("ls", "-l", "/"): ({}, {"entries": 1, "next": None}, {"entries": [[]], "next": None},
                        {"entries": [{**ENTRY, "size": "x"}], "next": None}, {"entries": [{**ENTRY, "mtime": 1}], "next": None}),
    ("wal",): ({}, {"pending": [1]}, {"pending": [{"bytes": "many"}]}),
    ("tier", "ls", "/"): ({}, {"entries": [1]}, {"entries": [{"size": {}}], "next": None}),
    ("status",): ({"health": 1}, {"mount": 1}, {"mount": {"requests": 1}}, {"reasons": [1]}, {"tiers": []}, {"usage": 7}),
    ("events", "/", "--no-follow"): ({"event": "created", "inode": "x"}, {"event": "created", "path": None, "inode": []}),
}


class Server:
    """Answers every request with `answer`: JSON, or bytes as they are."""

    def __init__(self):
        self.answer = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):  # pylint: disable=invalid-name
                events = "/events" in self.path
                body = outer.answer if isinstance(outer.answer, bytes) else json.dumps(outer.answer).encode()
                body = b"id: 1\ndata: " + body + b"\n\n" if events else body
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream" if events else "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join(DEADLINE_S)
        self.server.server_close()


class Answers(FirnTest):
    def setUp(self):
        super().setUp()
        self.server = Server()
        self.addCleanup(self.server.close)

    def ask(self, answer, *command):
        self.server.answer = answer
        url = f"http://127.0.0.1:{self.server.server.server_port}"
        environment = {**os.environ, "HOME": str(self.folder), "TZ": "UTC"}
        return self.run_program(FIRN, *command, "--url", url, env=environment)

    def test_odd_json_is_a_failure_that_says_so(self):
        for command, answers in ODD.items():
            for answer in answers:
                with self.subTest(command=command, answer=answer):
                    self.assert_refused(self.ask(answer, *command), "the daemon's answer makes no sense")
            with self.subTest(command=command):
                self.assert_refused(self.ask(b"[]", *command), "not JSON")

    def test_times_that_no_calendar_has_are_shown_as_seconds(self):
        listed = self.ask({"entries": [{**ENTRY, "mtime": FAR_S}, {**ENTRY, "mtime": "0"}], "next": None}, "ls", "-l", "/")
        self.assertEqual(listed.returncode, 0, listed.stderr)
        self.assertRegex(listed.stdout, rf" {FAR_S} f\n.* 1970-01-01 00:00 f\n")
        shown = self.ask({"type": "file", "mtime": FAR_S + ".5", "ctime": "1.000000005"}, "stat", "/f")
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertRegex(shown.stdout, rf"mtime +{FAR_S}\n +ctime +1970-01-01 00:00:01\.000000005 \+0000\n")
        event = self.ask({"event": "created", "time": FAR_S, "path": "/f"}, "events", "/", "--no-follow")
        self.assertRegex(event.stdout, rf"^{FAR_S} created +/f\n$")

    def test_sizes_are_for_people(self):
        listed = self.ask({"entries": [{"name": "f", "size": 3 << 20}], "next": None}, "tier", "ls", "/")
        self.assertRegex(listed.stdout, r" 3\.00 MiB .* f\n")
        shown = self.ask({"type": "file", "size": 1536, "allocated": 100}, "stat", "/f")
        self.assertRegex(shown.stdout, r"size +1536 \(1\.50 KiB\)\n +allocated +100\n")

    def test_large_numbers_are_shown_whole(self):
        large = 2**33 + 7
        listed = self.ask({"entries": [{**ENTRY, "nlink": large, "uid": 2**32 - 1}], "next": None}, "ls", "-l", "/")
        self.assertIn(f" {large} {2**32 - 1} ", listed.stdout)
        event = self.ask({"event": "content", "time": "0", "path": None, "inode": large}, "events", "/", "--no-follow")
        self.assertIn(f"inode {large}", event.stdout)
        status = self.ask({"health": "ok", "usage": {"inodes": large}, "unsynced": {"commits": large},
                           "mount": {"requests": {"uring": large, "dev": large}}}, "status")
        self.assertEqual(status.returncode, 0, status.stderr)
        for words in (f"{large} inodes", f"{large} commits", f"{large} over uring, {large} over dev"):
            self.assertIn(words, status.stdout)


if __name__ == "__main__":
    unittest.main()
