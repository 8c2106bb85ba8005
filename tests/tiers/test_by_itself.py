"""What happens although nobody asks for it: uploads that begin, and a scrub."""
import re
import time
import unittest

from tiered import TieredTest

PATIENCE_S = 120
FIRST_SCRUB_S = 60  # after the start


class ByItself(TieredTest):
    def make_with(self, **settings):
        self.succeed("init", self.volume, "--tier", f"nas={self.nas}", "--tier", f"s3={self.url}")
        path = self.volume / "firn.toml"
        text = path.read_text()
        for name, value in settings.items():
            text, changed = re.subn(rf"(?m)^#? ?{name} = .*$", f'{name} = "{value}"', text)
            self.assertEqual(changed, 1, name)
        path.write_text(text)
        self.mount()

    def wait_until(self, true, patience_s, what):
        deadline = time.monotonic() + patience_s
        while not true():
            self.assertLess(time.monotonic(), deadline, f"{what}: {self.status()['tiers']}")
            time.sleep(0.2)

    def pending(self):
        return self.status()["tiers"]["pending_files"]

    def test_uploads_begin_after_the_interval(self):
        self.make_with(flush_interval="3s")
        self.write("small", 30_000)
        self.wait_until(lambda: len(self.blobs()) == 1, PATIENCE_S, "not uploaded by itself")
        self.wait_until(lambda: self.pending() == 0, PATIENCE_S, "uploaded, and still pending")

    def test_uploads_begin_when_much_waits(self):
        self.make_with(flush_interval="24h", flush_size="4MiB")
        self.write("small", 30_000)
        self.wait_until(lambda: self.pending() == 1, PATIENCE_S, "closed, and not pending")
        time.sleep(2)
        self.assertEqual(self.blobs(), [])
        self.write("large", 6 << 20)
        self.wait_until(lambda: len(self.blobs()) > 0 and self.pending() == 0, PATIENCE_S, "not uploaded by itself")

    def test_scrub_mends_what_a_tier_has_lost(self):
        self.make_with(scrub_rate="1GiB", flush_interval="24h")
        self.write_tree()
        self.flush()
        self.succeed("tier", "evict", self.volume)
        for blob in self.blobs():
            blob.unlink()
        self.assertEqual(self.blobs(), [])
        mended = len([path for path in (self.nas / "blob").rglob("*") if path.is_file()])
        self.wait_until(lambda: len(self.blobs()) == mended, FIRST_SCRUB_S + PATIENCE_S, "not mended by itself")
        self.succeed("tier", "evict", self.volume)
        self.assert_tree()
        self.umount()
        self.fsck_deep()


if __name__ == "__main__":
    unittest.main()
