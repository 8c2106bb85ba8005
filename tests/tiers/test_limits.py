"""A folder with a bucket behind it that has a limit, or is full: what the bucket has leaves it, and nothing is lost."""
import contextlib
import itertools
import os
import re
import subprocess
import threading
import time
import unittest

from dying import DyingTest
from firn_cli import files_below
from tiered import TieredTest

MIB = 1 << 20
HIGH, LOW = 0.85, 0.7


class Limited(TieredTest):
    def make_limited(self, limit, *options):
        self.succeed("init", self.volume, "--tier", f"nas={self.nas}", "--tier", f"s3={self.url}", *options)
        self.limit(f'["nas={limit}"]')

    def limit(self, value):
        path = self.volume / "firn.toml"
        text, changed = re.subn(r"(?m)^#?limits = .*$", f"limits = {value}", path.read_text())
        self.assertEqual(changed, 1, text)
        path.write_text(text)

    def near(self):
        return {path.name: status.st_size for path, status in files_below(self.nas / "blob")}

    def far(self):
        return {path.name for path in self.blobs()}

    def write_and_flush(self, count):
        """Files in blobs of their own."""
        for number in range(count):
            self.write(f"f{len(self.expected)}", MIB + number)
            self.flush()

    def wait_for(self, right, what):
        self.wait_until(right, lambda: f"{what}: {self.status()['tiers']['stores']}")

    def tiers_of(self, name):
        return int(os.getxattr(self.mount_point / name, "user.firn.tiers"))


