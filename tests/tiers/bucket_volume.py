"""A volume that lives in a bucket, and machines that come and go."""
import json
import os
import shutil
import threading
import time

from tiered import TieredTest

LONG_S = 60
TAKEN_OVER = "another daemon has taken over this volume"
FOLLOW_S = 2  # tiers.follow_interval
KERNEL_S = 1.1  # for so long it answers for names and attributes by itself


class BucketTest(TieredTest):
    def setUp(self):
        super().setUp()
        self.environment["FIRN_CACHE_DIR"] = str(self.folder / "caches")
        self.volume = self.folder / "cache"  # a disposable folder for each machine
        self.settings = None  # what each machine's firn.toml says, if not what firn writes by itself

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
        if self.settings is not None:
            self.volume.mkdir()
            (self.volume / "firn.toml").write_text(self.settings)
        self.mount()

    def shorten_lease(self):
        """For who loses many machines: each that follows one waits until the lease has lapsed."""
        self.umount()
        settings = self.volume / "firn.toml"
        self.settings = settings.read_text().replace('#lease = "5s"', 'lease = "1s"')
        self.assertIn('\nlease = "1s"', self.settings)
        settings.write_text(self.settings)
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

    def expect_followed(self, reader, mount_point):
        """What the bucket has now, a reader that has heard from it since has, and shows once the kernel asks it again. How
        long after the change it had heard."""
        self.flush()
        changed = time.monotonic()

        def heard():
            asked = time.monotonic()
            following = json.loads(self.firn("status", reader, "--json").stdout)["following"]
            return asked - following["behind_ms"] / 1000 > changed
        self.wait_until(heard, "the reader has heard nothing of the bucket", patience_s=LONG_S)
        took = time.monotonic() - changed
        time.sleep(KERNEL_S)
        self.assert_tree(mount_point)
        return took

    def wait_for_end(self, volume):
        """Until its daemon has ended by itself."""
        done = self.run_program("flock", "--timeout", str(LONG_S // 2), volume / "firn.lock", "true")
        self.assertEqual(done.returncode, 0, "the daemon still runs")
