"""Mount points that are missing, unsuitable, occupied, busy, or left behind by a dead daemon."""
import os
import subprocess
import unittest

from firn_cli import FirnTest, needs_root


class MountPoint(FirnTest):
    def setUp(self):
        super().setUp()
        self.init()

    def test_missing(self):
        self.refuse("mount", self.volume, self.folder / "none", words=[self.folder / "none"])
        self.assertFalse((self.folder / "none").exists())

    def test_a_file(self):
        path = self.folder / "file"
        path.write_text("")
        self.refuse("mount", self.volume, path, words=[path])

    def test_not_empty(self):
        (self.mount_point / "mine").write_text("mine")
        self.refuse("mount", self.volume, self.mount_point, words=[self.mount_point, "not empty"])
        self.assertEqual((self.mount_point / "mine").read_text(), "mine")

    def test_the_volume_itself(self):
        self.refuse("mount", self.volume, self.volume)
        self.refuse("mount", self.volume, self.volume / "hot")
        self.mount()

    def test_another_volume_is_there(self):
        other = self.init(self.folder / "second")
        self.mount()
        self.refuse("mount", other, self.mount_point, words=[self.mount_point])
        self.assertTrue(os.path.ismount(self.mount_point))

    @needs_root
    def test_another_file_system_is_there(self):
        self.run_program("mount", "-t", "tmpfs", "none", self.mount_point)
        self.other_mounts.append(self.mount_point)
        (self.mount_point / "mine").write_text("mine")
        self.refuse("mount", self.volume, self.mount_point, words=[self.mount_point])
        self.assertEqual((self.mount_point / "mine").read_text(), "mine")

    def test_left_by_a_dead_daemon(self):
        self.mount()
        (self.mount_point / "file").write_text("here")
        os.sync()
        self.kill_daemon()
        self.assertTrue(self.is_dead(self.mount_point))
        self.mount()
        self.assertEqual((self.mount_point / "file").read_text(), "here")

    def test_left_by_another_volumes_dead_daemon(self):
        other = self.init(self.folder / "second")
        self.mount()
        self.kill_daemon()
        self.refuse("mount", other, self.mount_point, words=[self.mount_point, "umount"])
        self.umount()
        self.mount(other)

    def test_umount_of_a_dead_mount(self):
        self.mount()
        self.kill_daemon()
        self.umount()
        self.assertFalse(self.is_dead(self.mount_point))

    def test_umount_while_in_use(self):
        self.mount()
        sleeper = subprocess.Popen(["sleep", "60"], cwd=self.mount_point)
        try:
            self.refuse("umount", self.mount_point, words=["busy|in use", sleeper.pid])
            (self.mount_point / "alive").write_text("yes")
        finally:
            sleeper.kill()
            sleeper.wait()
        self.umount()

    def test_umount_of_what_is_no_mount(self):
        self.refuse("umount", self.mount_point, words=[self.mount_point])
        self.refuse("umount", self.folder / "none", words=[self.folder / "none"])
        self.refuse("umount", "/proc", words=["/proc"])

    def test_mount_options(self):
        for text in ("nonsense", "transport=pigeon", "max_write=1", "transport="):
            with self.subTest(text):
                done = self.firn("mount", self.volume, self.mount_point, "-o", text)
                self.assert_refused(done, text.split("=")[0], code=done.returncode if done.returncode in (1, 2) else 1)
        self.assertFalse(os.path.ismount(self.mount_point))


if __name__ == "__main__":
    unittest.main()
