"""Parts of evicted files that come back count, and go again."""
import re
import time
import unittest

from tiered import TieredTest

MIB = 1 << 20
HOT_MAX = 24 * MIB
SLACK = 8 * MIB  # what a second of reading may add
FILES, FILE, PART = 40, 3 * MIB, 2 * MIB


class Parts(TieredTest):
    def set_hot_max(self, value):
        path = self.volume / "firn.toml"
        text, changed = re.subn(r"(?m)^#? ?hot_max = .*$", f'hot_max = "{value}"', path.read_text())
        self.assertEqual(changed, 1)
        path.write_text(text)

    def make_cold(self, files, size):
        self.make("--chunk-size", "1MiB")
        for number in range(files):
            self.write(f"f{number:02}", size)
        self.flush()
        self.succeed("tier", "evict", self.volume)
        self.assertLess(self.hot_bytes(), MIB)

    def read_part(self, name, size):
        with open(self.mount_point / name, "rb") as file:
            self.assertEqual(file.read(size), self.expected[name][:size], name)

    def read_parts(self):
        """Of each file; the most that there was on the local disk."""
        most = 0
        for name in sorted(self.expected):
            self.read_part(name, PART)
            time.sleep(0.1)
            most = max(most, self.hot_bytes())
        return most

    def test_what_is_read_of_many_files_keeps_to_the_bound(self):
        self.make_cold(FILES, FILE)
        self.umount()
        self.set_hot_max("24MiB")
        self.mount()
        self.assertLessEqual(self.read_parts(), HOT_MAX + SLACK)
        self.assertGreater(self.hot_bytes(), HOT_MAX // 2)
        # An eviction may be under way between the two looks.
        self.wait_until(lambda: abs(self.status()["tiers"]["hot_bytes"] - self.hot_bytes()) < 2 * MIB,
                        lambda: f"{self.hot_bytes()}: {self.status()['tiers']}")
        self.assertEqual(self.status()["tiers"]["room"]["state"], "free")
        # Nobody who writes is held up by it.
        for number in range(8):
            self.write(f"new{number}", MIB)
        self.wait_until_drained()
        self.assert_tree()
        self.umount()
        self.fsck_deep()

    def test_what_was_read_before_a_mount_goes_too(self):
        self.make_cold(FILES, FILE)
        self.assertGreater(self.read_parts(), FILES * PART - MIB)
        self.umount()
        self.set_hot_max("24MiB")
        self.mount()
        self.wait_until(lambda: self.hot_bytes() <= HOT_MAX, lambda: f"{self.hot_bytes()}: {self.status()['tiers']}")
        self.assert_tree()
        self.umount()
        self.fsck_deep()

    def test_one_large_file_leaves_room(self):
        """It is open while it is read, and cannot go."""
        self.make_cold(1, 2 * HOT_MAX)
        self.umount()
        self.set_hot_max("24MiB")
        self.mount()
        with open(self.mount_point / "f00", "rb") as file:
            for offset in range(0, 2 * HOT_MAX, MIB):
                self.assertEqual(file.read(MIB), self.expected["f00"][offset:offset + MIB])
                self.assertLessEqual(self.hot_bytes(), HOT_MAX // 2 + SLACK)
            for number in range(6):
                self.write(f"new{number}", MIB)
            self.assertEqual(self.status()["tiers"]["room"]["state"], "free")
        self.assert_tree()

    def test_read_only(self):
        """Nothing goes, and no more stays than may."""
        self.make_cold(FILES, FILE)
        self.umount()
        self.set_hot_max("24MiB")
        self.succeed("mount", "-o", "ro", self.volume, self.mount_point)
        self.assertLessEqual(self.read_parts(), HOT_MAX + SLACK)
        self.assert_tree()


if __name__ == "__main__":
    unittest.main(verbosity=2)
