"""Migration into a volume with colder tiers that sends equal chunks once."""
import unittest
from pathlib import Path

from migrating import MigrateTest

EQUAL = 3
LARGE = 4 << 20


class Tiers(MigrateTest):
    def test_what_was_migrated_comes_back_from_the_tier_and_equal_contents_are_there_once(self):
        tier = self.folder / "near"
        self.succeed("init", self.volume, "--tier", f"near={tier}", "--dedup")
        self.write_everything()
        same = self.random.randbytes(LARGE)  # nothing to compress
        for i in range(EQUAL):
            self.write(f"equal{i}", same)
        summary = self.migrate()
        self.assertEqual(summary["failed"], 0, summary)
        self.assertEqual((summary["equal_files"], summary["equal_bytes"]), (EQUAL - 1, (EQUAL - 1) * LARGE), summary)
        self.mount()
        self.assert_same()
        self.succeed("tier", "flush", self.volume)
        sent = sum(file.stat().st_size for file in Path(tier).rglob("*") if file.is_file())
        self.assertLess(sent, (self.source / "large").stat().st_size + 2 * LARGE)
        self.succeed("tier", "evict", self.volume)
        self.assertEqual((self.mount_point / "source" / "equal1").read_bytes(), same)
        self.assert_same()
        again = self.migrate()
        self.assert_counts(again, unchanged=again["found"])
        self.umount()
        self.succeed("fsck", self.volume)


unittest.main()
