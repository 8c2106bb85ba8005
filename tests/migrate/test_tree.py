"""Everything that a file system can hold arrives as it was, whoever has the volume open."""
import os
import unittest

from migrating import MigrateTest


class Tree(MigrateTest):
    def check(self, summary):
        self.assertEqual(summary["failed"], 0, summary)
        self.assertEqual(summary["skipped"], 0, summary)
        self.assertEqual(summary["linked"], 4)
        if not os.path.ismount(self.mount_point):
            self.mount()
        self.assert_same()
        sparse = os.stat(self.mount_point / "source" / "sparse")
        self.assertLess(sparse.st_blocks * 512, 1 << 20)
        self.assertEqual(os.stat(self.mount_point / "source" / "hole").st_blocks, 0)

    def test_into_a_volume_that_nobody_serves(self):
        self.write_everything()
        self.init()
        self.check(self.migrate())
        self.assertEqual(self.migrate("--verify")["failed"], 0)
        self.umount()
        self.succeed("fsck", self.volume)

    def test_access_times(self):
        read = self.write("read-long-ago", 10)
        times = (1_000_000_000_123_456_789, 1_500_000_000_987_654_321)
        os.utime(read, ns=times)
        self.init()
        self.migrate()
        self.mount()
        found = os.stat(self.mount_point / "source" / "read-long-ago")
        self.assertEqual((found.st_atime_ns, found.st_mtime_ns), times)
        self.assertEqual(os.stat(read).st_atime_ns, times[0])  # to be migrated is not to be read

    def test_into_a_mounted_volume(self):
        self.write_everything()
        self.init()
        self.mount()
        os.listdir(self.mount_point)  # what the kernel knows by now is told of the changes
        self.assertFalse((self.mount_point / "source").exists())
        self.check(self.migrate())
        again = self.migrate()
        self.assert_counts(again, unchanged=again["found"])
        self.umount()
        self.succeed("fsck", self.volume)

    def test_hard_links_across_sources_and_places(self):
        a, b = self.folder / "a", self.folder / "b"
        for folder in (a, b):
            folder.mkdir()
        (a / "one").write_bytes(b"x" * 100000)
        os.link(a / "one", b / "two")
        self.init()
        summary = self.migrate("--into", "/deep/er", sources=[a, f"{b}/"])
        self.assertEqual(summary["linked"], 1)
        self.mount()
        place = self.mount_point / "deep" / "er"
        self.assertEqual(sorted(os.listdir(place)), ["a", "two"])
        self.assertTrue(os.path.samefile(place / "a" / "one", place / "two"))

    def test_a_volume_never_swallows_itself(self):
        self.write("f", 10)
        self.volume = self.source / "volume"
        self.mount_point = self.source / "mnt"
        self.mount_point.mkdir()
        self.init()
        self.mount()
        report = self.folder / "report"
        summary = self.migrate("--report", report)
        self.assert_counts(summary, copied=2, skipped=2)
        listed = self.report(report)
        self.assertEqual(listed[str(self.volume)]["reason"], "is the volume itself")
        self.assertEqual(sorted(os.listdir(self.mount_point / "source")), ["f"])
        self.refuse("migrate", self.volume, "--from", self.mount_point, words=["volume itself"], code=2)
        self.umount()


unittest.main()
