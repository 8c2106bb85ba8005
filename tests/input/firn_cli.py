"""What every bad-input test needs: firn in a folder of its own, and what a good refusal looks like."""
import contextlib
import faulthandler
import os
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

FIRN = Path(os.environ["FIRN"]).resolve()
DAMAGE = Path(os.environ["FIRN_DAMAGE"]).resolve()
DEADLINE_S = 30
# First in a mount namespace: else it holds the mounts of tests that run beside it, and their daemons do not end before it does.
LEAVE_OTHERS_MOUNTS = "awk '$3 ~ /^fuse/ {print $2}' /proc/self/mounts | xargs -r -n 1 umount -l; "
# Nothing is left in the cache of whoever runs the tests; those of the cache have one of their own.
os.environ["FIRN_CACHE_SIZE"] = "0"
NOBODY = 65534
# What a user must never see.
CRASHES = re.compile(r"terminate called|Sanitizer|Segmentation|core dumped|CHECK|what\(\)|^\s*#\d+ ", re.MULTILINE)


def files_below(folder):
    """[(path, os.stat_result)], while others put files there and remove them."""
    found = []
    for path in Path(folder).rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            found.append((path, path.lstat()))
    return [(path, status) for path, status in found if stat.S_ISREG(status.st_mode)]


def disk_bytes(folder):
    """That the files there take."""
    return sum(status.st_blocks * 512 for _, status in files_below(folder))


class FirnTest(unittest.TestCase):
    HANG_S = 170  # of one test; then it says where it is

    def setUp(self):
        faulthandler.dump_traceback_later(self.HANG_S)
        self.addCleanup(faulthandler.cancel_dump_traceback_later)
        self.folder = Path(tempfile.mkdtemp(prefix="firn-input-"))
        self.folder.chmod(0o755)
        self.volume = self.folder / "volume"
        self.mount_point = self.folder / "mnt"
        self.mount_point.mkdir()
        self.mounted = []
        self.other_mounts = []

    def tearDown(self):
        for volume, mount_point in self.mounted:
            if os.path.ismount(mount_point) or self.is_dead(mount_point):
                self.kill_daemon(volume)
                subprocess.run(["umount", "-l", str(mount_point)], check=False, stderr=subprocess.DEVNULL)
        for mount_point in reversed(self.other_mounts):
            subprocess.run(["umount", "-l", str(mount_point)], check=False, stderr=subprocess.DEVNULL)
        self.remove_folder()

    def remove_folder(self):
        """A daemon that was told to end may still be writing its last words there."""
        for _ in range(100):
            shutil.rmtree(self.folder, ignore_errors=True)
            if not self.folder.exists():
                return
            time.sleep(0.05)

    def run_program(self, *command, **more):
        return subprocess.run([str(word) for word in command], timeout=DEADLINE_S, text=True, errors="replace",
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)

    def firn(self, *arguments, **more):
        return self.run_program(FIRN, *arguments, **more)

    def wait_until(self, right, what="it did not come to be", patience_s=DEADLINE_S):
        """`what` is a text, or gives one, for when it does not come to be in time."""
        deadline = time.monotonic() + patience_s
        while not right():
            if time.monotonic() > deadline:
                self.fail(what() if callable(what) else what)
            time.sleep(0.01)

    @contextlib.contextmanager
    def meanwhile(self, work):
        """`work` is done again and again, in a thread of its own."""
        ended = threading.Event()

        def repeat():
            while not ended.is_set():
                work()

        worker = threading.Thread(target=repeat)
        worker.start()
        try:
            yield
        finally:
            ended.set()
            worker.join()

    def succeed(self, *arguments):
        done = self.firn(*arguments)
        self.assertEqual(done.returncode, 0, f"firn {arguments}: {done.stderr}")
        return done.stdout

    def assert_refused(self, done, *words, code=1):
        """One line on stderr that says what and why; the right exit code; no crash."""
        said = done.stderr
        self.assertEqual(done.returncode, code, f"exit code {done.returncode}; stderr: {said}")
        self.assertIsNone(CRASHES.search(said), said)
        self.assertEqual(len(said.strip().splitlines()), 1, f"not one line: {said!r}")
        self.assertTrue(said.startswith("firn: "), said)
        for word in words:
            self.assertRegex(said, re.compile(str(word), re.IGNORECASE))

    def refuse(self, *arguments, words=(), code=1):
        self.assert_refused(self.firn(*arguments), *words, code=code)

    def init(self, volume=None):
        volume = volume or self.volume
        self.succeed("init", volume)
        return volume

    def mount(self, volume=None, mount_point=None):
        volume, mount_point = volume or self.volume, mount_point or self.mount_point
        self.mounted.append((volume, mount_point))
        self.succeed("mount", volume, mount_point)

    def umount(self, mount_point=None):
        self.succeed("umount", mount_point or self.mount_point)

    def init_with_content(self):
        """A volume that holds something to lose."""
        self.init()
        self.mount()
        (self.mount_point / "precious").write_text("small")
        (self.mount_point / "folder").mkdir()
        (self.mount_point / "folder" / "large").write_bytes(b"large" * 100000)
        self.umount()

    def assert_content(self):
        self.mount()
        self.assertEqual((self.mount_point / "precious").read_text(), "small")
        self.assertEqual((self.mount_point / "folder" / "large").read_bytes(), b"large" * 100000)
        self.umount()
        self.succeed("fsck", self.volume)

    def daemon_pid(self, volume=None):
        return int(((volume or self.volume) / "firn.lock").read_text().split()[0])

    def kill_daemon(self, volume=None):
        try:
            pid = self.daemon_pid(volume)
            if Path(os.readlink(f"/proc/{pid}/exe")) != FIRN:
                return
            os.kill(pid, signal.SIGKILL)
            while self.has_threads(pid):  # the last of them lets its locks go
                time.sleep(0.01)
        except (OSError, ValueError, IndexError):
            pass

    @staticmethod
    def has_threads(pid):
        def is_alive(task):
            try:
                return (task / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
            except OSError:
                return False
        return any(map(is_alive, Path(f"/proc/{pid}/task").iterdir()))

    @staticmethod
    def is_dead(mount_point):
        try:
            os.stat(mount_point)
            return False
        except OSError:
            return True

    def small_disk(self, megabytes, kind="ext4"):
        """A file system of so many megabytes, where a volume fits but not much else; xfs wants 300 of them, btrfs 120."""
        disk = self.folder / "disk"
        disk.mkdir()
        image = self.folder / "disk.img"
        with open(image, "wb") as file:
            file.truncate(megabytes << 20)
        made = self.run_program(f"mkfs.{kind}", "-q", "-F" if kind == "ext4" else "-f", image)
        self.assertEqual(made.returncode, 0, made.stderr)
        mounted = self.run_program("mount", "-o", "loop", image, disk)
        self.assertEqual(mounted.returncode, 0, mounted.stderr)
        self.other_mounts.append(disk)
        return disk


needs_root = unittest.skipUnless(os.geteuid() == 0, "needs root")
