"""Conditions hold whatever comes through the other doors at that moment."""
import ctypes
import json
import os
import random
import re
import threading
import time
import unittest

from served import ServedTest

AT_FDCWD = -100
RENAME_EXCHANGE = 2
SECONDS = 6


def exchange(one, other):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), other)


class Conditions(ServedTest):
    def setUp(self):
        super().setUp()
        self.init()
        self.settings(listen=["127.0.0.1:0"])
        self.mount()
        self.file = self.mount_point / "file"
        log = (self.volume / "firn.log").read_text()
        self.port = int(re.search(r"serving http://\S+:(\d+)", log).group(1))

    def exchange_versions(self, ended, versions, displaced):
        """Through the mount: each version that is put into place comes out with what it displaced."""
        dice, other = random.Random(4), self.mount_point / "other"
        while not ended.is_set():
            versions.append(f"mount {len(versions)}")
            other.write_text(versions[-1])
            exchange(other, self.file)
            # Not from the mount, which may not know yet what it has exchanged.
            displaced.append(self.ask("GET", "/v1/files/other").body.decode())
            self.ask("DELETE", "/v1/files/other")
            time.sleep(dice.uniform(0, 0.02))

    def test_no_version_is_lost_between_the_mount_and_puts_with_if_match(self):
        """Each version that ever had the name was displaced once, by whoever saw it, or has it still."""
        self.file.write_text("the first")
        versions, mount_versions, displaced, mount_displaced = ["the first"], [], [], []
        ended = threading.Event()
        writer = threading.Thread(target=self.exchange_versions, args=(ended, mount_versions, mount_displaced))
        writer.start()
        refused = 0
        deadline = time.monotonic() + SECONDS
        try:
            while time.monotonic() < deadline or not displaced:
                self.assertTrue(writer.is_alive())
                self.assertLess(time.monotonic(), deadline + 60, "no PUT ever succeeds")
                seen = self.ask("GET", "/v1/files/file")
                if seen.status != 200 or "etag" not in seen.headers:
                    continue
                body = f"put {len(versions)}"
                done = self.ask("PUT", "/v1/files/file", body.encode(), If_Match=seen.headers["etag"])
                self.assertIn(done.status, (204, 412), done.body)
                if done.status == 412:
                    refused += 1
                    continue
                versions.append(body)
                displaced.append(seen.body.decode())
        finally:
            ended.set()
            writer.join()
        versions += mount_versions
        last = self.ask("GET", "/v1/files/file").body.decode()
        self.assertEqual(sorted(displaced + mount_displaced + [last]), sorted(versions),
                         f"{len(displaced)} puts, {refused} refused, {len(mount_versions)} exchanges")

    def test_what_is_being_replaced_is_there_all_the_time(self):
        self.file.write_bytes(b"x" * 30_000)
        ended = threading.Event()

        def put():
            while not ended.is_set():
                self.ask("PUT", "/v1/files/file", os.urandom(30_000))
        writers = [threading.Thread(target=put) for _ in range(2)]
        for writer in writers:
            writer.start()
        change = json.dumps({"mtime": "1700000000.5", "xattrs": {"user.a": "b"}}).encode()
        deadline = time.monotonic() + SECONDS
        try:
            while time.monotonic() < deadline:
                for method, target, body in (("GET", "/v1/meta/file", b""), ("PATCH", "/v1/meta/file", change),
                                             ("GET", "/v1/files/file", b""), ("PATCH", "/v1/files/file?offset=3", b"abc"),
                                             ("POST", "/v1/copy?from=/file&to=/copy", b"")):
                    answer = self.ask(method, target, body)
                    self.assertIn(answer.status, (200, 201, 204), (method, target, answer.body[:200]))
        finally:
            ended.set()
            for writer in writers:
                writer.join()

    def test_while_a_program_may_write_past_the_daemon_no_condition_holds(self):
        """A large file is written by the kernel itself: nobody can tell whether it is still the version that was seen."""
        self.file.write_bytes(b"x" * 100_000)
        status = json.loads(self.succeed("status", self.volume, "--json"))
        with open(self.file, "r+b", buffering=0):
            tag = self.ask("GET", "/v1/files/file").headers["etag"]
            if status["mount"]["passthrough"]:
                self.assertEqual(self.ask("DELETE", "/v1/files/file", If_Match=tag).status, 409)
                self.assertEqual(self.ask("PUT", "/v1/files/file", b"new", If_Match=tag).status, 409)
        # Closed, it is waited for.
        tag = self.ask("GET", "/v1/files/file").headers["etag"]
        self.assertEqual(self.ask("PUT", "/v1/files/file", b"new", If_Match=tag).status, 204)
        self.assertEqual(self.ask("GET", "/v1/files/file").body, b"new")


if __name__ == "__main__":
    unittest.main()
