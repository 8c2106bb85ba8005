"""Volumes that are missing, foreign, half made, from the future, or in use."""
import json
import os
import unittest

from firn_cli import DAMAGE, FirnTest


class Volume(FirnTest):
    def test_missing(self):
        for command in (["mount", self.volume, self.mount_point], ["fsck", self.volume], ["serve", self.volume]):
            with self.subTest(command[0]):
                self.refuse(*command, words=[self.volume, "no such", "firn init"])
        self.assertFalse(self.volume.exists())

    def test_not_a_folder(self):
        self.volume.write_text("file")
        self.refuse("mount", self.volume, self.mount_point, words=[self.volume, "not a folder"])
        self.refuse("init", self.volume, words=[self.volume, "not a folder"])
        self.assertEqual(self.volume.read_text(), "file")

    def test_foreign_folder(self):
        self.volume.mkdir()
        (self.volume / "mine").write_text("mine")
        self.refuse("init", self.volume, words=[self.volume, "not empty"])
        self.refuse("mount", self.volume, self.mount_point, words=[self.volume, "not a firn volume"])
        self.assertEqual(os.listdir(self.volume), ["mine"])

    def test_init_tells_programs_what_it_made(self):
        tier = self.folder / "tier"
        made = json.loads(self.succeed("init", self.volume, "--tier", f"near={tier}", "--json"))
        self.assertEqual({key: made[key] for key in ("volume", "name", "tiers_on_same_disk")},
                         {"volume": str(self.volume), "name": "volume", "tiers_on_same_disk": ["near"]})
        self.mount()
        self.assertEqual(json.loads(self.firn("status", self.volume, "--json").stdout)["id"], made["id"])
        self.succeed("tier", "flush", self.mount_point)
        self.umount()
        back = json.loads(self.succeed("restore", tier, self.folder / "back", "--json"))
        self.assertEqual(back, {"volume": str(self.folder / "back"), "id": made["id"], "name": "volume", "older": 0,
                                "gone": 0, "elsewhere": 0, "local_only": 0, "given_up": ""})

    def test_init_twice(self):
        self.init_with_content()
        self.refuse("init", self.volume, words=[self.volume, "already"])
        self.assert_content()

    def test_init_where_no_parent_is(self):
        self.refuse("init", self.folder / "no" / "such" / "parent", words=["no such"])

    def test_interrupted_init(self):
        self.init()
        (self.volume / "firn.init").write_text("")
        self.refuse("mount", self.volume, self.mount_point, words=["interrupted", "firn init"])
        self.init()
        self.mount()

    def test_metadata_gone(self):
        self.init_with_content()
        (self.volume / "meta").rename(self.folder / "meta")
        self.refuse("mount", self.volume, self.mount_point, words=["meta"])
        self.refuse("fsck", self.volume, words=["meta"])
        if (self.volume / "meta").exists():
            self.fail("a mount that failed made new metadata")
        (self.folder / "meta").rename(self.volume / "meta")
        self.assert_content()

    def test_metadata_empty(self):
        self.init_with_content()
        (self.volume / "meta").rename(self.folder / "meta")
        (self.volume / "meta").mkdir()
        self.refuse("mount", self.volume, self.mount_point, words=["meta"])
        self.refuse("fsck", self.volume, words=["meta"])

    def test_content_folder_gone(self):
        self.init_with_content()
        (self.volume / "hot").rename(self.folder / "hot")
        self.refuse("mount", self.volume, self.mount_point, words=["hot"])
        self.assertFalse((self.volume / "hot").exists())
        (self.folder / "hot").rename(self.volume / "hot")
        self.assert_content()

    def test_newer_format(self):
        self.init_with_content()
        self.assertEqual(self.run_program(DAMAGE, self.volume / "meta", "newer").returncode, 0)
        for command in (["mount", self.volume, self.mount_point], ["fsck", self.volume]):
            with self.subTest(command[0]):
                self.refuse(*command, words=["newer", "999"])

    def test_already_mounted(self):
        self.init()
        self.mount()
        other = self.folder / "other"
        other.mkdir()
        pid = self.daemon_pid()
        for command in (["mount", self.volume, other], ["fsck", self.volume], ["serve", self.volume],
                        ["mount", self.volume, self.mount_point]):
            with self.subTest(command):
                self.refuse(*command, words=[pid])
        (self.mount_point / "alive").write_text("yes")
        self.refuse("init", self.volume, words=["already"])
        self.umount()

    def test_stale_lock_file(self):
        self.init()
        (self.volume / "firn.lock").write_text("1\n")
        self.mount()


if __name__ == "__main__":
    unittest.main()
