"""Equal contents: they share blocks where the volume's disk can do that, and it is said where it cannot."""
import os
import signal
import time
import unittest

from migrating import MigrateTest

COPIES = 4
LARGE = (6 << 20) + 123  # its end is no block's
SMALLEST = 16385  # what is smaller is in the metadata


class Equal(MigrateTest):
    def setUp(self):
        super().setUp()
        self.contents = [self.random.randbytes(LARGE) for _ in range(3)]

    def init_on(self, kind):
        self.volume = self.small_disk(512, kind) / "volume"
        self.init()

    def used_bytes(self):
        """What can be had back only by removing something, but for what the metadata keeps for itself. A file system
        may count for a while what has gone."""
        seen = None
        for _ in range(40):
            os.sync()
            disk = os.statvfs(self.volume)
            used = (disk.f_blocks - disk.f_bfree) * disk.f_frsize
            if used == seen:
                break
            seen = used
            time.sleep(0.25)
        reserve = self.volume / "meta" / "FIRN_RESERVE"
        return used - (reserve.stat().st_blocks * 512 if reserve.exists() else 0)

    def write_equal(self, copies=range(COPIES)):
        """Three contents, `copies` times each; a hole is in one of them. The bytes of one of each, holes aside."""
        rest = self.contents
        for i in copies:
            self.write(f"d{i}/large", rest[0])
            self.write(f"d{i}/smallest", rest[1][:SMALLEST])
            with open(self.write(f"d{i}/sparse", rest[2][:1 << 20]), "r+b") as file:
                file.seek(64 << 20)
                file.write(rest[2][:1 << 20])
        return LARGE + SMALLEST + (2 << 20)

    def assert_shared(self, summary, files, data_bytes):
        self.assertEqual(summary["failed"], 0, summary)
        self.assertEqual((summary["equal_files"], summary["equal_bytes"], summary["shared_bytes"]),
                         (files, data_bytes, data_bytes), summary)
        self.assertNotIn("not_shared", summary)

    def assert_sharing(self, kind):
        self.init_on(kind)
        before = self.used_bytes()
        one = self.write_equal()
        self.write("alone", 2 << 20)
        summary = self.migrate()
        self.assert_shared(summary, 3 * (COPIES - 1), one * (COPIES - 1))
        grown = self.used_bytes() - before
        self.assertLess(grown, one + (2 << 20) + one * (COPIES - 1) // 2, "the copies take no room of their own")
        again = self.migrate()
        self.assert_counts(again, unchanged=again["found"])
        self.assertEqual((again["equal_files"], again["shared_bytes"]), (0, 0))
        self.migrate("--verify")
        self.mount()
        self.assert_same()
        # Sharing blocks is not being one file.
        victim = self.mount_point / "source" / "d1" / "large"
        with open(victim, "r+b") as file:
            file.seek(1 << 20)
            file.write(b"changed")
        (self.mount_point / "source" / "d2" / "large").unlink()
        for name in ("d0", "d3"):
            self.assertEqual((self.mount_point / "source" / name / "large").read_bytes(),
                             (self.source / name / "large").read_bytes())
        self.umount()
        self.succeed("fsck", self.volume)

    def test_xfs(self):
        self.assert_sharing("xfs")

    def test_btrfs(self):
        self.assert_sharing("btrfs")

    def test_the_daemon_s_work(self):
        self.init_on("xfs")
        self.mount()
        one = self.write_equal(range(2))
        self.assert_shared(self.migrate(), 3, one)
        self.assert_same()

    def test_many_copied_at_the_same_time(self):
        self.init_on("xfs")
        data = self.random.randbytes(100_000)
        for i in range(200):
            self.write(f"d{i % 8}/f{i}", data)
        before = self.used_bytes()
        self.assert_shared(self.migrate(), 199, 199 * len(data))
        self.assertLess(self.used_bytes() - before, 100 * len(data))
        self.mount()
        self.assert_same()

    def test_a_disk_that_cannot_share_blocks_is_named_as_the_reason(self):
        self.init_on("ext4")
        one = self.write_equal()
        said = self.succeed("migrate", self.volume, "--from", self.source)
        self.assertRegex(said, r"equal files: 9, .*; not shared: the disk cannot share blocks\n")
        summary = self.migrate("--into", "/again")
        self.assertEqual((summary["equal_files"], summary["equal_bytes"], summary["shared_bytes"]),
                         (3 * (COPIES - 1), one * (COPIES - 1), 0), summary)
        self.assertEqual(summary["not_shared"], "the disk cannot share blocks")
        self.mount()
        self.assert_same()

    def test_the_summary_for_people(self):
        self.init_on("xfs")
        self.write_equal(range(1))
        self.assertNotIn("equal", self.succeed("migrate", self.volume, "--from", self.source))
        self.write_equal()
        said = self.succeed("migrate", self.volume, "--from", self.source, "--into", "/again")
        self.assertRegex(said, r"equal files: 9, (.*); shared: \1\n")

    def test_it_can_be_left_out(self):
        self.init_on("xfs")
        before = self.used_bytes()
        one = self.write_equal()
        summary = self.migrate("--no-dedup")
        self.assertEqual((summary["equal_files"], summary["equal_bytes"], summary["shared_bytes"]), (0, 0, 0))
        self.assertGreater(self.used_bytes() - before, one * COPIES - (1 << 20))
        self.mount()
        self.assert_same()

    def leave_interrupted(self):
        """As it is when a run is killed after what it has done so far."""
        journal = next((self.volume / "migrate").glob("*.journal"))
        journal.write_text(journal.read_text().removesuffix("end\n"))

    def test_a_run_that_goes_on_knows_what_was_copied(self):
        self.init_on("btrfs")
        one = self.write_equal(range(1))
        self.migrate()
        self.leave_interrupted()
        self.write_equal(range(1, COPIES))
        summary = self.migrate()
        self.assert_shared(summary, 3 * (COPIES - 1), one * (COPIES - 1))
        self.assertEqual(summary["unchanged"], 5, summary)  # two are folders
        self.mount()
        self.assert_same()

    def test_what_was_changed_since_is_not_mistaken(self):
        self.init_on("xfs")
        self.write_equal(range(1))
        self.migrate()
        self.leave_interrupted()
        self.mount()
        there = self.mount_point / "source" / "d0" / "large"
        with open(there, "r+b") as file:
            file.write(b"changed")
        changed = there.read_bytes()
        self.umount()
        self.write_equal(range(1, COPIES))
        summary = self.migrate("--on-conflict", "skip")
        self.assertEqual(summary["failed"], 0, summary)
        self.assertEqual(summary["equal_bytes"] - summary["shared_bytes"], LARGE, summary)  # the first, not the others
        self.assertIn("changed since", summary["not_shared"])
        self.mount()
        self.assertEqual(there.read_bytes(), changed)
        for i in range(1, COPIES):
            self.assertEqual((self.mount_point / "source" / f"d{i}" / "large").read_bytes(),
                             (self.source / f"d{i}" / "large").read_bytes())

    def test_killed_at_any_moment_it_shares_in_the_end(self):
        self.init_on("xfs")
        before = self.used_bytes()
        one = self.write_equal(range(20))
        for _ in range(4):
            running = self.start()
            time.sleep(self.random.uniform(0.02, 0.3))  # any moment
            running.send_signal(signal.SIGKILL)
            running.communicate()
        summary = self.migrate()
        self.assertEqual(summary["failed"], 0, summary)
        self.mount()
        self.assert_same()
        self.umount()
        self.succeed("fsck", self.volume)
        # What was cut off while it was copied is given back; a few files may not have found each other.
        self.assertLess(self.used_bytes() - before, one * 10)


unittest.main()
