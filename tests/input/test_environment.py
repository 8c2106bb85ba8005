"""No /dev/fuse, no permission, a full disk, a disk that cannot be written."""
import errno
import os
import shutil
import unittest

from firn_cli import FIRN, NOBODY, FirnTest, needs_root

# A /dev with everything but fuse, seen by this command alone.
WITHOUT_FUSE = """mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && mknod -m 666 /dev/urandom c 1 9 &&
mkdir /dev/shm && exec "$@" """


@needs_root
class Environment(FirnTest):
    def test_no_fuse_device(self):
        self.init()
        done = self.run_program("unshare", "-m", "sh", "-c", WITHOUT_FUSE, "sh", FIRN, "mount", self.volume,
                                self.mount_point)
        self.assert_refused(done, "/dev/fuse")
        self.mount()

    def as_nobody(self, *arguments):
        """As an ordinary user, from a copy of firn that everybody may run."""
        program = self.folder / "firn"
        if not program.exists():
            shutil.copy(FIRN, program)
        return self.run_program("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", program,
                                *arguments, cwd="/")

    def test_somebody_elses_volume(self):
        self.init_with_content()
        for command in (["mount", self.volume, self.mount_point], ["fsck", self.volume]):
            with self.subTest(command[0]):
                self.assert_refused(self.as_nobody(*command), "permission")
        self.assert_content()

    def test_no_permission_to_make_a_volume(self):
        self.assert_refused(self.as_nobody("init", self.volume), self.volume, "permission")

    def test_no_permission_on_the_mount_point(self):
        home = self.folder / "home"
        home.mkdir()
        os.chown(home, NOBODY, NOBODY)
        made = self.as_nobody("init", home / "volume")
        self.assertEqual(made.returncode, 0, made.stderr)
        self.assert_refused(self.as_nobody("mount", home / "volume", self.mount_point))
        self.assertFalse(os.path.ismount(self.mount_point))

    def test_init_on_a_full_disk(self):
        disk = self.small_disk(256)
        fill(disk / "filler")
        self.refuse("init", disk / "volume", words=["no space"])
        os.unlink(disk / "filler")
        self.succeed("init", disk / "volume")

    def test_disk_fills_up_and_is_freed(self):
        disk = self.small_disk(256)
        volume = self.init(disk / "volume")
        self.mount(volume)
        (self.mount_point / "first").write_text("first")
        with self.assertRaises(OSError) as caught:
            for i in range(100):
                with open(self.mount_point / f"big{i}", "wb", buffering=0) as file:
                    for _ in range(10):
                        self.assertEqual(file.write(b"b" * (1 << 20)), 1 << 20)
                    os.fsync(file.fileno())
        self.assertEqual(caught.exception.errno, errno.ENOSPC)
        self.assertEqual((self.mount_point / "first").read_text(), "first")
        for path in self.mount_point.glob("big*"):
            path.unlink()
        os.sync()
        self.wait_for_space(disk, 40 << 20)
        (self.mount_point / "second").write_bytes(b"s" * (1 << 20))
        self.umount()
        self.succeed("fsck", volume)
        self.mount(volume)
        self.assertEqual((self.mount_point / "first").read_text(), "first")
        self.assertEqual((self.mount_point / "second").stat().st_size, 1 << 20)
        self.umount()

    def wait_for_space(self, disk, wanted):
        import time
        deadline = time.monotonic() + 10
        while os.statvfs(disk).f_bavail * os.statvfs(disk).f_bsize < wanted:
            self.assertLess(time.monotonic(), deadline, "space of removed files does not come back")
            time.sleep(0.05)

    def test_many_small_files_fill_the_disk(self):
        disk = self.small_disk(256)
        volume = self.init(disk / "volume")
        self.mount(volume)
        (self.mount_point / "first").write_text("first")
        fill(disk / "filler", leave=1 << 20)
        made = 0
        with self.assertRaises(OSError) as caught:
            for made in range(100000):
                (self.mount_point / f"small{made}").write_bytes(b"s" * 8000)
        self.assertIn(caught.exception.errno, (errno.ENOSPC, errno.EIO))
        self.assertEqual(caught.exception.errno, errno.ENOSPC)
        os.unlink(disk / "filler")
        self.assertEqual((self.mount_point / "first").read_text(), "first")
        done = self.firn("umount", self.mount_point)
        if done.returncode != 0:
            self.assert_refused(done)
        self.succeed("fsck", volume)
        self.mount(volume)
        self.assertEqual((self.mount_point / "first").read_text(), "first")
        (self.mount_point / "after").write_text("after")
        self.umount()

    def test_mount_on_a_full_disk(self):
        disk = self.small_disk(256)
        volume = self.init(disk / "volume")
        self.mount(volume)
        (self.mount_point / "first").write_text("first")
        self.umount()
        fill(disk / "filler")
        done = self.firn("mount", volume, self.mount_point)
        self.mounted.append((volume, self.mount_point))
        if done.returncode == 0:
            self.assertEqual((self.mount_point / "first").read_text(), "first")
            self.firn("umount", self.mount_point)
        else:
            self.assert_refused(done, "no space")
        os.unlink(disk / "filler")
        self.succeed("fsck", volume)

    def test_read_only_disk(self):
        disk = self.small_disk(256)
        volume = self.init(disk / "volume")
        self.assertEqual(self.run_program("mount", "-o", "remount,ro", disk).returncode, 0)
        self.refuse("init", disk / "second", words=["read-only"])
        self.refuse("mount", volume, self.mount_point, words=["read-only"])
        self.assertEqual(self.run_program("mount", "-o", "remount,rw", disk).returncode, 0)
        self.mount(volume)
        self.umount()


def fill(path, leave=0):
    """Takes all the space of a disk but `leave` bytes."""
    disk = os.statvfs(path.parent)
    with open(path, "wb", buffering=0) as file:
        try:
            if leave:
                os.posix_fallocate(file.fileno(), 0, disk.f_bavail * disk.f_bsize - leave)
                return
            while file.write(b"f" * 65536):
                pass
        except OSError:
            pass
    if not leave:
        with open(path, "ab", buffering=0) as file:
            try:
                while file.write(b"f" * 512):
                    pass
            except OSError:
                pass


if __name__ == "__main__":
    unittest.main()
