"""The daemon dies at every named step of moving data and metadata (src/base/failpoint.h), and nothing is lost or left over."""
import fcntl
import itertools
import re
import shutil
import signal
import subprocess
import unittest
from pathlib import Path

from dying import DyingTest, points

SOURCES = Path(__file__).resolve().parents[2] / "src"
REPAIR, RESCUE = "repair.before_confirm", "rescue.after_requeue"


class Failpoints(DyingTest):
    def live_through(self, point, workload, visit=1, allowed=None, restores=False, scrubs=False):
        """Dies there, and shows that nothing was lost, that everything arrives, and that nothing is left over.
        `allowed`: what else the content of a file may be. `restores`: with what the bucket holds before and after. `scrubs`: once a scrub has
        gone on, and with what tiers hold."""
        print(f"  dying at {point}:{visit}", flush=True)
        uploaded = dict(self.expected)
        self.die_at(point, workload, visit)
        if restores:
            self.assert_restores([name for name, content in uploaded.items()
                                  if self.expected.get(name) == content and name not in self.doubtful])
        self.mount()
        self.forget_doubtful()
        for name, other in (allowed or {}).items():
            if (self.mount_point / name).read_bytes() == other:
                self.expected[name] = other
        self.assert_tree()
        if scrubs:
            self.firn("scrub", self.volume)
        self.wait_until_drained()
        self.assert_nothing_left_over()
        if scrubs:
            self.assertIn("0 damaged", self.succeed("scrub", self.volume))
            self.succeed("tier", "evict", self.volume)
        self.assert_tree()
        self.umount()
        self.fsck_deep()
        if restores:
            self.assert_restores(self.expected)

    # ---- what is restored of it ----
    def assert_restores(self, names):
        """A copy of the bucket makes a volume with these files as they are."""
        copy = self.server.bucket / f"{self.prefix}-copy"
        subprocess.run(["cp", "-a", self.server.bucket / self.prefix, copy], check=True)
        restored, point = self.folder / "restored", self.folder / "restored-mnt"
        point.mkdir(exist_ok=True)
        try:
            self.succeed("restore", self.server.url(copy.name), restored)
            self.mounted.append((restored, point))
            self.succeed("mount", "-o", "ro", restored, point)
            for name in names:
                self.assertEqual((point / name).read_bytes(), self.expected[name], f"{name}, restored")
            self.umount(point)
        finally:
            shutil.rmtree(copy)
            shutil.rmtree(restored, ignore_errors=True)

    # ---- the tests ----
    def test_every_point_stands_in_the_code_once(self):
        used = []
        for path in SOURCES.rglob("*.cc"):
            if path.name != "failpoint_test.cc":
                used += re.findall(r'\bfailpoint\("([^"]*)"\)', path.read_text())
        self.assertEqual(sorted(used), sorted(points()))
        tested = {"upload", "evict", "tier_evict", "hydrate", "bring_back", "forget", "collect", "repair", "rescue", "repack", "log",
                  "root", "takeover", "restore"}
        elsewhere = {"put"}  # http/test_parts.py
        self.assertEqual({name.split(".")[0] for name in points()}, tested | elsewhere)
        # Which test_scrub names.
        self.assertEqual([name for name in points() if name.startswith(("repair.", "rescue."))], [REPAIR, RESCUE])

    def test_a_wrong_name_is_refused(self):
        self.environment = {**self.environment, "FIRN_FAILPOINT": "upload.somewhere"}
        self.refuse("version", words=["upload.somewhere", "no such point"], code=2)

    def test_upload(self):
        self.init()
        self.numbers = itertools.count()

        def upload():
            self.write_some()
            self.write_new()
            self.try_to_flush()

        def upload_past_an_absence():
            away = self.folder / "away"
            self.nas.rename(away)
            try:
                upload()
            finally:
                away.rename(self.nas)
            self.try_to_flush()

        for point in self.shuffled("upload."):
            copies = point == "upload.after_copy"
            self.live_through(point, upload_past_an_absence if copies else upload,
                              1 if copies else self.random.randrange(1, 3))

    def test_evict(self):
        self.init()

        def evict():
            self.write_large("warm", 2)
            self.try_to_flush()
            self.firn("tier", "evict", self.volume)

        for point in self.shuffled("evict."):
            self.live_through(point, evict, self.random.randrange(1, 3))

    def test_hydrate(self):
        self.init()

        def read():
            (self.mount_point / self.random.choice(self.large_files())).read_bytes()

        def warm():
            self.firn("tier", "warm", self.volume)

        for point in self.shuffled("hydrate."):
            if point == "hydrate.after_backing":
                continue  # test_restore
            self.evict_all()
            self.live_through(point, warm if "record" in point else read)

    def test_bring_back(self):
        self.init()
        for point in self.shuffled("bring_back."):
            self.evict_all()
            name = self.random.choice(self.large_files())
            self.live_through(point, lambda: open(self.mount_point / name, "r+b").close())
        for point in self.shuffled("forget."):
            self.evict_all()
            name = self.random.choice(self.large_files())
            self.live_through(point, lambda: open(self.mount_point / name, "wb").close(), allowed={name: b""})

    def test_collect(self):
        self.init()

        def collect():
            """Blobs that are all dead, and some that are mostly."""
            for keep in (0, 1):
                self.write_large("dead", 3)
                self.try_to_flush()
                for i in range(keep, 3):
                    self.remove(f"dead{i}")
            self.write_some(1)
            self.try_to_flush()
            self.firn("gc", self.volume, "--grace", "0s")

        for point in self.shuffled("collect.") + self.shuffled("repack."):
            self.live_through(point, collect)

    def test_scrub(self):
        self.init()

        def scrub(*places):
            """What these have of a new blob is damaged, in the same chunk."""
            self.write_large("kept", 2)
            self.try_to_flush()
            if len(places) == 1:
                self.firn("tier", "evict", self.volume)
            newest = max(self.blobs(), key=lambda path: path.stat().st_mtime_ns)
            for place in places:
                path = next((place / "blob").rglob(newest.name))
                bytes_there = bytearray(path.read_bytes())
                middle = len(bytes_there) // 2
                bytes_there[middle:middle + 4] = bytes(255 - byte for byte in bytes_there[middle:middle + 4])
                path.write_bytes(bytes_there)
            self.firn("scrub", self.volume)

        nas, bucket = self.stores()
        for place in (nas, bucket):
            self.live_through(REPAIR, lambda: scrub(place), scrubs=True)
        # No tier has that chunk any more, but the local disk.
        self.live_through(RESCUE, lambda: scrub(nas, bucket), scrubs=True)

    def test_metadata(self):
        self.init()
        self.mount()
        self.write_large("kept", 2)
        self.write_some()
        self.flush()
        self.umount()

        def ship():
            self.write_some()
            self.try_to_flush()

        visits = [(point, 1) for point in points("root.") + points("takeover.") + points("log.")]
        visits += [(point, visit) for point in points("log.") for visit in (2, 3)]
        self.random.shuffle(visits)
        for point, visit in visits:
            self.live_through(point, ship, visit, restores=True)

    def test_restore(self):
        self.init()
        self.mount()
        self.write_large("large", 2)
        self.write_some()
        self.flush()
        self.umount()
        for point in self.shuffled("restore."):
            print(f"  dying at {point}", flush=True)
            shutil.rmtree(self.volume)
            died = self.firn("restore", self.url, self.volume,
                             env={**self.environment, "FIRN_FAILPOINT": point})
            self.assertEqual(died.returncode, -signal.SIGKILL, f"{point} was not reached")
            if point == "restore.after_end":
                self.refuse("restore", self.url, self.volume, words=["volume already"])
            else:
                again = [re.escape(f"firn restore {self.url} {self.volume}")]
                self.refuse("mount", self.volume, self.mount_point, words=again)
                self.refuse("init", self.volume, words=again)
                self.succeed("restore", self.url, self.volume)
            self.mount()
            self.assert_tree()
            self.write_some()
            self.wait_until_drained()
            self.umount()
            self.fsck_deep()
        shutil.rmtree(self.volume)
        self.firn("restore", self.url, self.volume, env={**self.environment, "FIRN_FAILPOINT": "restore.after_metadata"})
        with open(self.volume / "firn.init") as marker:
            fcntl.flock(marker, fcntl.LOCK_EX)
            for command in (["restore", self.url], ["init"]):
                self.refuse(*command, self.volume, words=["firn restore is at work"])
        self.succeed("restore", self.url, self.volume)
        self.live_through("hydrate.after_backing",
                          lambda: (self.mount_point / self.random.choice(self.large_files())).read_bytes())


if __name__ == "__main__":
    unittest.main(verbosity=2)
