"""GET /v1/events and firn events: what changes, by every door, without a gap and without repetition."""
import json
import os
import re
import select
import signal
import socket
import subprocess
import time
import unittest

from firn_cli import DEADLINE_S, FIRN
from served import ServedTest


class Stream:
    """A connection that follows."""

    def __init__(self, port, query="", last_id=None, token=None, receive_bytes=0):
        self.connection = socket.socket()
        if receive_bytes:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.connection.settimeout(DEADLINE_S)
        self.connection.connect(("127.0.0.1", port))
        headers = f"Host: localhost\r\n{f'Last-Event-ID: {last_id}' if last_id else 'X-None: 1'}\r\n"
        if token:
            headers += f"Authorization: Bearer {token}\r\n"
        self.connection.sendall(f"GET /v1/events?{query} HTTP/1.1\r\n{headers}\r\n".encode())
        self.file = self.connection.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        self.headers = {}
        while line := self.file.readline().strip():
            name, _, value = line.decode().partition(": ")
            self.headers[name.lower()] = value
        self.lines = self._lines() if self.status == 200 else None
        self.last_id = ""

    def _lines(self):
        """Lines of the chunked body."""
        pending = b""
        while size := int(self.file.readline() or b"0", 16):
            pending += self.file.read(size)
            self.file.readline()
            *whole, pending = pending.split(b"\n")
            yield from whole

    def body(self):
        return json.loads(self.file.read(int(self.headers["content-length"])))

    def next(self):
        """The next event as (type, object), None at the end; `last_id` follows."""
        kind, data, last_id = "", None, self.last_id
        for line in self.lines:
            if line.startswith(b"id: "):
                last_id = line[4:].decode()
            elif line.startswith(b"event: "):
                kind = line[7:].decode()
            elif line.startswith(b"data: "):
                data = json.loads(line[6:])
            elif not line:
                self.last_id = last_id
                if data is not None:
                    return kind, data
                return "", None
        return None

    def event(self):
        while True:
            found = self.next()
            if found is None or found[1] is not None:
                return found[1] if found else None

    def until(self, path, event="created"):
        """Events up to the one of that path and kind."""
        seen = []
        while not seen or (seen[-1]["path"], seen[-1]["event"]) != (path, event):
            one = self.event()
            if one is None:
                raise AssertionError(f"the stream ended before {event} {path}: {seen}")
            seen.append(one)
        return seen

    def close(self):
        self.file.close()
        self.connection.close()


def brief(event):
    return event["event"] + " " + (event["from"] + " -> " if "from" in event else "") + event["path"]


class EventsTest(ServedTest):
    def setUp(self):
        super().setUp()
        self.streams = []
        self.succeed("init", self.volume)

    def tearDown(self):
        for stream in self.streams:
            stream.close()
        super().tearDown()

    def event_settings(self, **values):
        file = self.volume / "firn.toml"
        lines = "".join(f"{key} = {value}\n" for key, value in values.items())
        file.write_text(file.read_text().replace("[events]\n", "[events]\n" + lines, 1))

    def follow(self, query="", **options):
        stream = Stream(self.port, query, **options)
        self.streams.append(stream)
        if stream.status == 200:
            self.assertEqual(stream.next(), ("", None))  # its cursor
        return stream

    def put(self, path, body=b"x"):
        self.assertLess(self.ask("PUT", "/v1/files" + path, body).status, 300)

    def there(self, *options):
        """What firn events tells of what there is."""
        text = self.succeed("events", self.volume, "--no-follow", "--json", *options)
        return [json.loads(line) for line in text.splitlines()]


