"""Progress of what takes long: on a terminal how fast it goes and how long it still takes, and nothing elsewhere."""
import contextlib
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import threading
import time
import unittest

from firn_cli import DEADLINE_S, FIRN
from relay import Relay
from served import ServedTest

MIB = 1 << 20
FILES = 300
SIZE = r"[\d.]+ [kKMG]?i?B"
LEFT = r", (\d+[hms]+)+ left"


class SlowServer(Relay):
    """What passes to the daemon waits a little, and so do bytes."""

    def __init__(self, port, delay_s, bytes_per_s):
        self.delay_s, self.bytes_per_s = delay_s, bytes_per_s
        super().__init__(port)

    def pass_on(self, source, sink, to_server):
        while data := source.recv(self.PIECE):
            time.sleep(self.delay_s / 2 + len(data) / self.bytes_per_s)
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


class ShortPages(Relay):
    """Listings come by so few entries at once, and something happens before the second page."""

    def __init__(self, port, entries, between):
        self.limit, self.between, self.asked, self.pages = f"limit={entries:05}".encode(), between, 0, []
        super().__init__(port)

    def pass_on(self, source, sink, to_server):
        while data := source.recv(self.PIECE):
            if to_server and b"limit=10000" in data:
                data = data.replace(b"limit=10000", self.limit)
                self.asked += 1
                if self.asked == 2:
                    self.between()
            if not to_server and b'"entries"' in data:
                listed = json.loads(data[data.index(b"\r\n\r\n") + 4:])
                self.pages.append([entry["name"] for entry in listed["entries"]])
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


def screen_after(text):
    """The lines that a terminal shows in the end, the one with the cursor last."""
    lines, column = [""], 0
    for piece in re.findall(r"\x1b\[K|[\r\n]|[^\x1b\r\n]+", text):
        if piece == "\x1b[K":
            lines[-1] = lines[-1][:column]
        elif piece == "\n":
            lines, column = [*lines, ""], 0
        elif piece == "\r":
            column = 0
        else:
            lines[-1] = lines[-1][:column] + piece + lines[-1][column + len(piece):]
            column += len(piece)
    return lines


