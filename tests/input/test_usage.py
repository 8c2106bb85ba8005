"""Misuse of the command line, and settings that make no sense."""
import os
import subprocess
import unittest

from firn_cli import FIRN, FirnTest


class CommandLine(FirnTest):
    def test_unknown_command(self):
        self.refuse("dance", words=["dance"], code=2)

    def test_no_command(self):
        done = self.firn()
        self.assertEqual(done.returncode, 2)
        self.assertIn("mount", done.stderr)

    def test_help(self):
        self.assertIn("Subcommands:", self.succeed("help"))
        self.assertIn("MOUNTPOINT", self.succeed("help", "mount"))
        self.assertIn("--pin", self.succeed("help", "tier", "set"))
        self.refuse("help", "tier", "nonsense", words=["tier nonsense"], code=2)

    def test_unknown_flags(self):
        for command in (["init", "--nonsense", self.volume], ["mount", "-Z", self.volume, self.mount_point],
                        ["fsck", self.volume, "--fix-everything"], ["--nonsense"]):
            with self.subTest(command):
                self.refuse(*command, code=2)
        self.assertFalse(self.volume.exists())

    def test_missing_and_surplus_arguments(self):
        for command in (["init"], ["mount"], ["mount", self.volume], ["umount"], ["fsck"], ["cat"], ["mv", "one"],
                        ["init", self.volume, "surplus"], ["mount", self.volume, self.mount_point, "surplus"]):
            with self.subTest(command):
                self.refuse(*command, code=2)

    def test_impossible_values(self):
        for value in ("nonsense", "0", "-1", "3MiB", "1EiB", ""):
            with self.subTest(value):
                self.refuse("init", self.volume, f"--chunk-size={value}", code=2)
        self.assertFalse(self.volume.exists())

    def test_paths_that_are_no_paths_of_a_volume(self):
        for command in (["ls", self.folder / "none"], ["cat", self.folder / "none"], ["stat", self.folder / "none"]):
            with self.subTest(command[0]):
                self.refuse(*command, words=[self.folder / "none"])

    def test_output_that_nobody_reads(self):
        """As `firn help | head -1`, where it is long enough for the pipe to break, and where it is not."""
        for arguments in (("help", "--man"), ("--help",), ("version",)):
            reader, writer = os.pipe()
            os.close(reader)
            with os.fdopen(writer, "wb") as closed:
                done = subprocess.run([FIRN, *arguments], stdout=closed, stderr=subprocess.PIPE, text=True, timeout=30, check=False)
            self.assertIn(done.returncode, (0, 1), arguments)
            self.assertEqual(done.stderr, "", arguments)

    def test_a_reader_of_content_that_has_enough(self):
        """As `firn cat LARGE | head -c 1`."""
        self.init()
        self.mount()
        (self.mount_point / "large").write_bytes(bytes(8 << 20))
        done = subprocess.run(["bash", "-c", f"{FIRN} cat {self.mount_point}/large | head -c 1 | wc -c"], stderr=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True, timeout=30, check=True)
        self.assertEqual((done.stdout.strip(), done.stderr), ("1", ""))

    def test_output_that_has_no_room(self):
        for arguments in (("help", "--man"), ("help", "mount"), ("--help",), ("version",), ("version", "--json")):
            with open("/dev/full", "wb") as full:
                done = subprocess.run([FIRN, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, timeout=30, check=False)
            self.assertEqual(done.returncode, 1, arguments)
            self.assertIn("standard output: No space left on device", done.stderr)


class Configuration(FirnTest):
    def setUp(self):
        super().setUp()
        self.init()
        self.path = self.volume / "firn.toml"

    def refuse_settings(self, text, line, *words):
        self.path.write_text(text)
        self.refuse("mount", self.volume, self.mount_point, words=["firn.toml", rf"\b{line}\b", *words])
        self.succeed("fsck", self.volume)  # looks at the data, whatever the settings say

    def test_unknown_key(self):
        self.refuse_settings("\n[log]\nlevel = \"info\"\nvolume = 11\n", 4, "volume")

    def test_unknown_section(self):
        self.refuse_settings("[nonsense]\nkey = 1\n", "[12]", "nonsense")

    def test_wrong_type(self):
        self.refuse_settings("[log]\n\nlevel = 3\n", 3, "level")
        self.refuse_settings("[fuse]\npassthrough = \"maybe\"\n", 2, "passthrough")

    def test_out_of_range(self):
        self.refuse_settings("[reactor]\nthreads = -1\n", 2, "threads")
        self.refuse_settings("[data]\n# a comment\ninline_max = \"1TiB\"\n", 3, "inline_max")
        self.refuse_settings("[fuse]\ntransport = \"pigeon\"\n", 2, "transport")

    def test_no_toml(self):
        self.refuse_settings("[log]\nlevel = \n", 2)
        self.refuse_settings("\x00\x01\x02", 1)

    def test_repaired(self):
        self.refuse_settings("[log]\nlevel = 3\n", 2, "level")
        self.path.write_text("[log]\nlevel = \"debug\"\n")
        self.mount()
        self.umount()

    def test_a_change_that_cannot_be(self):
        """Chunks are as large as they were when the volume was made: who sets another size is told."""
        self.path.write_text("[data]\nchunk_size = \"1MiB\"\n")
        self.mounted.append((self.volume, self.mount_point))
        self.assertRegex(self.firn("mount", self.volume, self.mount_point).stderr, "^firn: mount: data.chunk_size is 1MiB .*stays 4MiB")

    def test_settings_gone(self):
        self.path.unlink()
        self.refuse("mount", self.volume, self.mount_point, words=["firn.toml"])


if __name__ == "__main__":
    unittest.main()
