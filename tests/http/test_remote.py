"""firn --url: the command line from another machine."""
import os
import subprocess
import unittest

from firn_cli import FIRN
from served import ServedTest


class Remote(ServedTest):
    def setUp(self):
        super().setUp()
        self.init()
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