class Events(EventsTest):
    def test_changes_are_told_as_they_happen(self):
        self.serve()
        stream = self.follow()
        self.assertEqual(stream.headers["content-type"], "text/event-stream")
        self.ask("POST", "/v1/mkdir?path=/d")
        self.put("/d/f", b"hello")
        self.ask("PATCH", "/v1/meta/d/f", json.dumps({"mode": "0600"}).encode(), Content_Type="application/json")
        self.ask("POST", "/v1/move?from=/d&to=/e")
        self.ask("POST", "/v1/link?from=/e/f&to=/g")
        self.ask("DELETE", "/v1/files/g")
        told = stream.until("/g", "removed")
        self.assertEqual([brief(event) for event in told if event["event"] != "content"],
                         ["created /d", "created /d/f", "attributes /d/f", "renamed /d -> /e", "linked /g", "removed /g"])
        made = told[1]
        self.assertEqual((made["type"], made["size"], made["uid"], made["nlink"]), ("file", 5, os.geteuid(), 1))
        self.assertEqual(made["inode"], self.ask("GET", "/v1/meta/e/f").json()["inode"])
        self.put("/e/f", b"other")
        replaced = stream.until("/e/f", "renamed")[-1]
        self.assertEqual(replaced["replaced"]["inode"], made["inode"])

    def test_a_stream_goes_on_where_it_broke_off(self):
        self.serve()
        first = self.follow()
        whole = self.follow()
        for i in range(20):
            self.put(f"/{i}")
            if i == 10:
                half = first.until("/7")
                first.close()
        rest = self.follow(last_id=first.last_id).until("/19")
        self.assertEqual(half + rest, whole.until("/19"))
        # The header is newer than the address, which a browser keeps.
        again = self.follow(f"since={half[0]['cursor']}", last_id=half[-1]["cursor"])
        self.assertEqual(again.until("/19"), rest)
        self.assertEqual(self.follow(f"since={half[-1]['cursor']}").until("/19"), rest)

    def test_cursors_survive_a_clean_restart_and_no_other_volume_takes_them(self):
        daemon = self.serve()
        self.put("/a")
        seen = self.there()
        self.stop(daemon)
        daemon = self.serve()
        self.put("/b")
        self.assertEqual(self.there("--since", seen[-1]["cursor"]), self.there()[len(seen):])
        self.stop(daemon)
        self.succeed("init", self.folder / "other")
        self.volume = self.folder / "other"
        self.serve()
        gone = self.follow(f"since={seen[-1]['cursor']}")
        self.assertEqual((gone.status, gone.headers["content-type"]), (410, "application/problem+json"))
        self.assertEqual(self.follow(f"since={gone.body()['oldest']}").status, 200)
        refused = self.firn("events", self.volume, "--since", seen[-1]["cursor"])
        self.assert_refused(refused, "another log")

    def test_what_was_acknowledged_has_its_event_after_a_kill(self):
        daemon = self.serve()
        stream = self.follow()
        for i in range(40):
            self.put(f"/{i}")  # which syncs
        told = stream.until("/5")
        daemon.send_signal(signal.SIGKILL)
        daemon.wait(DEADLINE_S)
        self.stop(daemon)
        self.serve()
        rest = self.follow(last_id=stream.last_id).until("/39")
        self.assertEqual([e["path"] for e in told + rest if e["event"] == "created"][-40:], [f"/{i}" for i in range(40)])
        self.assertEqual(told + rest, self.there()[:len(told + rest)])

    def test_what_is_discarded_is_gone(self):
        self.event_settings(keep=16)
        self.serve()
        self.put("/first")
        first = self.there()[0]["cursor"]
        for i in range(30):
            self.put(f"/{i}")
        deadline = time.monotonic() + DEADLINE_S
        while self.ask("GET", f"/v1/events?follow=0&since={first}").status == 200 and time.monotonic() < deadline:
            time.sleep(0.2)
        stream = self.follow(f"since={first}")
        self.assertEqual(stream.status, 410)
        oldest = stream.body()["oldest"]
        self.assertEqual(self.follow(f"since={oldest}").event(), self.follow("since=oldest").event())
        self.assertIn(len(self.there()), range(16, 19))
        self.assert_refused(self.firn("events", self.volume, "--since", first, "--no-follow"), "discarded")

    def test_a_log_that_is_switched_off_ends_every_cursor(self):
        daemon = self.serve()
        self.put("/a")
        cursor = self.there()[-1]["cursor"]
        self.stop(daemon)
        self.event_settings(keep=0)
        daemon = self.serve()
        self.assertEqual(self.follow().status, 501)
        self.put("/unseen")
        self.stop(daemon)
        file = self.volume / "firn.toml"
        file.write_text(file.read_text().replace("keep = 0", "keep = 100"))
        self.serve()
        self.assertEqual(self.follow(f"since={cursor}").status, 410)
        self.assertEqual(self.there(), [])

    def test_a_folder_shows_what_crosses_its_border(self):
        self.serve()
        for folder in ("/p", "/q"):
            self.ask("POST", f"/v1/mkdir?path={folder}")
        self.put("/q/old")
        stream = self.follow("path=/p")
        token = self.token("--path", "/p")
        scoped = self.follow("path=/p/", token=token)
        self.put("/p/a")
        self.put("/q/b")
        self.put("/pp")
        self.ask("POST", "/v1/move?from=/q/b&to=/p/b")
        self.ask("POST", "/v1/move?from=/p/a&to=/q/a")
        self.ask("POST", "/v1/move?from=/q&to=/p/q")
        self.ask("POST", "/v1/move?from=/p&to=/z")
        self.ask("POST", "/v1/mkdir?path=/p")
        told = stream.until("/p")
        self.assertEqual([brief(e) for e in told if e["event"] != "content"],
                         ["created /p/a", "created /p/b", "removed /p/a", "created /p/q", "removed /p", "created /p"])
        self.assertEqual(scoped.until("/p"), told)
        for query, status in (("", 403), ("path=/q", 403), ("path=/p/../q", 403), ("path=/", 403), ("path=/pp", 403)):
            self.assertEqual(self.follow(query, token=token).status, status, query)

    def test_only_those_who_may_see_everything_follow(self):
        self.serve()
        self.assertEqual(self.follow(token=self.token()).status, 200)
        self.assertEqual(self.follow(token=self.token("--uid", "1234", "--gid", "1234")).status, 403)
        self.assertEqual(self.ask("GET", "/v1/events?follow=0", Host="elsewhere").status, 403)

    def test_nonsense_is_refused(self):
        self.serve()
        for query in ("since=x", "since=0000000000000000", "since=0123456789abcdef-1x", "follow=2", "path=a",
                      "path=/a/../b", "since=", "since=-1"):
            self.assertEqual(self.follow(query).status, 400, query)
        self.assertEqual(self.follow(last_id="nonsense").status, 400)
        ahead = self.there() or [{"cursor": self.follow().last_id}]
        log = ahead[-1]["cursor"].split("-")[0]
        self.assertEqual(self.follow(f"since={log}-{2**63}").status, 410)
        self.assertEqual(self.ask("HEAD", "/v1/events").status, 200)

    def test_streams_are_limited_and_end_with_the_daemon(self):
        self.event_settings(streams=2)
        daemon = self.serve()
        kept = [self.follow(), self.follow()]
        refused = self.follow()
        self.assertEqual((refused.status, refused.headers["retry-after"]), (503, "10"))
        self.assertIn("firn_event_streams 2", self.ask("GET", "/metrics").body.decode())
        kept.pop().close()
        self.put("/a")  # what finds that nobody listens any more
        deadline = time.monotonic() + DEADLINE_S
        while self.follow().status != 200:
            self.assertLess(time.monotonic(), deadline)
            self.put("/a")
            time.sleep(0.1)
        started = time.monotonic()
        self.stop(daemon)
        self.assertLess(time.monotonic() - started, 4)  # not cut off: Limits::drain_timeout_ns
        while kept[0].event() is not None:
            pass


