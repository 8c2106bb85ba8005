"""Equal chunks are in the tiers once, and stay there as long as one of their files needs them."""
import os
import shutil
import unittest

from tiered import TieredTest

MIB = 1 << 20


class Dedup(TieredTest):
    def assert_stored(self, least, most):
        for place in (self.server.bucket / self.prefix, self.nas / ""):
            self.assertGreaterEqual(self.stored(place), least, place)
            self.assertLessEqual(self.stored(place), most, place)

    def copy(self, name, other):
        shutil.copyfile(self.mount_point / name, self.mount_point / other)
        self.expected[other] = self.expected[name]

    def remove(self, *names):
        for name in names:
            os.unlink(self.mount_point / name)
            del self.expected[name]
        os.sync()

    def gc(self):
        """What is repacked first is dead in the next pass."""
        for _ in range(2):
            self.succeed("gc", self.volume, "--grace", "0s")

    def life_of_copies(self, *restore_options):
        self.write("first", 9 * MIB + 12345)
        self.copy("first", "second")
        self.assertIn("were not sent again", self.succeed("tier", "flush", self.volume))
        self.assertGreater(self.status()["tiers"]["shared_bytes"], 9 * MIB)
        self.assert_stored(9 * MIB, 10 * MIB)
        self.copy("second", "third")
        self.write("other", 3 * MIB)
        self.flush()
        self.assert_stored(12 * MIB, 13 * MIB)
        self.remove("first")
        self.gc()
        self.assertIn("evicted 3 files", self.succeed("tier", "evict", self.volume))
        self.assert_tree()
        self.assertIn("0 damaged", self.succeed("scrub", self.volume))
        self.succeed("tier", "evict", self.volume)
        # A byte of one is another: the other keeps its own.
        self.write("third", 1, at=5 * MIB)
        self.flush()
        self.assert_tree()
        self.umount()
        self.fsck_deep()
        shutil.rmtree(self.volume)
        self.go_on_restored(*restore_options)
        # The restored volume goes on sharing.
        before = self.stored(self.server.bucket / self.prefix)
        self.copy("second", "fourth")
        self.flush()
        self.assertEqual(self.stored(self.server.bucket / self.prefix), before)
        self.remove("second", "third", "fourth", "other")
        self.flush()
        self.gc()
        self.assert_stored(0, 0)

    def test_copies(self):
        self.make("--dedup")
        self.life_of_copies()

    def test_sealed_copies(self):
        key = self.folder / "key"
        key.write_text("not a passphrase but a file")
        self.make("--dedup", "--encrypt", "--key-file", key)
        self.life_of_copies("--key-file", key)

    def test_it_is_off_unless_asked_for(self):
        self.make()
        self.write("first", 5 * MIB)
        self.copy("first", "second")
        self.assertNotIn("were not sent again", self.succeed("tier", "flush", self.volume))
        self.assert_stored(10 * MIB, 11 * MIB)
        self.umount()
        settings = self.volume / "firn.toml"
        text = settings.read_text()
        self.assertIn("#dedup = false", text)
        settings.write_text(text.replace("#dedup = false", "dedup = true"))
        self.mount()
        self.write("third", 5 * MIB)
        self.copy("third", "fourth")
        self.flush()
        self.assert_stored(15 * MIB, 16 * MIB)
        self.umount()
        self.fsck_deep()


if __name__ == "__main__":
    unittest.main()