class ProgressTest(ServedTest):
    def setUp(self):
        super().setUp()
        self.init()
        self.serve()

    def slowly(self, delay_s=0.0, bytes_per_s=1 << 40):
        server = SlowServer(self.port, delay_s, bytes_per_s)
        self.addCleanup(server.close)
        return "--url", f"http://127.0.0.1:{server.port}"

    def on_terminal(self, *words):
        """What a terminal is told on standard error."""
        controller, terminal = pty.openpty()
        told = b""
        try:
            # pylint: disable-next=consider-using-with
            program = subprocess.Popen([FIRN, *map(str, words)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=terminal)
            os.close(terminal)
            deadline = time.monotonic() + DEADLINE_S
            while True:
                ready, _, _ = select.select([controller], [], [], max(0, deadline - time.monotonic()))
                self.assertTrue(ready, "it does not end")
                try:
                    told += os.read(controller, 65536)
                except OSError:  # nobody holds the other end any more
                    break
            program.stdout.close()
            self.assertEqual(program.wait(DEADLINE_S), 0, told)
        finally:
            os.close(controller)
        return told.decode().replace("\r\n", "\n")

    def assert_bar(self, told, what, rate):
        frames = [frame.removesuffix("\x1b[K") for frame in told.split("\r") if frame.startswith(what + " [")]
        self.assertGreater(len(frames), 2, told)
        for frame in frames:
            self.assertRegex(frame, rf"^{what} \[#* *\] \d+/\d+ files, {rate}({LEFT})?$")
        self.assertTrue(any(re.search(LEFT, frame) for frame in frames), frames)
        done = [frame.count("#") for frame in frames]
        self.assertEqual(done, sorted(done))
        self.assertGreater(done[-1], done[0])
        # Nothing of it is left, and what is told next begins a line.
        self.assertEqual(screen_after(told), [""])

    def assert_silent(self, *words):
        done = self.firn(*words)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def make_tree(self, folder, size=100):
        for i in range(FILES):
            path = folder / f"d{i % 10}"
            path.mkdir(parents=True, exist_ok=True)
            (path / f"file{i}").write_bytes(b"x" * size)

    def test_put_and_get(self):
        source = self.folder / "source"
        source.write_bytes(os.urandom(24 * MIB))
        by_bytes = rf"{SIZE} of {SIZE}, {SIZE}/s"
        slow = self.slowly(bytes_per_s=12 * MIB)
        self.assert_bar(self.on_terminal("put", *slow, source, "/file"), "putting", by_bytes)
        self.assert_bar(self.on_terminal("get", *slow, "/file", self.folder / "got"), "getting", by_bytes)
        self.assertTrue((self.folder / "got").read_bytes() == source.read_bytes())
        self.assert_silent("put", *slow, source, "/second")
        self.assert_silent("get", *slow, "/file", self.folder / "again")

    def test_cp_and_rm(self):
        self.make_tree(self.folder / "tree")
        self.succeed("put", "-r", self.folder / "tree", f"{self.volume}:/")
        slow = self.slowly(delay_s=0.02)
        self.assert_bar(self.on_terminal("cp", "-r", *slow, "/tree", "/copy"), "copying", rf"{SIZE} of {SIZE}, {SIZE}/s")
        self.assertEqual(len(self.succeed("find", f"{self.volume}:/copy").splitlines()), FILES + 11)
        self.assert_bar(self.on_terminal("rm", "-r", *slow, "/copy"), "removing", r"\d+/s")
        self.assert_silent("cp", "-r", *slow, "/tree", "/copy")
        self.assert_silent("rm", "-r", *slow, "/tree", "/copy")
        self.assertEqual(self.succeed("ls", f"{self.volume}:/"), "")

    @contextlib.contextmanager
    def slow_daemon(self):
        """It is stopped nine tenths of the time."""
        ended = threading.Event()

        def hinder():
            while not ended.wait(0.01):
                os.kill(self.daemons[0].pid, signal.SIGSTOP)
                ended.wait(0.09)
                os.kill(self.daemons[0].pid, signal.SIGCONT)

        hindering = threading.Thread(target=hinder)
        hindering.start()
        try:
            yield
        finally:
            ended.set()
            hindering.join(DEADLINE_S)

    def test_migrate(self):
        (self.folder / "tree").mkdir()
        for i in range(40):
            (self.folder / "tree" / f"file{i}").write_bytes(os.urandom(MIB) * 8)
        with self.slow_daemon():
            told = self.on_terminal("migrate", self.volume, "--from", self.folder / "tree")
        self.assert_bar(told, "migrating", rf"{SIZE} of {SIZE}, {SIZE}/s")
        self.assert_silent("migrate", self.volume, "--from", self.folder / "tree", "--into", "/again")


class RemovalTest(ServedTest):
    """rm -r removes several at once, whatever else happens in the tree."""

    def setUp(self):
        super().setUp()
        self.init()
        self.serve()

    def names(self):
        return [entry["name"] for entry in self.ask("GET", "/v1/ls/?recursive=1").json()["entries"]]

    def test_a_tree_of_all_kinds(self):
        for i in range(40):
            self.ask("POST", f"/v1/mkdir?path=/tree/{i % 4}/{i % 7}/{i}&parents=1")
            self.ask("PUT", f"/v1/files/tree/{i % 4}/{i % 7}/file{i}", b"x")
        self.ask("POST", "/v1/symlink?path=/tree/0/out&target=/kept")
        self.ask("PUT", "/v1/files/kept", b"x")
        self.ask("PUT", "/v1/files/tree/" + "%ff", b"x")
        count = len(self.names()) - 1
        done = self.succeed("rm", "-r", "--json", "-j", "8", f"{self.volume}:/tree")
        self.assertEqual(done.strip(), f'{{"removed":{count}}}')
        self.assertEqual(self.names(), ["kept"])
        self.refuse("rm", "-r", f"{self.volume}:/tree", words=["tree", "not found"])

    def test_while_others_add_to_it(self):
        self.ask("POST", "/v1/mkdir?path=/tree/a/b&parents=1")
        for i in range(200):
            self.ask("PUT", f"/v1/files/tree/a/file{i}", b"x")
        stop = threading.Event()

        def add():
            for i in range(30):
                self.ask("POST", f"/v1/mkdir?path=/tree/a/b/new{i}&parents=1")
                if stop.wait(0.005):
                    return

        adding = threading.Thread(target=add)
        adding.start()
        try:
            done = self.firn("rm", "-r", f"{self.volume}:/tree")
        finally:
            stop.set()
            adding.join(DEADLINE_S)
        if done.returncode != 0:
            self.assertIn("others keep putting something there", done.stderr)
        self.firn("rm", "-rf", f"{self.volume}:/tree")
        self.assertEqual(self.names(), [])

    def test_a_folder_that_came_where_the_listing_had_passed(self):
        """Of it the next page has what is in it, and not itself."""
        for folder, names in (("tree", "abcd"), ("aside", "xy")):
            self.ask("POST", f"/v1/mkdir?path=/{folder}")
            for name in names:
                self.assertEqual(self.ask("PUT", f"/v1/files/{folder}/{name}", b"x").status, 201)

        def between_pages():
            self.ask("DELETE", "/v1/files/tree/c")
            self.assertEqual(self.ask("POST", "/v1/move?from=/aside&to=/tree/c").status, 204)

        relay = ShortPages(self.port, 3, between_pages)
        try:
            done = self.firn("rm", "-r", "--url", f"http://127.0.0.1:{relay.port}", "/tree",
                             env={**os.environ, "FIRN_TOKEN": self.token("--write")})
        finally:
            relay.close()
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(relay.pages[1], ["c/x", "c/y", "d"])
        self.assertEqual(self.names(), [])

    def test_a_failure_ends_it(self):
        self.ask("POST", "/v1/mkdir?path=/open&mode=777")
        self.ask("POST", "/v1/mkdir?path=/open/tree/locked&parents=1")
        for i in range(20):
            self.ask("PUT", f"/v1/files/open/tree/locked/file{i}", b"x")
        token = self.token("--write", "--uid", "1234", "--gid", "1234")
        environment = {**os.environ, "FIRN_TOKEN": token}
        done = self.firn("rm", "-r", "--url", f"http://127.0.0.1:{self.port}", "/open/tree", env=environment)
        self.assert_refused(done, "/open/tree/locked/file", "permission denied")
        self.assertEqual(len(self.names()), 23)


if __name__ == "__main__":
    unittest.main()