class Limits(Limited):
    def test_what_was_used_longest_ago_leaves(self):
        self.make_limited("8MiB")
        self.mount()
        self.write_and_flush(12)
        self.wait_for(lambda: sum(self.near().values()) <= HIGH * 8 * MIB, "the folder holds too much")
        self.assertGreater(sum(self.near().values()), (LOW - 0.3) * 8 * MIB)
        self.assertEqual(len(self.far()), 12)
        self.assertLess(self.near().keys(), self.far())
        self.assertEqual(self.tiers_of("f0"), 1 + 4)
        self.assertEqual(self.tiers_of("f11"), 1 + 2 + 4)
        self.assertRegex(self.succeed("status", self.volume), r"holds .* of at most 8")
        # From the bucket, without a word of damage.
        self.succeed("tier", "evict", self.volume)
        self.assertEqual(self.tiers_of("f0"), 4)
        self.assert_tree()
        self.assertEqual(self.status()["health"], "ok", self.status()["reasons"])
        # No upload brings it back, nor does a mount, a gc or a scrub.
        before = self.near().keys()
        self.flush()
        self.umount()
        self.mount()
        self.succeed("gc", self.volume, "--grace", "0s")
        self.succeed("scrub", self.volume)
        self.assertEqual(self.near().keys(), before)
        for name in ("f0", "f11"):
            (self.mount_point / name).unlink()
            del self.expected[name]
        self.succeed("gc", self.volume, "--grace", "0s")
        self.assertEqual(len(self.far()), 10)
        self.assertLessEqual(self.near().keys(), self.far())
        self.assert_tree()
        self.umount()
        self.fsck_deep()

    def test_nothing_leaves_before_the_bucket_has_it(self):
        self.make_limited("2MiB")
        self.mount()
        self.server.stop()
        try:
            for number in range(5):
                self.write(f"f{number}", MIB)
            self.firn("tier", "flush", self.volume)
            self.wait_for(lambda: sum(self.near().values()) > 5 * MIB, "not all in the folder")
            there = self.near()
            time.sleep(5)  # more than one look
            self.assertEqual(self.near(), there)
        finally:
            self.server.start()
        self.wait_until_drained()
        self.wait_for(lambda: sum(self.near().values()) <= HIGH * 2 * MIB, "the folder holds too much")
        self.assert_tree()
        self.umount()
        self.fsck_deep()

    def test_what_the_bucket_has_lost_stays_until_it_has_it_again(self):
        self.make_limited("8MiB")
        self.mount()
        self.write_and_flush(4)
        lost, cut = self.random.sample(self.blobs(), 2)
        lost.unlink()
        cut.write_bytes(cut.read_bytes()[:1000])
        self.succeed("tier", "evict", self.volume)  # the folder's copy of these two is the only one
        self.write_and_flush(8)
        self.wait_for(lambda: sum(self.near().values()) <= HIGH * 8 * MIB, "the folder holds too much")
        self.wait_for(lambda: self.status()["tiers"]["repaired_objects"] >= 2, "they were not put there again")
        self.assertEqual(len(self.far()), 12)
        self.limit('["nas=1MiB"]')
        self.umount()
        self.mount()
        self.wait_for(lambda: sum(self.near().values()) <= MIB, "they do not leave")
        self.succeed("tier", "evict", self.volume)
        self.assert_tree()
        self.umount()
        self.fsck_deep()

    def test_nothing_leaves_while_the_bucket_does_not_answer(self):
        self.make_limited("8MiB")
        self.mount()
        self.write_and_flush(4)
        self.umount()
        self.limit('["nas=1MiB"]')
        there = self.near()
        self.server.stop()
        try:
            self.mount()
            self.wait_for(lambda: "make_room_failure" in self.status()["tiers"], "the pass has not failed")
            self.assertEqual(self.near(), there)
            self.assertRegex(self.firn("status", self.volume).stdout, "a tier that is to make room cannot: tier s3")
        finally:
            self.server.start()
        self.wait_for(lambda: sum(self.near().values()) <= MIB, "the folder holds too much")
        self.wait_for(lambda: "make_room_failure" not in self.status()["tiers"], "the failure stays")
        self.assert_tree()

    def test_a_folder_that_is_full_makes_room_by_itself(self):
        self.nas.parent.mkdir(exist_ok=True)
        disk = self.folder / "share"
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", disk], check=True)
        self.other_mounts.append(disk)
        self.nas = disk / "firn"
        self.succeed("init", self.volume, "--tier", f"nas={self.nas}", "--tier", f"s3={self.url}")
        self.mount()
        self.write("read", MIB)
        self.flush()
        with self.reader("read"):
            for _ in range(4):
                self.fill_folder_once()
            self.wait_until_drained()
        self.assertEqual(len({path.name for path in self.blobs()} - self.near().keys()) > 0, True)
        self.succeed("tier", "evict", self.volume)
        self.assert_tree()
        self.umount()
        self.fsck_deep()

    def fill_folder_once(self):
        """One put fails for want of room, and no other for a while: all that says that the folder is full."""
        def evicted():
            return self.status()["tiers"]["stores"][0].get("evicted_bytes", 0)

        before = evicted()
        for _ in range(20):
            self.write(f"f{len(self.expected)}", MIB)
            if self.firn("tier", "flush", self.volume).returncode != 0:
                break
        self.wait_until(lambda: evicted() > before, lambda: f"no room is made: {self.status()['tiers']}", patience_s=15)

    @contextlib.contextmanager
    def reader(self, name):
        """The folder is asked for a file all the time, and answers."""
        stop, read = threading.Event(), []

        def work():
            while not stop.is_set():
                self.firn("tier", "evict", self.mount_point / name)
                with open(self.mount_point / name, "rb", buffering=0) as file:
                    for offset in range(0, MIB, 64 << 10):
                        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                        os.pread(file.fileno(), 4096, offset)
                        read.append(offset)

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertGreater(len(read), 0)

    def test_limits_that_make_no_sense(self):
        self.make_limited("1GiB")
        for value, words in (('["s3=1GiB"]', "last tier keeps everything"), ('["tape=1GiB"]', "no tier of that name"),
                             ('["nas"]', "NAME=SIZE"), ('["nas=much"]', "NAME=SIZE"), ('["nas=0"]', "NAME=SIZE")):
            with self.subTest(value):
                self.limit(value)
                self.refuse("mount", self.volume, self.mount_point, words=["tiers.limits", words])


