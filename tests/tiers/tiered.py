"""A volume with a folder and a bucket as its tiers, and trees of files that can be compared."""
import hashlib
import json
import os
import random
import time
from pathlib import Path

from firn_cli import FirnTest, disk_bytes, files_below
from s3_server import S3Server

DRAIN_S = 60


class TieredTest(FirnTest):
    prefixes = 0

    @classmethod
    def setUpClass(cls):
        cls.server = S3Server()

    @classmethod
    def tearDownClass(cls):
        cls.server.remove()

    def setUp(self):
        super().setUp()
        TieredTest.prefixes += 1
        self.seed = int(os.environ.get("FIRN_SEED") or random.randrange(1 << 32))
        print(f"{self.id()}: seed {self.seed}", flush=True)
        self.random = random.Random(self.seed)
        self.prefix = f"prefix{TieredTest.prefixes}"
        self.url = self.server.url(self.prefix)
        self.nas = self.folder / "nas"
        self.environment = self.server.environment()
        self.expected = {}

    def run_program(self, *command, **more):
        more.setdefault("env", self.environment)
        return super().run_program(*command, **more)

    def make(self, *options):
        self.succeed("init", self.volume, "--tier", f"nas={self.nas}", "--tier", f"s3={self.url}", *options)
        self.mount()

    # ---- files ----
    def write(self, name, size, at=0):
        """Writes `size` random bytes, with an fsync."""
        path = self.mount_point / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = self.random.randbytes(size)
        with open(path, "r+b" if at else "wb", buffering=0) as file:
            file.seek(at)
            left = memoryview(data)
            while left:  # a disk that fills takes a part, and says so when asked for the rest
                left = left[file.write(left):]
            os.fsync(file.fileno())
        self.expected[name] = (self.expected[name][:at] if at else b"") + data + (
            self.expected[name][at + size:] if at else b"")

    def write_tree(self):
        for i in range(60):
            self.write(f"small/{i % 7}/f{i}", self.random.randrange(1, 40_000))
        for i in range(4):
            self.write(f"large{i}", self.random.randrange(3 << 20, 12 << 20))

    def assert_tree(self, mount_point=None):
        mount_point = Path(mount_point or self.mount_point)
        found = {str(path.relative_to(mount_point)) for path in mount_point.rglob("*") if path.is_file()}
        self.assertEqual(found, set(self.expected))
        for name, content in self.expected.items():
            digest = hashlib.sha256((mount_point / name).read_bytes()).hexdigest()
            self.assertEqual(digest, hashlib.sha256(content).hexdigest(), name)

    # ---- the volume ----
    def status(self):
        """Also of a volume that is not well."""
        return json.loads(self.firn("status", self.volume, "--json").stdout)

    def flush(self):
        self.succeed("tier", "flush", self.volume)

    def wait_until_drained(self):
        deadline = time.monotonic() + DRAIN_S
        while self.firn("tier", "flush", self.volume).returncode != 0 or self.status()["tiers"]["pending_files"] > 0:
            self.assertLess(time.monotonic(), deadline, f"still pending: {self.status()['tiers']}")
            time.sleep(0.5)

    def settle(self):
        """In the end nothing waits, gc takes away what nobody needs, and a look at everything finds nothing wrong."""
        self.wait_until_drained()
        deadline = time.monotonic() + DRAIN_S
        while True:
            self.assertLess(time.monotonic(), deadline, "gc always finds something to take away")
            done = json.loads(self.succeed("gc", self.volume, "--grace", "0s", "--json"))
            self.assertEqual((done["failed"], done["wrong_counters"]), (0, 0), done)
            if done["removed"] + done["repacked"] == 0:
                break
        self.assert_tree()
        self.umount()
        self.fsck_deep()

    def go_on_restored(self, *options, url=None, name="restored"):
        """The volume, which must not be mounted, is from here on what a restore gives."""
        self.volume = self.folder / name
        self.succeed("restore", url or self.url, self.volume, *options)
        self.mount()
        self.assert_tree()

    def hot_bytes(self):
        return disk_bytes(self.volume / "hot")

    @staticmethod
    def stored(place):
        """Bytes of the blobs that a tier's folder holds."""
        return sum(status.st_size for _, status in files_below(place / "blob"))

    def blobs(self):
        return [path for path, _ in files_below(self.server.bucket / self.prefix / "blob")]

    def fsck_deep(self):
        done = self.firn("fsck", "--deep", self.volume)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
