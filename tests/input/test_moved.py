"""A served volume whose folder is moved aside or removed: its daemon ends, and leaves alone what is at that place next."""
import os
import shutil
import subprocess
import unittest

from firn_cli import DEADLINE_S, FIRN, FirnTest

LARGE = b"large" * 100_000


class Moved(FirnTest):
    def setUp(self):
        super().setUp()
        self.aside = self.folder / "aside"
        self.init()
        self.mount()
        self.write(self.mount_point, "kept")

    @staticmethod
    def write(folder, name):
        for path, content in ((folder / name, b"small"), (folder / f"{name} large", LARGE)):
            with open(path, "wb", buffering=0) as file:
                file.write(content)
                os.fsync(file.fileno())

    def assert_kept(self, folder, name="kept"):
        self.assertEqual((folder / name).read_bytes(), b"small")
        self.assertEqual((folder / f"{name} large").read_bytes(), LARGE)

    def wait_for_end(self, where):
        done = self.run_program("flock", "--timeout", "20", where / "firn.lock", "true")
        self.assertEqual(done.returncode, 0, "the daemon still runs")
        log = (where / "firn.log").read_text()
        self.assertIn(f"{self.volume}: the folder of the volume was moved or removed while it was served", log)

    def assert_mount_is_dead(self):
        with self.assertRaisesRegex(OSError, "not connected"):
            os.listdir(self.mount_point)

    def assert_is_not_taken_for_the_other(self):
        """The dead mount, although it says that its volume is where the other is."""
        for command in (["ls"], ["rm", "-r"], ["tier", "ls"], ["stat"]):
            self.refuse(*command, self.mount_point / "of the other", words=["has ended", "firn umount"])
        self.assertRegex(self.firn("status").stdout, f"{self.mount_point}  .* left by a daemon that has ended")

    def test_another_is_made_there(self):
        """While programs go on in the first one."""
        other = self.folder / "other"
        other.mkdir()

        def go_on():
            try:
                for number in range(50):
                    (self.mount_point / f"f{number}").write_bytes(os.urandom(20_000))
            except OSError:
                pass  # it ends amid this, or has ended
        with self.meanwhile(go_on):
            self.volume.rename(self.aside)
            self.init()
            self.mount(self.volume, other)
            self.wait_for_end(self.aside)
            self.write(other, "of the other")
        self.assertEqual(sorted(os.listdir(other)), ["of the other", "of the other large"])
        self.umount(other)
        for volume in (self.volume, self.aside):
            self.assertIn(": clean", self.succeed("fsck", volume))
        self.mount(self.volume, other)
        self.assert_kept(other, "of the other")
        self.assert_mount_is_dead()
        self.assert_is_not_taken_for_the_other()
        self.umount()
        self.mount(self.aside)
        self.assert_kept(self.mount_point)

    def test_a_folder_above_is_moved(self):
        self.umount()
        above = self.folder / "above"
        above.mkdir()
        self.volume = self.volume.rename(above / "volume")
        self.mount()
        above.rename(self.folder / "elsewhere")
        self.wait_for_end(self.folder / "elsewhere" / "volume")

    def test_removed(self):
        pid = self.daemon_pid(self.volume)
        with open(self.mount_point / "kept", "r+b", buffering=0) as file:
            shutil.rmtree(self.volume)
            self.wait_until(lambda: not self.has_threads(pid), "the daemon still runs")
            self.assertRaises(OSError, os.fsync, file.fileno())
        self.assert_mount_is_dead()
        self.init(self.aside)
        self.mount(self.aside)
        self.assertEqual(os.listdir(self.mount_point), [])

    def test_served_without_a_mount(self):
        self.umount()
        daemon = subprocess.Popen([FIRN, "serve", self.volume], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(daemon.kill)
        self.wait_until((self.volume / "firn.sock").exists)
        self.volume.rename(self.aside)
        _, said = daemon.communicate(timeout=DEADLINE_S)
        self.assertEqual(daemon.returncode, 1)
        self.assertIn(f"{self.volume}: the folder of the volume was moved or removed while it was served", said)

    def test_a_lock_that_is_removed_keeps_others_out_all_the_same(self):
        (self.volume / "firn.lock").unlink()
        self.refuse("mount", self.volume, self.folder / "other", words=["database"])
        self.write(self.mount_point, "more")
        self.assert_kept(self.mount_point)


if __name__ == "__main__":
    unittest.main()
