"""A volume that lives in a bucket, and machines that come and go."""
import os
import shutil
import threading
import time

from tiered import TieredTest

LONG_S = 60
TAKEN_OVER = "another daemon has taken over this volume"
FOLLOW_S = 20


class BucketTest(TieredTest):
    def setUp(self):
        super().setUp()
        self.environment["FIRN_CACHE_DIR"] = str(self.folder / "caches")
        self.volume = self.folder / "cache"  # a disposable folder for each machine

    def make(self, *options):
        self.succeed("init", self.url, *options)
        self.mount()

    def mount(self, volume=None, mount_point=None, *options):
        volume, mount_point = volume or self.volume, mount_point or self.mount_point
        self.mounted.append((volume, mount_point))
        self.succeed("mount", self.url, mount_point, "--cache", volume, *options)

    def lose_machine(self):
        """The daemon dies, and its disk with it; the volume is mounted elsewhere."""
        self.kill_daemon(self.volume)
        self.run_program("umount", "-l", self.mount_point)
        shutil.rmtree(self.volume)
        self.mount()

    def fsync_elsewhere(self, name):
        """Appends to an open file, without waiting: what becomes of the fsync."""
        outcome = {}

        def append():
            try:
                with open(self.mount_point / name, "ab", buffering=0) as file:
                    file.write(b"more")
                    os.fsync(file.fileno())
                outcome["error"] = None
            except OSError as error:
                outcome["error"] = error
        thread = threading.Thread(target=append)
        thread.start()
        return thread, outcome

    def until_same(self, mount_point):
        """Readers ask once a second and apply what they find: several times that is what "bounded" promises."""
        deadline = time.monotonic() + FOLLOW_S
        while True:
            try:
                return self.assert_tree(mount_point)
            except (AssertionError, OSError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def wait_for_end(self, volume):
        """Until its daemon has ended by itself."""
        done = self.run_program("flock", "--timeout", str(LONG_S // 2), volume / "firn.lock", "true")
        self.assertEqual(done.returncode, 0, "the daemon still runs")
