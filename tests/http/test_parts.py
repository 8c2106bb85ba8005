"""Parts of uploads that nobody goes on with: the daemon removes them, and nothing else."""
import json
import os
import signal
import time
import unittest

from firn_cli import NOBODY
from served import ServedTest

LARGE = (64 << 20) + 1  # goes in parts


class PartsTest(ServedTest):
    def setUp(self):
        super().setUp()
        self.init()

    def part_lifetime(self, text):
        file = self.volume / "firn.toml"
        file.write_text(file.read_text().replace("[data]\n", f'[data]\npart_lifetime = "{text}"\n', 1))

    def names(self):
        return sorted(entry["name"] for entry in self.ask("GET", "/v1/ls/?recursive=1").json()["entries"])

    def put(self, path, body=b"", part=False):
        self.assertIn(self.ask("PUT", "/v1/files" + path, body).status, (201, 204))
        if part:
            said = json.dumps({"xattrs": {"user.upload-of": "machine:1:2:3:4:5"}}).encode()
            self.assertEqual(self.ask("PATCH", "/v1/meta" + path, said).status, 200)

    def test_they_go_after_their_lifetime(self):
        self.part_lifetime("3s")
        self.serve()
        self.ask("POST", "/v1/mkdir?path=/d")
        begun = time.monotonic()
        self.put("/.abandoned.firn-part", b"x" * 100_000, part=True)
        self.put("/.begun.firn-part")
        self.put("/.foreign.firn-part", b"not of an upload")
        self.put("/visible.firn-part", b"x", part=True)
        self.put("/.abandoned", b"x", part=True)
        self.put("/d/.abandoned.firn-part", b"x", part=True)
        self.put("/d/.going-on.firn-part", b"x", part=True)
        stays = [".abandoned", ".begun.firn-part", ".foreign.firn-part", "d", "visible.firn-part"]

        def only_one_in_use():
            self.assertEqual(self.ask("PATCH", "/v1/files/d/.going-on.firn-part?append=1", b"x").status, 200)
            time.sleep(0.2)
            return self.names() == [*stays[:4], "d/.going-on.firn-part", stays[4]]

        self.wait_until(only_one_in_use, "what was abandoned stays")
        self.assertGreater(time.monotonic() - begun, 2.5)
        # Beyond its lifetime, which begins anew with each change.
        while time.monotonic() - begun < 9:
            self.assertTrue(only_one_in_use())
        self.wait_until(lambda: self.names() == stays, "what is not gone on with any more stays")

    def test_what_a_put_that_dies_as_it_publishes_leaves_goes_too(self):
        self.part_lifetime("3s")
        self.serve()
        source = self.folder / "source"
        source.touch()
        os.truncate(source, LARGE)
        for step, left, size in (("put.before_mark", ".f.firn-part", 0), ("put.before_move", ".f.firn-part", LARGE),
                                 ("put.after_move", "f", LARGE)):
            died = self.firn("put", source, f"{self.volume}:/f", env={**os.environ, "FIRN_FAILPOINT": step})
            self.assertEqual(died.returncode, -signal.SIGKILL, died.stderr)
            found = self.ask("GET", "/v1/meta/" + left)
            self.assertEqual((found.status, found.json()["size"]), (200, size))
            self.wait_until(lambda: ".f.firn-part" not in self.names(), "what it left stays")
        self.assertEqual(self.names(), ["f"])
        self.succeed("put", source, f"{self.volume}:/whole")
        self.assertEqual(self.ask("GET", "/v1/meta/whole").json()["xattrs"], {})

    def test_what_its_owner_may_not_write_is_no_part_any_more(self):
        self.serve()
        self.ask("POST", "/v1/mkdir?path=/d&mode=0777")
        source = self.folder / "read-only"
        source.touch(mode=0o444)
        os.truncate(source, LARGE)
        token = self.token("--write", "--uid", str(NOBODY))
        url = f"http://127.0.0.1:{self.port}"
        folder = self.folder / "folder"
        folder.mkdir()
        source.rename(folder / "f")
        done = self.firn("put", "-r", folder, "/d/copy", "--url", url, env={**os.environ, "FIRN_TOKEN": token})
        self.assertEqual(done.returncode, 0, done.stderr)
        found = self.ask("GET", "/v1/meta/d/copy/f").json()
        self.assertEqual((found["uid"], found["mode"][-3:], found["xattrs"]), (NOBODY, "444", {}))

    def test_they_can_be_kept_for_ever(self):
        self.part_lifetime("0s")
        self.serve()
        self.put("/.abandoned.firn-part", b"x", part=True)
        time.sleep(4)
        self.assertEqual(self.names(), [".abandoned.firn-part"])


if __name__ == "__main__":
    unittest.main()
