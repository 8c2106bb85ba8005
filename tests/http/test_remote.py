"""firn --url: the command line from another machine."""
import os
import re
import subprocess
import unittest

from firn_cli import FIRN
from served import ServedTest


def without_moments(text):
    """Without what differs from one moment to the next: numbers, and their units; and whether it uploads just now."""
    text = re.sub(r"; uploading(, at [^;\n]*? at most while programs write)?", "", text)
    return re.sub(r"[0-9][0-9.]*( ?([KMGT]?i?B|[num]?s|min|h|d)\b)?", "N", text)


class RemoteTest(ServedTest):
    tier = False

    def setUp(self):
        super().setUp()
        self.succeed("init", self.volume, *(("--tier", f"nas={self.folder / 'nas'}") if self.tier else ()))
        self.settings(loopback="token")
        self.secret = self.token("--admin")
        ca = self.serve_tls()
        self.options = ("--url", f"https://127.0.0.1:{self.port}", "--ca-file", str(ca))
        self.environment = {**os.environ, "FIRN_TOKEN": self.secret, "HOME": str(self.folder)}
        self.environment.pop("FIRN_URL", None)
        self.environment.pop("XDG_CONFIG_HOME", None)

    def remote(self, command, *arguments, **environment):
        return self.run_program(FIRN, command, *arguments, *self.options, env={**self.environment, **environment})

    def remotely(self, *arguments):
        done = self.remote(*arguments)
        self.assertEqual(done.returncode, 0, f"{arguments}: {done.stderr}")
        return done.stdout


class RemoteTiers(RemoteTest):
    tier = True

    def test_the_same_of_tiers_as_on_the_spot(self):
        (self.folder / "nas").rename(self.folder / "away")  # what is pending stays so
        source = self.folder / "source"
        source.write_bytes(os.urandom(300_000))
        self.remotely("mkdir", "/a")
        for name in ("small", "large"):
            self.remotely("put", source if name == "large" else __file__, f"/a/{name}")
        self.wait_until(lambda: "/a/large" in self.remotely("wal"), "nothing is pending")
        for options in ((), ("--json",)):
            on_the_spot = self.succeed("tier", "ls", *options, f"{self.volume}:/a")
            self.assertIn("large", on_the_spot)
            self.assertEqual(self.remotely("tier", "ls", *options, "/a"), on_the_spot)
        told = self.succeed("wal", self.volume)
        self.assertIn("/a/large", told)
        self.assertEqual(without_moments(self.remotely("wal")), without_moments(told))
        # Exit code 1: it is not well.
        self.wait_until(lambda: "tier nas: " in self.firn("status", self.volume).stdout, "it is well")
        on_the_spot, remote = self.firn("status", self.volume), self.remote("status")
        self.assertEqual((remote.returncode, remote.stderr), (on_the_spot.returncode, on_the_spot.stderr))
        self.assertIn("tier nas", on_the_spot.stdout)
        self.assertEqual(without_moments(remote.stdout), without_moments(on_the_spot.stdout))


class Remote(RemoteTest):
    def test_the_same_output_as_on_the_spot(self):
        source = self.folder / "source"
        source.write_bytes(os.urandom(3_000_000))
        self.remotely("mkdir", "-p", "/a/b")
        self.remotely("put", source, "/a/b")
        self.remotely("mv", "/a/b/source", "/a/copy")
        self.assertEqual(printed_bytes(self, "cat", "/a/copy"), source.read_bytes())
        here = f"{self.volume}:"
        for command, *options in (("ls",), ("ls", "-l"), ("ls", "--json"), ("stat",), ("stat", "--json")):
            on_the_spot = self.succeed(command, *options, here + "/a").replace(here, "")
            self.assertEqual(self.remotely(command, *options, "/a"), on_the_spot)
        self.assertIn('"health"', self.remotely("status", "--json"))
        self.remotely("rm", "-r", "/a")
        self.assertEqual(self.remotely("ls", "/"), "")
        first = self.run_program(FIRN, *self.options, "ls", "/", env=self.environment)
        self.assertEqual((first.returncode, first.stdout), (0, ""))
        named = self.run_program(FIRN, "ls", "--ca-file", self.options[3], "/",
                                 env={**self.environment, "FIRN_URL": self.options[1]})
        self.assertEqual((named.returncode, named.stderr), (0, ""))

    def test_a_volume_of_this_machine_goes_before_firn_url(self):
        nowhere = {**self.environment, "FIRN_URL": "http://127.0.0.1:1"}
        for command in (("status", self.volume), ("stats", "--count", 1, self.volume), ("ls", f"{self.volume}:/")):
            done = self.run_program(FIRN, *command, env=nowhere)
            self.assertEqual((done.returncode, done.stderr), (0, ""), command)
        for command in ("status", "wal"):
            self.assert_refused(self.run_program(FIRN, command, env=nowhere), "refused")
            self.assert_refused(self.remote(command, self.volume), "name no other")

    def test_refusals_say_why(self):
        self.assert_refused(self.remote("ls", "/", FIRN_TOKEN="wrong"), "token")
        self.assert_refused(self.remote("ls", "/missing"), "/missing", "not found|no such")
        self.assert_refused(self.remote("ls", "relative"), "absolute")
        self.assert_refused(self.remote("ls", "/", FIRN_TOKEN="a\nb"), "FIRN_TOKEN")
        read_only = self.token()
        self.assert_refused(self.remote("mkdir", "/d", FIRN_TOKEN=read_only), "only reads")
        self.assert_refused(self.remote("put", FIRN, "/f", FIRN_TOKEN=read_only), "only reads")
        self.options = self.options[:2]
        self.assert_refused(self.remote("ls", "/"), "certificate", "--ca-file")
        for url, word in (("ftp://x", "http"), ("http://", "host"), ("http://x:99999", "port"), ("http://x/y", "port")):
            self.options = ("--url", url)
            self.assert_refused(self.remote("ls", "/"), word)
        self.options = ("--url", "http://127.0.0.1:1")
        self.assert_refused(self.remote("ls", "/"), "refused")

    def test_the_token_may_lie_in_a_file_that_others_cannot_read(self):
        file = self.folder / ".config" / "firn" / "token"
        file.parent.mkdir(parents=True)
        file.write_text(self.secret + "\n")
        file.chmod(0o600)
        self.environment.pop("FIRN_TOKEN")
        self.remotely("ls", "/")
        file.chmod(0o644)
        self.assert_refused(self.remote("ls", "/"), "chmod 600")


def printed_bytes(test, command, path):
    """run_program decodes text."""
    return subprocess.run([str(FIRN), command, path, *test.options], env=test.environment, timeout=30, check=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE).stdout


if __name__ == "__main__":
    unittest.main()
