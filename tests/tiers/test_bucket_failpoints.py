"""The daemon of a volume that lives in a bucket dies at every named step, and its machine with it: what fsync acknowledged is
there, and nothing is left over."""
import itertools
import shutil
import unittest

from dying import CHUNK_BYTES, DyingTest


BLOBS_IN_FLIGHT = 4  # tiers.blobs_in_flight


class BucketFailpoints(DyingTest):
    def setUp(self):
        super().setUp()
        self.environment["FIRN_CACHE_DIR"] = str(self.folder / "caches")
        self.volume = self.folder / "cache"
        self.numbers = itertools.count()
        self.announced = 0

    def serving(self):
        return [self.url], ["--cache", self.volume]

    def stores(self):
        return [self.server.bucket / self.prefix]

    def init(self):
        """Only fsync uploads, and commands; and nothing dead is kept."""
        self.succeed("init", self.url, "--chunk-size", CHUNK_BYTES)
        self.mount()
        self.umount()
        self.set_slow_pace()
        # Each machine waits until the lease of the one that was lost has lapsed, and a second more.
        settings = (self.volume / "firn.toml").read_text()
        self.assertIn('#lease = "5s"', settings)
        self.settings = settings.replace('#lease = "5s"', 'lease = "1s"')
        (self.volume / "firn.toml").write_text(self.settings)

    def new_machine(self):
        """With an empty cache."""
        shutil.rmtree(self.volume, ignore_errors=True)
        self.volume.mkdir()
        (self.volume / "firn.toml").write_text(self.settings)

    def mount(self):
        self.mounted.append((self.volume, self.mount_point))
        before, after = self.serving()
        self.succeed("mount", *before, self.mount_point, *after)

    def live_through(self, point, workload, visit=1):
        print(f"  dying at {point}:{visit}", flush=True)
        self.die_at(point, workload, visit)
        self.new_machine()
        self.mount()
        self.forget_doubtful()
        self.assert_tree()
        self.wait_until_drained()
        # What another machine announced and did not confirm may still be on its way, and is kept for an hour.
        self.announced += BLOBS_IN_FLIGHT
        self.assert_nothing_left_over(may_wait=self.announced)
        self.assert_tree()
        for name in [name for name in self.expected if name.startswith("new")]:
            self.remove(name)
        self.umount()
        self.fsck_deep()

    # ---- the work ----
    def change_blocks(self):
        """Small changes of what the bucket has already: they go into the log."""
        names = [name for name, content in self.expected.items() if len(content) > 100_000]
        for name in self.random.sample(names, min(3, len(names))):
            self.doubtful.add(name)
            self.write(name, 5_000, at=self.random.randrange(1, 90_000))
            self.doubtful.remove(name)

    def fsync(self):
        self.write_some()
        self.write_new()
        self.change_blocks()

    def fsync_until_a_root(self):
        """One is due after a thousand objects of the log, whatever their size."""
        self.fsync()
        for i in range(200):
            self.write_or_doubt(f"tiny{i % 8}", 90)

    def fsync_and_fold(self):
        self.fsync()
        self.try_to_flush()

    def evict(self):
        self.fsync_and_fold()
        self.firn("tier", "evict", self.volume)

    def read(self):
        self.evict()
        (self.mount_point / self.random.choice(self.large_files())).read_bytes()
        self.firn("tier", "warm", self.volume)

    def write_what_is_away(self):
        """Comes back as a whole first."""
        self.evict()
        name = self.random.choice(self.large_files())
        self.doubtful.add(name)
        self.write(name, 5_000, at=self.random.randrange(1, 90_000))
        self.doubtful.remove(name)

    def replace_what_is_away(self):
        """Does not come back."""
        self.evict()
        self.write_or_doubt(self.random.choice(self.large_files()), 300_000)

    def collect(self):
        """One blob that is all dead, and one that is mostly."""
        for keep in (0, 1):
            names = [f"dead{next(self.numbers)}" for _ in range(4)]
            self.write_together(names)
            for name in names[keep:]:
                self.remove(name)
        self.write_some(1)
        self.try_to_flush()
        self.firn("gc", self.volume, "--grace", "0s")

    def write_together(self, names):
        """Without fsync, so that they share a blob."""
        self.doubtful.update(names)
        for name in names:
            self.expected[name] = self.random.randbytes(900_000)
            (self.mount_point / name).write_bytes(self.expected[name])
        if self.firn("tier", "flush", self.volume).returncode != 0:
            raise OSError("the daemon is gone")
        self.doubtful.difference_update(names)

    # ---- the tests ----
    def test_fsync(self):
        self.init()
        for point in self.shuffled("upload."):
            if point not in ("upload.between_tiers", "upload.after_copy"):  # there is one tier
                self.live_through(point, self.fsync_and_fold, self.random.randrange(1, 4))

    def test_metadata(self):
        self.init()
        for point in self.shuffled("log."):
            self.live_through(point, self.fsync, self.random.randrange(1, 6))
        for point in self.shuffled("root."):
            self.live_through(point, self.fsync_until_a_root)
        for point in self.shuffled("takeover."):
            self.live_through(point, self.fsync)

    def test_evict_and_hydrate(self):
        self.init()
        for point in self.shuffled("evict."):
            self.live_through(point, self.evict)
        for point in self.shuffled("hydrate."):
            if point != "hydrate.after_backing":  # a volume that was restored to a folder
                self.live_through(point, self.read)

    def test_bring_back(self):
        self.init()
        for point in self.shuffled("bring_back."):
            self.live_through(point, self.write_what_is_away)
        for point in self.shuffled("forget."):
            self.live_through(point, self.replace_what_is_away)

    def test_collect(self):
        self.init()
        for point in self.shuffled("collect.") + self.shuffled("repack."):
            if not point.endswith("between_tiers"):
                self.live_through(point, self.collect)


if __name__ == "__main__":
    unittest.main(verbosity=2)