class OwnWatermarks(Limited):
    """[tier.NAME] of firn.toml."""
    NAS, HOT = 8 * MIB, 12 * MIB

    def set(self, section, **values):
        """Below the table's line in firn.toml, which `firn init` wrote."""
        path = self.volume / "firn.toml"
        text = path.read_text()
        self.assertIn(f"\n[{section}]\n", text)
        lines = "".join(f"{name} = {value}\n" for name, value in values.items())
        path.write_text(text.replace(f"\n[{section}]\n", f"\n[{section}]\n{lines}"))

    def make(self):
        self.succeed("init", self.volume, "--tier", f"nas={self.nas}", "--tier", f"s3={self.url}")

    def test_each_tier_keeps_to_its_own(self):
        """All is there before room is made: what is written afterwards may stay, up to the high watermark."""
        self.make()
        self.mount()
        self.write_and_flush(12)
        self.umount()
        self.set("tier.nas", capacity='"8MiB"', high_watermark=50, low_watermark=25)
        self.set("tier.hot", capacity='"12MiB"', low_watermark=20)
        self.mount()
        self.wait_for(lambda: sum(self.near().values()) <= 0.5 * self.NAS, "the folder holds too much")
        self.wait_for(lambda: self.status()["tiers"]["hot_bytes"] <= 0.2 * self.HOT, "the local disk holds too much")
        self.assertEqual(len(self.far()), 12)
        self.assert_tree()
        text = self.succeed("status", self.volume)
        self.assertRegex(text, r"hot .* of at most 12.0 MiB \(room is made from 85 to 20 %\)")
        self.assertRegex(text, r"tier nas .* of at most 8.00 MiB \(room is made from 50 to 25 %\)")
        tiers = self.status()["tiers"]
        self.assertEqual((tiers["hot_high_watermark"], tiers["hot_low_watermark"]), (85, 20))
        self.assertEqual([(store.get("high_watermark"), store.get("low_watermark")) for store in tiers["stores"]],
                         [(50, 25), (None, None)])

    def test_what_is_not_set_is_as_for_all(self):
        self.make()
        text = (self.volume / "firn.toml").read_text()
        self.assertNotIn("[tier.s3]", text)
        (self.volume / "firn.toml").write_text(text.replace("#low_watermark = 70", "low_watermark = 60", 1))
        self.set("tier.nas", capacity='"8MiB"', high_watermark=80)
        self.mount()
        tiers = self.status()["tiers"]
        self.assertEqual((tiers["stores"][0]["high_watermark"], tiers["stores"][0]["low_watermark"]), (80, 60))
        self.assertEqual((tiers["hot_high_watermark"], tiers["hot_low_watermark"]), (85, 60))

    def test_what_makes_no_sense(self):
        self.make()
        good = (self.volume / "firn.toml").read_text()
        for lines, words in ((["[tier.tape]", "capacity = 5"], [r"\[tier.tape\]", "no tier of that name", "hot, nas, s3"]),
                             (["[tier.s3]", "capacity = 5"], [r"\[tier.s3\]", "last tier"])):
            with self.subTest(lines):
                (self.volume / "firn.toml").write_text(good + "\n".join(lines) + "\n")
                line = good.count("\n") + 1
                self.refuse("mount", self.volume, self.mount_point, words=[f"firn.toml:{line}:", *words])
        for values, words in (({"low_watermark": 60}, ["no capacity"]), ({"capacity": 5, "high_watermark": 60}, ["below the high one"]),
                              ({"capacity": 5, "high_watermark": 0}, ["tier.nas.high_watermark", "out of range"]),
                              ({"size": 5}, ["tier.nas.size", "unknown key"])):
            with self.subTest(values):
                (self.volume / "firn.toml").write_text(good)
                self.set("tier.nas", **values)
                self.refuse("mount", self.volume, self.mount_point, words=[r"firn.toml:\d+:", "tier.nas", *words])


class DyingWhileMakingRoom(Limited, DyingTest):
    def test_the_daemon_dies(self):
        self.init()
        self.limit('["nas=3MiB"]')
        self.numbers = itertools.count()

        def overfill():
            """The daemon dies by itself, perhaps while something is written."""
            for _ in range(3):
                self.write_or_doubt(f"large{next(self.numbers)}", self.random.randrange(600_000, 1_200_000))
            self.try_to_flush()

        for point in self.shuffled("tier_evict."):
            print(f"  dying at {point}", flush=True)
            self.die_at(point, overfill)
            self.mount()
            self.forget_doubtful()
            self.assert_tree()
            self.wait_until_drained()
            self.succeed("gc", self.volume, "--grace", "0s")  # what was being put when it died belongs to nobody
            self.wait_for(lambda: sum(self.near().values()) <= HIGH * 3 * MIB, "the folder holds too much")
            self.assertLessEqual(self.near().keys(), self.far())
            self.assert_nothing_left_over(stores=self.stores()[1:])
            self.succeed("tier", "evict", self.volume)
            self.assert_tree()
            self.umount()
            self.fsck_deep()


if __name__ == "__main__":
    unittest.main(verbosity=2)
