"""A daemon that dies at a named step of moving data and metadata (src/base/failpoint.h)."""
import json
import os
import re
import signal
import subprocess
import time

from firn_cli import FIRN
from tiered import TieredTest

DEATH_S = 30
CHUNK_BYTES = 256 << 10


def points(prefix=""):
    """As the program itself lists them."""
    said = subprocess.run([FIRN, "version"], env={**os.environ, "FIRN_FAILPOINT": "?"}, text=True, capture_output=True)
    assert said.returncode == 2, said
    return [name for name in said.stderr.split("there are: ")[1].split() if name.startswith(prefix)]


class DyingTest(TieredTest):
    def serving(self):
        """What `firn mount` is told beside the mount point, before and after it."""
        return [self.volume], []

    def stores(self):
        """The folders of the tiers' objects."""
        return [self.nas, self.server.bucket / self.prefix]

    def init(self):
        """Nothing happens by itself before long, and nothing dead is kept."""
        self.succeed("init", self.volume, "--tier", f"nas={self.nas}", "--tier", f"s3={self.url}",
                     "--chunk-size", str(CHUNK_BYTES))
        self.set_slow_pace()

    def set_slow_pace(self):
        settings = self.volume / "firn.toml"
        text, changed = re.subn(r'(?m)^#? ?(flush_interval|retention) = .*$',
                                lambda found: f'{found[1]} = "{"24h" if found[1] == "flush_interval" else "0s"}"',
                                settings.read_text())
        self.assertEqual(changed, 2, text)
        settings.write_text(text)

    # ---- files ----
    def write_some(self, count=3):
        for _ in range(count):
            self.write_or_doubt(f"f{self.random.randrange(8)}", self.random.choice([90, 9_000, 400_000, 1_500_000]))

    def write_new(self):
        """One that colder tiers have nothing of."""
        self.write_or_doubt(f"new{next(self.numbers)}", 400_000)

    def write_or_doubt(self, name, size):
        try:
            self.write(name, size)
        except OSError:
            # It may be any mixture of old and new.
            self.doubtful.add(name)
            raise

    def write_large(self, prefix, count):
        for i in range(count):
            self.write(f"{prefix}{i}", self.random.randrange(600_000, 1_200_000))

    def remove(self, name):
        os.unlink(self.mount_point / name)
        del self.expected[name]

    def large_files(self):
        return [name for name, content in self.expected.items() if len(content) > 300_000]

    def evict_all(self):
        """As the armed daemon is to find it."""
        self.mount()
        self.write_large("cold", 3)
        self.flush()
        self.succeed("tier", "evict", self.volume)
        self.umount()

    def try_to_flush(self):
        """The daemon may die of it."""
        self.firn("tier", "flush", self.volume)

    # ---- dying ----
    def shuffled(self, prefix):
        names = points(prefix)
        self.random.shuffle(names)
        return names

    def die_at(self, point, workload, visit=1):
        """Serves the volume with a daemon that dies at that step, and does the work until it is dead."""
        self.doubtful = set()
        before, after = self.serving()
        daemon = subprocess.Popen([FIRN, "mount", "-f", *before, self.mount_point, *after], text=True,
                                  env={**self.environment, "FIRN_FAILPOINT": f"{point}:{visit}"},
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.mounted.append((self.volume, self.mount_point))
        try:
            said = daemon.stdout.readline()
            self.assertIn(said, ("", f"mounted {self.mount_point}\n"))
            deadline = time.monotonic() + DEATH_S
            while said and daemon.poll() is None and time.monotonic() < deadline:
                try:
                    workload()
                except OSError:
                    break
            self.assertEqual(daemon.wait(timeout=DEATH_S), -signal.SIGKILL, f"{point} was not reached")
        finally:
            daemon.kill()
            daemon.wait()
            daemon.stdout.close()
            self.run_program("umount", "-l", self.mount_point)

    # ---- afterwards ----
    def forget_doubtful(self):
        """What was being written when the daemon died."""
        for name in self.doubtful:
            (self.mount_point / name).unlink(missing_ok=True)
            self.expected.pop(name, None)

    def assert_nothing_left_over(self, may_wait=0, stores=None):
        """After gc, each store has the blobs that files need, and no other, but for so many whose time has not come."""
        while True:
            done = json.loads(self.succeed("gc", self.volume, "--grace", "0s", "--json"))
            self.assertEqual((done["failed"], done["wrong_counters"]), (0, 0), done)
            if done["removed"] + done["repacked"] == 0:
                break
        self.assertEqual(done["dead"], done["waiting"], done)
        self.assertLessEqual(done["waiting"], may_wait, done)
        for folder in stores or self.stores():
            blobs = [path for path in (folder / "blob").rglob("*") if path.is_file()]
            self.assertGreaterEqual(len(blobs), done["live"], done)
            self.assertLessEqual(len(blobs), done["live"] + done["waiting"], done)
