"""A log that programs append to through the mount and others over HTTP: each line has a place of its own."""
import os
import unittest

from test_pages import PagesTest

MANY = 2_000_000


class Append(PagesTest):
    def setUp(self):
        super().setUp()
        self.init()
        self.mount_and_serve()
        self.path = self.mount_point / "log"

    def again(self, *options):
        self.umount()
        self.succeed("mount", self.volume, self.mount_point, *options)

    def over_http(self, line):
        self.assertEqual(self.ask("PATCH", "/v1/files/log?append=1", line).status, 200)

    def append_in_turn(self, start):
        lines = [b"%d %s\n" % (i, b"x" * i) for i in range(40)]
        with open(self.path, "ab", buffering=0) as first, open(self.path, "ab", buffering=0) as second:
            for i, line in enumerate(lines):
                (first.write, self.over_http, second.write, self.over_http)[i % 4](line)
        expected = start + b"".join(lines)
        self.assert_same(self.ask("GET", "/v1/files/log").body, expected)
        self.wait_until(lambda: self.path.read_bytes() == expected, "the mount shows something else")

    def test_each_line_is_there_and_whole(self):
        for options in ((), ("-o", "passthrough=off"), ("-o", "passthrough=off,transport=dev")):
            self.again(*options)
            for size in (0, 100, 16_000, MANY):
                with self.subTest(options=options, size=size):
                    start = os.urandom(size)
                    self.path.write_bytes(start)
                    self.append_in_turn(start)
                    self.path.unlink()

    def test_beside_somebody_who_has_it_in_passthrough(self):
        """Whoever opens it then asks us for each write, for it has a set-id bit."""
        start = os.urandom(MANY)
        self.path.write_bytes(start)
        with open(self.path, "rb"):
            self.path.chmod(0o4755)
            self.append_in_turn(start)


if __name__ == "__main__":
    unittest.main()