class CommandLine(EventsTest):
    def test_it_follows_and_connects_again(self):
        daemon = self.serve()
        follower = subprocess.Popen([FIRN, "events", self.volume, "--json", "--since", "oldest"], stdin=subprocess.DEVNULL,
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            self.put("/a")
            seen = []

            def read_until(path):
                while not seen or seen[-1]["path"] != path:
                    ready, _, _ = select.select([follower.stdout], [], [], DEADLINE_S)
                    self.assertTrue(ready, seen)
                    seen.append(json.loads(os.read(follower.stdout.fileno(), 1 << 20).decode().splitlines()[-1]))

            read_until("/a")
            self.stop(daemon)
            self.serve()
            self.put("/b")
            read_until("/b")
        finally:
            follower.kill()
            follower.communicate()

    def test_what_it_prints(self):
        self.serve()
        self.put("/a")
        self.ask("POST", "/v1/move?from=/a&to=/b")
        lines = self.succeed("events", self.volume, "--no-follow").splitlines()
        self.assertTrue(lines[-1].endswith("renamed    /a -> /b"), lines)
        self.assertRegex(lines[0], r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ")
        done = self.run_program(FIRN, "events", "/", "--url", f"http://127.0.0.1:{self.port}", "--no-follow")
        self.assertEqual(done.stdout.splitlines(), lines)
        self.assert_refused(self.firn("events", self.volume, "--since", "x"), "cursor")


class Mounted(EventsTest):
    """What programs do on a mount."""

    def setUp(self):
        super().setUp()
        self.settings(listen=["127.0.0.1:0"])
        self.succeed("mount", self.volume, self.mount_point)
        self.mounted.append((self.volume, self.mount_point))
        log = (self.volume / "firn.log").read_text()
        self.port = int(re.search(r"http: serving http://127.0.0.1:(\d+)", log).group(1))

    def test_a_mount_and_http_are_one_story(self):
        mount = self.mount_point
        (mount / "d").mkdir()
        with open(mount / "d" / "f", "w", encoding="utf-8") as file:
            for _ in range(100):
                file.write("some text\n")
                file.flush()
        os.rename(mount / "d", mount / "e")
        os.chmod(mount / "e" / "f", 0o600)
        self.succeed("mkdir", f"{self.volume}:/h")
        os.truncate(mount / "e" / "f", 3)
        os.unlink(mount / "e" / "f")
        os.rmdir(mount / "e")
        told = [brief(event) for event in self.there("--since", "oldest")]
        # One of the close, which may come after the rename, and one of the truncation.
        self.assertEqual(sum(line.startswith("content /") for line in told), 2, told)
        self.assertEqual([line for line in told if not line.startswith("content ")],
                         ["created /d", "created /d/f", "renamed /d -> /e", "attributes /e/f", "created /h",
                          "removed /e/f", "removed /e"])

    def test_a_slow_reader_costs_no_memory(self):
        pid = json.loads(self.succeed("status", self.volume, "--json"))["pid"]
        slow = self.follow("since=oldest", receive_bytes=4096)  # reads no more
        folder = self.mount_point / ("n" * 200)
        folder.mkdir()

        def resident():
            with open(f"/proc/{pid}/status", encoding="utf-8") as status:
                return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

        def change(many):
            for i in range(many):
                os.chmod(folder, 0o700 + i % 2)
            self.assertEqual(len(self.there("--since", slow.last_id)) % 1000, 1)

        change(4000)
        before = resident()
        change(12000)
        self.assertLess(resident() - before, 8 << 10)
        self.assertEqual([slow.event()["cursor"] for _ in range(16001)], [event["cursor"] for event in self.there()])

    def test_a_kill_takes_no_event_that_a_program_was_promised(self):
        stream = self.follow()
        for i in range(200):
            (self.mount_point / str(i)).mkdir()
        fd = os.open(self.mount_point, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)
        told = stream.until("/99")
        self.kill_daemon(self.volume)
        subprocess.run(["umount", "-l", str(self.mount_point)], check=True)
        self.succeed("mount", self.volume, self.mount_point)
        rest = self.there("--since", told[-1]["cursor"])
        self.assertEqual([event["path"] for event in told + rest], [f"/{i}" for i in range(200)])


if __name__ == "__main__":
    unittest.main()
