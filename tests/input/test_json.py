"""--json: every command has it or says why not, and what it prints is JSON whatever happens."""
import json
import os
import re
import unittest

from firn_cli import FirnTest


class JsonTest(FirnTest):
    def commands(self, *path):
        """The words of every command that runs something, and what `firn help` says of it."""
        said = self.succeed("help", *path)
        listed = re.search(r"^Subcommands:\n((?:  .*\n)+)", said, re.MULTILINE)
        names = re.findall(r"^  (\S+) ", listed[1], re.MULTILINE) if listed else []
        if not re.search(r"^Usage: .* SUBCOMMAND$", said, re.MULTILINE):  # it does something by itself
            yield path, said
        for name in names:
            yield from self.commands(*path, name)

    def value(self, *arguments):
        lines = self.succeed(*arguments, "--json").splitlines()
        self.assertEqual(len(lines), 1, lines)
        return json.loads(lines[0])

    def failure(self, *arguments, code=1):
        done = self.firn(*arguments)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertEqual(done.stdout, "")
        lines = done.stderr.splitlines()
        self.assertEqual(len(lines), 1, lines)
        told = json.loads(lines[0])
        self.assertEqual(set(told), {"error", "code"})
        return told

    def test_every_command_has_it_or_says_why_not(self):
        without = set()
        for path, said in self.commands():
            with self.subTest(" ".join(path)):
                reason = re.search(r"^It has no --json: \w.*\.$", said, re.MULTILINE)
                self.assertNotEqual(bool(re.search(r"^  --json ", said, re.MULTILINE)), bool(reason))
                if reason:
                    without.add(path)
        self.assertEqual(without, {("cat",), ("completion",), ("help",)})

    def test_misuse_of_every_command_is_told_as_json(self):
        for path, _ in self.commands():
            with self.subTest(" ".join(path)):
                self.assertEqual(self.failure(*path, "--json", "--nonsense", code=2)["code"], "misuse")
        self.assertEqual(self.failure("dance", "--json", code=2)["code"], "misuse")

    def test_failures_are_told_as_json(self):
        self.init()
        self.mount()
        told = self.failure("stat", f"{self.volume}:/none", "--json")
        self.assertEqual(told["code"], "not found")
        self.assertTrue(told["error"].startswith("stat: "), told)
        self.assertIn("/none", told["error"])
        self.assertEqual(self.failure("mount", "--json", self.folder / "none", self.folder)["error"][:7], "mount: ")
        with open(self.mount_point / "busy", "w"):
            self.assertEqual(self.failure("umount", self.mount_point, "--json")["code"], "busy")

    def test_a_notice_beside_a_result_is_json(self):
        self.init()
        self.mount()
        os.mkfifo(self.mount_point / "pipe")
        (self.mount_point / "file").write_text("x")
        done = self.firn("get", "-r", "--json", self.mount_point, self.folder / "copy")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(json.loads(done.stdout)["left_out"], 1)
        self.assertIn("pipe", json.loads(done.stderr)["notice"])

    def test_a_volumes_life(self):
        key, other = self.folder / "key", self.folder / "other"
        key.write_text("the first secret")
        other.write_text("another secret")
        self.succeed("init", self.volume, "--encrypt", "--key-file", key, "--tier", f"near={self.folder}/near")
        self.mounted.append((self.volume, self.mount_point))
        there = {"volume": str(self.volume), "mount_point": str(self.mount_point)}
        self.assertEqual(self.value("mount", self.volume, self.mount_point), there)
        inner = f"{self.volume}:"
        self.assertEqual(self.value("mkdir", "-p", f"{inner}/a/b", f"{inner}/c"), {"folders": [f"{inner}/a/b", f"{inner}/c"]})
        (self.mount_point / "a" / "file").write_text("x")
        self.assertEqual(self.value("mv", f"{inner}/a/file", f"{inner}/a/b/file"),
                         {"from": f"{inner}/a/file", "to": f"{inner}/a/b/file"})
        self.assertEqual(self.value("rm", "-r", "-f", f"{inner}/a", f"{inner}/none"), {"removed": 3})
        self.assertEqual(os.listdir(self.mount_point), ["c"])
        bundle = self.folder / "bundle.tar.gz"
        self.assertEqual(self.value("debug", self.volume, "-o", bundle), {"file": str(bundle)})
        self.assertTrue(bundle.exists())
        measured = {one["work"]: one for one in self.value("bench", self.mount_point)["results"]}
        self.assertGreater(measured["stat"]["per_s"], 0)
        self.assertGreater(measured["sequential read, 1 MiB"]["bytes_per_s"], 0)
        self.assertEqual(self.value("umount", self.mount_point), {"unmounted": str(self.mount_point)})
        self.assertEqual(self.value("key", "change", self.volume, "--new-key-file", other),
                         {"volume": str(self.volume), "key_file": str(key), "wanted_key_file": str(other)})
        made = self.value("token", "create", self.volume)
        self.assertEqual(self.value("token", "revoke", self.volume, made["id"]), {"revoked": [made["id"]]})


if __name__ == "__main__":
    unittest.main()
