"""Damaged metadata is refused or reported, never guessed at; what is whole stays readable."""
import errno
import os
import random
import unittest

from firn_cli import DAMAGE, FirnTest


class Damage(FirnTest):
    def setUp(self):
        super().setUp()
        self.init()
        # Small memtables, so that a test's worth of metadata reaches table files.
        settings = (self.volume / "firn.toml").read_text()
        (self.volume / "firn.toml").write_text(settings + "\n[meta]\nmemtable = \"1MiB\"\n" if "\n[meta]" not in settings
                                               else settings.replace("\n[meta]", "\n[meta]\nmemtable = \"1MiB\"", 1))
        self.mount()
        (self.mount_point / "precious").write_text("small")
        (self.mount_point / "folder").mkdir()
        (self.mount_point / "folder" / "large").write_bytes(b"large" * 100000)
        for i in range(400):
            (self.mount_point / f"file{i}").write_bytes(random.Random(i).randbytes(9000))
        self.umount()

    def files(self, pattern):
        found = sorted((self.volume / "meta").glob(pattern), key=lambda path: path.stat().st_size)
        self.assertTrue(found, f"no {pattern} in the metadata")
        return found

    def flip(self, path, share):
        """Changes 16 bytes at this share of the file's length; returns the old content."""
        old = path.read_bytes()
        at = min(int(len(old) * share), max(len(old) - 16, 0))
        path.write_bytes(old[:at] + bytes(b ^ 0x5a for b in old[at:at + 16]) + old[at + 16:])
        return old

    def refuse_then_restore(self, path, old):
        self.refuse("mount", self.volume, self.mount_point, words=["corrupt|damage|missing|invalid"])
        self.refuse("fsck", self.volume)
        path.write_bytes(old)
        self.assert_content()

    def test_current(self):
        path = self.volume / "meta" / "CURRENT"
        self.refuse_then_restore(path, self.flip(path, 0))

    def test_current_gone(self):
        path = self.volume / "meta" / "CURRENT"
        old = path.read_bytes()
        path.unlink()
        self.refuse_then_restore(path, old)

    def test_manifest(self):
        path = self.files("MANIFEST-*")[-1]
        self.refuse_then_restore(path, self.flip(path, 0.3))

    def test_manifest_truncated(self):
        path = self.files("MANIFEST-*")[-1]
        old = path.read_bytes()
        path.write_bytes(b"")
        self.refuse_then_restore(path, old)

    def test_table(self):
        for share in (0.1, 0.5, 1.0):
            with self.subTest(share):
                path = self.files("*.sst")[-1]
                old = self.flip(path, share)
                self.expect_reported()
                path.write_bytes(old)
        self.assert_content()

    def test_table_gone(self):
        path = self.files("*.sst")[-1]
        old = path.read_bytes()
        path.unlink()
        self.refuse_then_restore(path, old)

    def expect_reported(self):
        """Either the mount is refused, or what is damaged reads as EIO and the rest as itself; the daemon lives."""
        done = self.firn("mount", self.volume, self.mount_point)
        if done.returncode != 0:
            self.assert_refused(done, "corrupt|damage|invalid")
        else:
            failed = 0
            for i in range(400):
                try:
                    content = (self.mount_point / f"file{i}").read_bytes()
                    self.assertEqual(content, random.Random(i).randbytes(9000), f"file{i} reads wrong bytes")
                except OSError as error:
                    self.assertEqual(error.errno, errno.EIO, f"file{i}")
                    failed += 1
            self.assertGreater(failed, 0, "16 bytes of a table were changed and nobody noticed")
            self.assertTrue(os.path.ismount(self.mount_point))
            self.firn("umount", self.mount_point)
        self.refuse("fsck", self.volume)

    def test_one_inode_record(self):
        self.mount()
        inode = (self.mount_point / "file7").stat().st_ino
        self.umount()
        done = self.run_program(DAMAGE, self.volume / "meta", "inode", inode)
        self.assertEqual(done.returncode, 0, done.stderr)
        checked = self.firn("fsck", self.volume)
        self.assertEqual(checked.returncode, 1, checked.stdout + checked.stderr)
        self.assertRegex(checked.stdout + checked.stderr, f"{inode}")
        self.assertRegex(checked.stdout + checked.stderr, "file7")
        done = self.firn("mount", self.volume, self.mount_point)
        if done.returncode != 0:  # nothing is guessed at; firn fsck has said which file it is
            self.assert_refused(done, rf"\b{inode}\b", "fsck")
            return
        self.mounted.append((self.volume, self.mount_point))
        with self.assertRaises(OSError) as caught:
            (self.mount_point / "file7").stat()
        self.assertEqual(caught.exception.errno, errno.EIO)
        self.assertEqual((self.mount_point / "precious").read_text(), "small")
        self.assertEqual((self.mount_point / "file8").stat().st_size, 9000)
        self.assertIn("file8", os.listdir(self.mount_point))
        self.umount()

    def test_backing_file_gone(self):
        large = max((p for p in (self.volume / "hot").rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
        self.assertEqual(large.stat().st_size, 500000)
        large.rename(self.folder / "large")
        checked = self.firn("fsck", self.volume)
        self.assertEqual(checked.returncode, 1, checked.stdout + checked.stderr)
        self.assertRegex(checked.stdout + checked.stderr, "folder/large")
        self.mount()
        with self.assertRaises(OSError):
            (self.mount_point / "folder" / "large").read_bytes()
        self.assertEqual((self.mount_point / "precious").read_text(), "small")
        self.umount()
        (self.folder / "large").rename(large)
        self.assert_content()


if __name__ == "__main__":
    unittest.main()
