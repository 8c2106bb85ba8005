"""The life of a volume with colder tiers: up, away, back, and from the bucket alone."""
import json
import mmap
import os
import re
import shutil
import subprocess
import unittest
from pathlib import Path

from firn_cli import FIRN
from proxied import flip
from tiered import TieredTest


class Life(TieredTest):
    def test_what_is_evicted_comes_back(self):
        self.make()
        self.write_tree()
        self.flush()
        self.assertEqual(self.status()["tiers"]["pending_files"], 0)
        self.succeed("tier", "evict", self.volume)
        self.assertLess(self.hot_bytes(), 1 << 20)
        self.assertEqual(os.getxattr(self.mount_point / "large0", "user.firn.tiers"), b"6")
        with open(self.mount_point / "large1", "rb") as file:  # here and there
            for _ in range(20):
                at = self.random.randrange(len(self.expected["large1"]))
                file.seek(at)
                self.assertEqual(file.read(100), self.expected["large1"][at:at + 100])
        self.write("large2", 1000, at=12345)
        self.assert_tree()
        self.assert_tree()
        self.flush()
        self.assertEqual(os.getxattr(self.mount_point / "large2", "user.firn.tiers"), b"7")
        self.umount()
        self.fsck_deep()

    def evict_all(self):
        """Where nobody else's volume is mounted."""
        others = f"awk '$3 ~ /^fuse/ && $2 != \"{self.mount_point}\" {{print $2}}' /proc/self/mounts | xargs -r -n 1 umount -l; "
        done = self.run_program("unshare", "-m", "--propagation", "private", "sh", "-c", others + 'exec "$0" tier evict --all', FIRN)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_warm_brings_everything_back(self):
        self.make()
        self.write_tree()
        self.flush()
        self.evict_all()
        self.succeed("tier", "warm", self.mount_point)
        shutil.rmtree(self.nas)
        self.server.stop()
        try:
            self.assert_tree()
        finally:
            self.server.start()

    def test_readers_of_one_file_are_each_run_ahead_of(self):
        """Two, each in order in a half of it, in turn: every chunk comes once, and whole."""
        self.make("--chunk-size", "256KiB")
        chunks, piece = 96, 64 << 10
        self.write("large", chunks << 18)
        self.flush()
        self.succeed("tier", "evict", self.volume)
        gets = self.gets()
        half = chunks << 17
        with open(self.mount_point / "large", "rb", buffering=0) as one, open(self.mount_point / "large", "rb", buffering=0) as other:
            for at in range(0, half, piece):
                for file, begin in ((one, 0), (other, half)):
                    got = os.pread(file.fileno(), piece, begin + at)
                    self.assertEqual(got, self.expected["large"][begin + at:begin + at + piece])
        self.assertLessEqual(self.gets() - gets, chunks + 24)  # by far fewer than two for each

    def gets(self):
        return sum(store["requests"]["get"]["requests"] for store in self.status()["tiers"]["stores"])

    def test_what_stays_open_is_uploaded_now_and_then(self):
        self.make()
        self.umount()
        settings = self.volume / "firn.toml"
        text, changed = re.subn(r'(?m)^#(flush|live)_interval = .*$', r'\1_interval = "1s"', settings.read_text())
        self.assertEqual(changed, 2, text)
        settings.write_text(text)
        self.mount()
        with open(self.mount_point / "open", "wb", buffering=0) as file:
            for count in range(1, 3):
                file.write(self.random.randbytes(5 << 20))
                self.wait_until(lambda: len(self.blobs()) >= count, lambda: f"{self.status()['tiers']}", patience_s=60)
            self.assertEqual(self.status()["tiers"]["pending_files"], 1)
            self.expected["open"] = (self.mount_point / "open").read_bytes()
        self.assertEqual(len(self.expected["open"]), 10 << 20)
        self.settle()

    def test_what_is_about_to_be_closed_goes_with_a_flush(self):
        """The kernel tells of a close later than close(2) returns: here, when nobody else has the descriptor."""
        self.make()
        with open(self.mount_point / "file", "wb", buffering=0) as file:
            file.write(self.random.randbytes(1 << 20))
            self.assertIn("1 files that are open for writing follow later", self.succeed("tier", "flush", self.mount_point / "file"))
            file.write(b"more")
            other = subprocess.Popen(["sleep", "0.2"], pass_fds=[file.fileno()])
        self.assertNotIn("follow later", self.succeed("tier", "flush", self.mount_point / "file"))
        self.assertEqual(os.getxattr(self.mount_point / "file", "user.firn.tiers"), b"7")
        self.assertEqual(other.wait(), 0)

    def test_the_bucket_alone_is_enough(self):
        self.make()
        self.write_tree()
        os.symlink("large0", self.mount_point / "link")
        os.link(self.mount_point / "large0", self.mount_point / "hard")
        self.expected["hard"] = self.expected["link"] = self.expected["large0"]
        os.setxattr(self.mount_point / "large1", "user.note", b"kept")
        os.chmod(self.mount_point / "large1", 0o640)
        before = os.stat(self.mount_point / "large1")
        self.flush()
        shutil.rmtree(self.volume)  # its daemon ends by that
        shutil.rmtree(self.nas)
        self.go_on_restored()
        after = os.stat(self.mount_point / "large1")
        self.assertEqual((before.st_mode, before.st_mtime_ns, before.st_ino), (after.st_mode, after.st_mtime_ns, after.st_ino))
        self.assertEqual(os.getxattr(self.mount_point / "large1", "user.note"), b"kept")
        self.assertEqual(os.stat(self.mount_point / "hard").st_nlink, 2)
        self.write("new", 100_000)
        self.write("large3", 500, at=4096)
        self.assert_tree()
        self.umount()
        self.assertEqual(self.firn("fsck", self.volume).returncode, 0)

    def test_what_is_read_twice_on_a_read_only_mount(self):
        """Without the kernel's cache in between: what came back the first time is there the second time."""
        self.make()
        self.write_tree()
        self.flush()
        self.umount()
        shutil.rmtree(self.volume)
        self.volume = self.folder / "restored"
        self.succeed("restore", self.url, self.volume)
        self.mounted.append((self.volume, self.mount_point))
        self.succeed("mount", self.volume, self.mount_point, "-o", "ro")
        for _ in range(2):
            self.assert_tree()
            Path("/proc/sys/vm/drop_caches").write_text("3")
        self.assertRaises(OSError, (self.mount_point / "new").write_bytes, b"x")

    def test_an_encrypted_volume_shows_nothing_and_comes_back(self):
        key = self.folder / "key"
        key.write_text("not a passphrase but a file")
        self.make("--encrypt", "--key-file", key)
        self.write_tree()
        secret = b"a very telling sentence. " * 2000
        (self.mount_point / "telling-name").write_bytes(secret)
        self.expected["telling-name"] = secret
        self.flush()
        self.umount()
        for path in (self.server.bucket / self.prefix).rglob("*"):
            if path.is_file():
                content = path.read_bytes()
                self.assertNotIn(b"telling", content, path)
        shutil.rmtree(self.volume)
        self.volume = self.folder / "restored"
        wrong = self.folder / "wrong"
        wrong.write_text("another")
        self.refuse("restore", self.url, self.volume, "--key-file", wrong, words=["key|passphrase"])
        self.succeed("restore", self.url, self.volume, "--key-file", key)
        self.mount()
        self.assert_tree()

    def test_a_new_secret_rewrites_nothing_and_alone_restores(self):
        old, new = self.folder / "old", self.folder / "new"
        old.write_text("not a passphrase but a file")
        new.write_text("another one")
        self.make("--encrypt", "--key-file", old)
        self.write_tree()
        self.flush()
        self.umount()

        def objects(tier):
            return {path.relative_to(tier): path.read_bytes() for path in tier.rglob("*") if path.is_file()}
        tiers = self.nas, self.server.bucket / self.prefix
        before = [objects(tier) for tier in tiers]
        self.succeed("key", "change", self.volume, "--new-key-file", new)
        for tier, were in zip(tiers, before):
            are = objects(tier)
            self.assertEqual({str(name) for name in are if are[name] != were.get(name)}, {"volume"})
            self.assertEqual(set(are), set(were))
        shutil.rmtree(self.volume)
        self.volume = self.folder / "restored"
        self.refuse("restore", self.url, self.volume, "--key-file", old, words=["key|passphrase"])
        self.succeed("restore", self.url, self.volume, "--key-file", new)
        self.mount()
        self.assert_tree()
        self.write("after", 700_000)
        self.settle()

    def test_restore_refuses_what_is_no_volume(self):
        self.refuse("restore", self.url, self.volume, words=["no volume"])
        self.refuse("restore", self.folder / "nothing", self.volume)
        self.make()
        there = set(self.nas.rglob("*"))
        self.refuse("restore", self.nas, self.folder / "other", words=["last tier"])
        self.assertFalse((self.folder / "other").exists())
        self.assertEqual(set(self.nas.rglob("*")), there)
        self.refuse("restore", self.url, self.volume, words=["volume already"])

    def test_garbage_goes_and_damage_is_mended(self):
        self.make()
        self.write_tree()
        self.flush()
        self.assertGreater(len(self.blobs()), 0)
        kept = {"large3": self.expected["large3"]}
        shutil.rmtree(self.mount_point / "small")
        for i in range(3):
            os.unlink(self.mount_point / f"large{i}")
        self.expected = kept
        os.sync()
        before = sum(path.stat().st_size for path in self.blobs())
        self.succeed("gc", self.volume, "--dry-run")
        self.assertEqual(sum(path.stat().st_size for path in self.blobs()), before)
        for _ in range(3):
            self.succeed("gc", self.volume, "--grace", "0s")
        after = sum(path.stat().st_size for path in self.blobs())
        self.assertLess(after, len(kept["large3"]) + (1 << 20))
        blob = next(path for path in (self.nas / "blob").rglob("*") if path.is_file())
        with open(blob, "r+b") as file:
            file.seek(blob.stat().st_size // 2)
            file.write(b"damage")
        done = self.firn("scrub", self.volume)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertRegex(done.stdout, r"nas: (/\S+ chunk \d+|blob [0-9a-f]{32}): .*\(repaired\)")
        self.assertIn("0 damaged", self.succeed("scrub", self.volume))
        self.succeed("tier", "evict", self.volume)
        self.assert_tree()
        self.umount()
        self.fsck_deep()

    def test_what_cannot_leave_is_told_apart(self):
        self.make()
        for name in ("open", "mapped", "changed", "leaves"):
            self.write(name, 300_000)
        self.flush()
        self.server.stop()  # so that nothing more arrives
        try:
            self.write("changed", 1000, at=5000)
            self.write("new", 300_000)
            with open(self.mount_point / "open", "rb"), open(self.mount_point / "begun", "wb", buffering=0) as begun:
                begun.write(bytes(300_000))
                with open(self.mount_point / "mapped", "rb") as file:
                    mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                told = json.loads(self.succeed("tier", "evict", self.volume, "--json"))
                self.assertEqual((told["evicted_files"], told["busy"]), (1, 5), told)
                self.assertEqual((told["open"]["files"], told["pending"]["files"]), (3, 2), told)
                self.assertIn(told["open"]["name"], ("/open", "/mapped", "/begun"))
                self.assertIn(told["pending"]["name"], ("/changed", "/new"))
                self.assertRegex(self.succeed("tier", "evict", self.volume),
                                 r"^evicted 0 files, 0 B freed; 3 stay: open or mapped now, such as /(open|mapped|begun); 2 stay: "
                                 r"new or changed, and not in every colder tier yet \(firn tier flush\), such as /(changed|new)$")
                mapped.close()
        finally:
            self.server.start()
        (self.mount_point / "begun").unlink()
        self.flush()
        self.assertRegex(self.succeed("tier", "evict", self.volume), r"^evicted 4 files, \S+ \S+ freed$")
        self.assert_tree()

    def test_what_no_tier_has_whole_is_not_evicted_and_named(self):
        """One chunk is damaged in both tiers; the local copy as well, for a while, so that scrub cannot mend it."""
        self.make()
        self.write("photos/f", 3_000_000)
        self.flush()
        stored = [path for folder in (self.nas / "blob", self.server.bucket / self.prefix / "blob")
                  for path in folder.rglob("*") if path.is_file()]
        self.assertEqual(len(stored), 2)
        self.write("g", 3_000_000)
        self.flush()
        local = next(path for path in (self.volume / "hot").rglob("*")
                     if path.is_file() and path.read_bytes() == self.expected["photos/f"])
        for path in (*stored, local):
            flip(path)
        self.assertEqual(self.firn("scrub", self.volume).returncode, 1)
        done = self.firn("tier", "evict", self.volume)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertRegex(done.stderr, r"(?m)^firn: tier evict: /photos/f: no colder tier is known to have all of the file")
        self.assertRegex(done.stdout, r"^evicted 1 files, .*; 1 stay: colder tiers have them damaged")
        done = self.firn("tier", "evict", self.volume, "--json")
        self.assertEqual(done.returncode, 1, done.stdout)
        told = json.loads(done.stdout)
        self.assertEqual((told["evicted_files"], told["damaged"], told["busy"]), (0, 1, 0))
        self.assertEqual([finding["name"] for finding in told["findings"]], ["/photos/f"])
        self.assertRegex(done.stderr, '^{"notice":"tier evict: /photos/f: no colder tier')
        flip(local)
        self.firn("scrub", self.volume)
        self.flush()
        self.assertEqual(self.firn("tier", "evict", self.volume).stderr, "")
        self.assertEqual(os.getxattr(self.mount_point / "photos/f", "user.firn.tiers"), b"6")
        self.assert_tree()


if __name__ == "__main__":
    unittest.main(verbosity=2)
