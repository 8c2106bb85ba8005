"""Volumes whose bucket is behind a proxy that misbehaves."""
import itertools
import random
import time

from bucket_volume import TAKEN_OVER, BucketTest
from fault_proxy import FaultProxy
from tiered import TieredTest

CHUNK_BYTES = 256 << 10
STORM = 0.25  # of all requests fail


def lose(path):
    path.unlink()


def flip(path):
    """One bit in the middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


class ProxiedTest(TieredTest):
    rechecked_s = 0  # after so long nobody asks any more whether the store kept what was put into the log

    def setUp(self):
        super().setUp()
        self.proxy = FaultProxy(self.server.port)
        self.addCleanup(self.proxy.stop)
        self.environment = {**self.environment, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.proxy.port}"}
        self.chance = random.Random(self.seed)  # the proxy's

    def make(self, *options):
        super().make("--chunk-size", str(CHUNK_BYTES), *options)

    def now_and_then(self, names, probability=STORM, where="", methods=("GET", "PUT", "DELETE")):
        each = itertools.cycle(names)

        def choose(method, path):
            if method in methods and where in path and self.chance.random() < probability:
                return next(each)
            return None

        self.proxy.inject(choose)

    def once_each(self, name, where, methods):
        left = set(methods)

        def choose(method, path):
            if where in path and method in left:
                left.remove(method)
                return name
            return None

        self.proxy.inject(choose)

    def assert_damage_is_never_believed(self, where=""):
        """What was written is in the bucket alone: a read of it is right, or fails."""
        self.now_and_then(("corrupted", "shortened"), where=where, methods=("GET",))
        right = 0
        for _ in range(60):
            name = self.random.choice(list(self.expected))
            at = self.random.randrange(len(self.expected[name]))
            try:
                with open(self.mount_point / name, "rb") as file:
                    file.seek(at)
                    self.assertEqual(file.read(50_000), self.expected[name][at:at + 50_000])
                right += 1
            except OSError:
                pass
        self.assertGreater(right, 0)
        self.assertGreater(self.proxy.injected.get("corrupted", 0), 0, self.proxy.injected)
        self.assertGreater(self.proxy.injected.get("shortened", 0), 0, self.proxy.injected)
        self.proxy.heal()
        self.assert_tree()
        self.settle()

    def metadata(self, folder):
        return sorted(path for path in (self.server.bucket / self.prefix / folder).rglob("*") if path.is_file())

    def assert_scrub_mends_metadata(self):
        """Whatever is lost of it in the bucket, or damaged, while the volume is served."""
        for hurt, folder in itertools.product((lose, flip), ("sst", "root", "log")):
            for i in range(3):
                self.write(f"{hurt.__name__} {folder} {i}", 5_000)
                self.wait_until_drained()  # an object of the log at least
            time.sleep(self.rechecked_s if folder == "log" else 0)
            path = self.metadata(folder)[-1] if folder != "log" else self.metadata("log")[-2]
            hurt(path)
            name = str(path.relative_to(self.server.bucket / self.prefix))
            done = self.firn("scrub", self.volume)
            self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
            self.assertRegex(done.stdout, f"metadata: {name}: .*\\(repaired\\)")
            self.succeed("scrub", self.volume)
            status = self.status()
            self.assertEqual(status["health"], "ok", status["reasons"])
            metadata = status["tiers"]["metadata"]
            self.assertGreater(metadata["damaged_objects"], 0)
            self.assertEqual(metadata["damaged_objects"], metadata["repaired_objects"])
        self.assertIn("objects of it were found damaged there", self.succeed("status", self.volume))

    def without_keys(self):
        """This process's environment, without the keys that it has for the bucket."""
        return {name: value for name, value in self.environment.items()
                if name not in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}

    def settle(self):
        self.proxy.heal()
        super().settle()


class ProxiedBucketTest(ProxiedTest, BucketTest):
    rechecked_s = 2

    def assert_not_fenced(self):
        self.assertNotIn(TAKEN_OVER, (self.volume / "firn.log").read_text())

    def lose_machine(self):
        self.assert_not_fenced()
        super().lose_machine()

    def settle(self):
        """The next machine, whose cache is empty, has all that was acknowledged; then the usual end."""
        self.proxy.heal()
        self.lose_machine()
        self.assert_tree()
        super().settle()

    def write_some(self, names=8):
        """A new file, a small change, or more at the end."""
        name = f"f{self.random.randrange(names)}"
        at = self.random.choice([0, self.random.randrange(100_000), 1 << 30])
        self.write(name, self.random.choice([90, 5_000, 400_000]), at=min(at, len(self.expected.get(name, b""))))
