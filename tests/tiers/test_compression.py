"""What goes to the tiers is as small as its codec makes it, never larger than it is, and comes back whatever it was sent with."""
import shutil
import unittest

from tiered import TieredTest

MIB = 1 << 20


class Compression(TieredTest):
    def write_text(self, name, size):
        """Words by chance: what every codec makes smaller, and zstd more so than lz4."""
        words = [self.random.randbytes(4).hex().encode() + b" " for _ in range(500)]
        content = b"".join(self.random.choice(words) for _ in range(size // 9 + 1))[:size]
        (self.mount_point / name).write_bytes(content)
        self.expected[name] = content

    def sent_for(self, write, *arguments):
        bucket = self.server.bucket / self.prefix
        before = self.stored(bucket)
        write(*arguments)
        self.flush()
        return self.stored(bucket) - before

    def choose(self, codec):
        settings = self.volume / "firn.toml"
        text = settings.read_text()
        self.assertEqual(text.count("compression ="), 1, text)
        self.umount()
        lines = [f'compression = "{codec}"' if "compression =" in line else line for line in text.splitlines()]
        settings.write_text("\n".join(lines) + "\n")
        self.mount()

    def assert_comes_back(self, *restore_options):
        self.succeed("tier", "evict", self.volume)
        self.assert_tree()
        self.umount()
        self.fsck_deep()
        shutil.rmtree(self.volume)
        self.go_on_restored(*restore_options)

    def life(self, codec, at_most, *options, restore_options=()):
        self.make("--compress", codec, *options)
        self.assertIn(f'"{codec}"', (self.volume / "firn.toml").read_text())
        text = self.sent_for(self.write_text, "text", 9 * MIB + 4567)
        self.assertLess(text, at_most * MIB)
        self.assertGreater(text, 9 * MIB if codec == "none" else MIB)
        # Noise is stored as it is, and zeros are nothing with any codec.
        noise = self.sent_for(self.write, "noise", 6 * MIB)
        self.assertTrue(6 * MIB <= noise < 6.1 * MIB, noise)
        (self.mount_point / "zeros").write_bytes(bytes(8 * MIB))
        self.expected["zeros"] = bytes(8 * MIB)
        self.assertLess(self.sent_for(lambda: None), MIB // 10)
        self.assert_comes_back(*restore_options)

    def test_zstd(self):
        self.life("zstd", 5)

    def test_lz4(self):
        self.life("lz4", 8)

    def test_none(self):
        self.life("none", 10)

    def test_lz4_sealed(self):
        key = self.folder / "key"
        key.write_text("not a passphrase but a file")
        self.life("lz4", 8, "--encrypt", "--key-file", key, restore_options=("--key-file", key))

    def test_one_after_the_other(self):
        """What was sent with a codec stays readable when another is chosen, also within one file."""
        self.make()
        sent = {"zstd": self.sent_for(self.write_text, "zstd", 5 * MIB)}
        for codec in ("lz4", "none"):
            self.choose(codec)
            sent[codec] = self.sent_for(self.write_text, codec, 5 * MIB)
            self.sent_for(self.write, "zstd", 1000, MIB)  # a chunk of what the first one has sent
        self.assertTrue(sent["zstd"] < sent["lz4"] < sent["none"], sent)
        self.assert_comes_back()


if __name__ == "__main__":
    unittest.main()
