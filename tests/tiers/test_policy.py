"""Policies on a mounted volume with a folder and a bucket: who stays, who is uploaded where, and what a restore says."""
import json
import os
import re
import shutil
import subprocess
import time
import unittest

from firn_cli import FIRN
from tiered import TieredTest

MIB = 1 << 20


class Policy(TieredTest):
    def write_folders(self, *names):
        for name in names:
            (self.mount_point / name).mkdir(parents=True, exist_ok=True)

    def attribute(self, name):
        try:
            return os.getxattr(self.mount_point / name, "user.firn.policy").decode()
        except OSError:
            return None

    def tiers_of(self, name):
        return int(os.getxattr(self.mount_point / name, "user.firn.tiers"))

    def set(self, name, *options):
        return self.succeed("tier", "set", self.mount_point / name, *options)

    def listed(self, name):
        lines = self.succeed("tier", "ls", self.mount_point / name, "--json").splitlines()
        return {entry["name"]: entry for entry in map(json.loads, lines)}

    def bucket_bytes(self):
        return self.stored(self.server.bucket / self.prefix)

    def on_terminal(self, *arguments):
        """What a person sees of a command that succeeds."""
        ours, theirs = os.openpty()
        self.addCleanup(os.close, ours)
        process = subprocess.Popen([FIRN, *map(str, arguments)], stdout=theirs, stderr=theirs, env=self.environment)
        self.addCleanup(process.kill)
        os.close(theirs)
        shown = b""
        while True:
            try:
                shown += os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
        self.assertEqual(process.wait(60), 0, shown)
        return shown.decode()

    def test_uploads_give_way_to_programs_that_write(self):
        """And whoever waits for them is not kept waiting."""
        self.make()
        self.umount()
        settings = self.volume / "firn.toml"
        text = settings.read_text().replace('#busy_put_rate = "32MiB"', 'busy_put_rate = "1MiB"')
        settings.write_text(text.replace('#put_rate = "0B"', 'put_rate = "1MiB"'))  # there is more to upload to the end
        self.mount()
        self.write("closed", 128 * MIB)
        block = self.random.randbytes(32 * MIB)
        with open(self.mount_point / "open", "wb", buffering=0) as file:
            def while_writing(command):
                if file.tell() < 1024 * MIB:
                    file.write(block)
                return self.firn("status", self.volume, *command).stdout

            held = re.compile(r"uploading, at \S+ \S+/s at most while programs write")
            self.wait_until(lambda: held.search(while_writing([])), "uploads do not give way")
            flush = subprocess.Popen([FIRN, "tier", "flush", self.volume], env=self.environment)
            self.addCleanup(flush.wait, 60)
            self.addCleanup(flush.terminate)
            self.wait_until(lambda: json.loads(while_writing(["--json"]))["tiers"]["upload_held_to_bytes_per_s"] == 0,
                            "who waits for uploads is kept waiting")
            self.assertIsNone(flush.poll())
        (self.mount_point / "open").unlink()
        self.assert_tree()

    def test_a_folder_is_flushed_alone(self):
        self.make()
        for name in ("in/a", "in/deep/b", "out/c", "d"):
            self.write(name, 200_000)
        pending = lambda: {entry["name"] for entry in json.loads(self.succeed("wal", self.volume, "--json"))["pending"]}
        self.assertEqual(pending(), {"/in/a", "/in/deep/b", "/out/c", "/d"})
        done = json.loads(self.succeed("tier", "flush", self.mount_point / "in", "--json"))
        self.assertEqual(done["uploaded_files"], 2, done)
        self.assertEqual(pending(), {"/out/c", "/d"})
        self.succeed("tier", "flush", self.mount_point / "d")
        self.assertEqual(pending(), {"/out/c"})
        self.refuse("tier", "flush", self.mount_point / "nowhere", words=["nowhere", "not found"])
        self.succeed("tier", "flush", self.mount_point)
        self.assertEqual(self.succeed("tier", "flush", self.mount_point), "nothing was left to upload\n")
        self.assertEqual(pending(), set())

    def test_a_terminal_sees_how_far_evicting_is(self):
        """Of so many files that it takes a while."""
        count = 12_000
        self.make()
        for i in range(count):
            (self.mount_point / f"{i}").write_bytes(b"x" * 17_000)
        self.flush()
        shown = self.on_terminal("tier", "evict", self.volume)
        frames = [int(done) for done in re.findall(rf"evicting \[#* *\] (\d+)/{count} files, ", shown)]
        self.assertGreater(max(frames, default=0), 0, shown)
        self.assertEqual(frames, sorted(frames), shown)
        self.assertIn(f"evicted {count} files", shown)

    def test_a_limited_bandwidth_is_kept_to(self):
        """More blobs at once than go at that rate by any request's own deadline; and nothing fails for it."""
        self.make()
        self.umount()
        settings = self.volume / "firn.toml"
        settings.write_text(re.sub('#(put|get)_rate = "0B"', r'\1_rate = "2MiB"', settings.read_text()))
        self.mount()
        self.write("large", 8 * MIB)
        began = time.monotonic()
        shown = self.on_terminal("tier", "flush", self.volume)
        self.assertGreater(time.monotonic() - began, 3)
        self.assertRegex(shown, r"\[#* *\] \d+/1 files, [\d.]+ \w+ of 8\.00 MiB, .*/s")
        self.write("other", 4 * MIB)
        self.flush()
        self.succeed("tier", "evict", self.volume)
        shown = self.on_terminal("tier", "warm", self.volume)
        frames = re.findall(r"fetching \[(#*) *\] (\d)/2 files, [\d.]+ \w+ of 12\.0 MiB, [^\r]*/s", shown)
        self.assertGreater(len(frames), 2, shown)
        self.assertEqual(frames, sorted(frames), shown)
        self.assertIn("fetched 2 files, 12.0 MiB", shown)
        self.assertEqual(self.status()["health"], "ok")
        self.succeed("tier", "evict", self.volume)
        began = time.monotonic()
        self.assert_tree()
        self.assertGreater(time.monotonic() - began, 1.5)  # the second chunk waits for what the first one took

    def test_what_came_back_is_read_by_the_kernel_again(self):
        self.make()
        self.write("large", 5 * MIB)
        self.flush()

        def passed_through():
            with open(self.mount_point / "large", "rb") as file:
                count = self.status()["files"]["passthrough"]
                self.assertEqual(file.read(), self.expected["large"])
            return count

        whole = passed_through()
        self.assertEqual(whole, 1 if self.status()["mount"]["passthrough"] else 0)
        self.succeed("tier", "evict", self.volume)
        self.assertEqual(passed_through(), 0)
        self.wait_until(lambda: passed_through() == whole, "what was read wholly does not go past firn")
        self.succeed("tier", "evict", self.volume)
        self.succeed("tier", "warm", self.volume)
        self.assertEqual(passed_through(), whole)

    def test_a_pinned_tree_stays(self):
        self.make()
        self.write("a/pinned/before", 2 * MIB)
        self.write("a/other", 2 * MIB)
        said = self.set("a/pinned", "--pin", "hot")
        self.assertIn("pin=hot", said)
        self.assertIn("1 files and 1 folders", said)
        self.assertIn("firn tier warm", said)
        self.write("a/pinned/below/after", 2 * MIB)
        self.assertEqual(self.attribute("a/pinned/below"), "pin=hot")
        self.assertEqual(self.attribute("a/pinned/below/after"), "pin=hot")
        self.assertIsNone(self.attribute("a/other"))
        self.assertEqual(self.set("a/pinned"), "pin=hot\n")
        self.assertEqual(self.set("a/other"), "the default\n")
        self.flush()
        said = self.succeed("tier", "evict", self.volume)
        self.assertIn("evicted 1 files", said)
        self.assertIn("2 stay: they are pinned", said)
        done = json.loads(self.succeed("tier", "evict", self.volume, "--json"))
        self.assertEqual((done["pinned"], done["local_only"], done["busy"]), (2, 0, 0))
        self.assertEqual(self.tiers_of("a/pinned/before"), 7)
        self.assertEqual(self.tiers_of("a/other"), 6)
        self.assertEqual(self.status()["tiers"]["pinned_files"], 2)
        self.assertIn("pinned", self.succeed("status", self.volume))
        table = self.succeed("tier", "ls", self.mount_point / "a/pinned")
        self.assertRegex(table.splitlines()[0], r"colder +policy +name")
        self.assertRegex(table, r"all +all +pin=hot +before")
        # A policy goes with the file.
        os.rename(self.mount_point / "a/pinned/before", self.mount_point / "a/moved")
        self.expected["a/moved"] = self.expected.pop("a/pinned/before")
        self.assertEqual(self.attribute("a/moved"), "pin=hot")
        self.set("a", "--clear")
        self.assertIsNone(self.attribute("a/pinned/below/after"))
        self.assertNotIn("policy", self.succeed("tier", "ls", self.mount_point / "a").splitlines()[0])
        self.succeed("tier", "evict", self.volume)
        self.assertEqual(self.tiers_of("a/moved"), 6)
        self.assert_tree()
        self.umount()
        self.fsck_deep()

    def test_a_tier_that_is_skipped(self):
        self.make()
        self.write_folders("near")
        said = self.set("near", "--skip", "s3")
        self.assertIn("small files", said)  # the bucket is the last tier
        self.write("near/f", 5 * MIB)
        self.write("near/g", 3 * MIB)
        self.flush()
        self.assertEqual(self.tiers_of("near/f"), 3)
        self.succeed("tier", "evict", self.volume)
        self.assertEqual(self.tiers_of("near/f"), 2)
        self.assertEqual(self.blobs(), [])
        self.assert_tree()
        # One of them is to go to the bucket after all, and is not on the local disk; its neighbour is not to.
        self.succeed("tier", "evict", self.volume)
        self.set("near/f", "--clear")
        self.wait_until_drained()
        self.assertEqual(self.tiers_of("near/f"), 6)
        self.assertGreater(self.bucket_bytes(), 5 * MIB)
        self.assertLess(self.bucket_bytes(), 6 * MIB)
        for _ in range(2):
            self.succeed("gc", self.volume, "--grace", "0s")
        self.assertLess(self.stored(self.nas), 9 * MIB)
        self.assertIn("0 damaged", self.succeed("scrub", self.volume))
        self.assert_tree()
        self.umount()
        self.fsck_deep()

    def test_a_skipped_tier_may_be_away(self):
        self.make()
        self.write_folders("far")
        self.set("far", "--skip", "nas")
        self.write("far/f", 3 * MIB)
        (self.nas / "firn-store").rename(self.folder / "away")
        self.flush()
        self.assertEqual(self.status()["tiers"]["pending_files"], 0)
        self.assertIn("evicted 1 files", self.succeed("tier", "evict", self.volume))
        self.assertEqual(self.tiers_of("far/f"), 4)
        self.assert_tree()
        (self.folder / "away").rename(self.nas / "firn-store")
        self.umount()
        self.fsck_deep()
        self.assertEqual(self.stored(self.nas), 0)

    def test_what_skips_every_tier_is_here_only(self):
        self.make()
        self.write("local/f", 3 * MIB)
        self.write("rest", 3 * MIB)
        self.set("local", "--skip", "nas", "--skip", "s3")
        self.flush()
        self.assertEqual(self.status()["tiers"]["pending_files"], 0)
        self.assertLess(self.bucket_bytes(), 4 * MIB)
        self.assertIn("local only", self.succeed("status", self.volume))
        self.assertEqual(self.status()["tiers"]["local_only_files"], 1)
        entry = self.listed("local")["f"]
        self.assertEqual((entry["local_only"], entry["policy"], entry["tiers"]), (True, "skip=nas,s3", 1))
        self.assertRegex(self.succeed("tier", "ls", self.mount_point / "local"), r"never +skip=nas,s3 +f")
        self.assertIn("1 stay: they skip every tier", self.succeed("tier", "evict", self.volume))
        self.assertEqual(self.tiers_of("local/f"), 1)
        self.set("local", "--skip", "nas")
        self.wait_until_drained()
        self.assertEqual(self.tiers_of("local/f"), 5)
        self.assert_tree()
        self.umount()
        self.fsck_deep()

    def test_a_restore_says_what_the_bucket_does_not_have(self):
        self.make()
        self.write_folders("near", "local")
        self.set("near", "--skip", "s3")
        self.set("local", "--skip", "nas", "--skip", "s3")
        self.write("near/f", 2 * MIB)
        self.write("local/f", 2 * MIB)
        self.write("f", 2 * MIB)
        inodes = {name: os.stat(self.mount_point / name).st_ino for name in self.expected}
        self.flush()
        self.umount()
        shutil.rmtree(self.volume)
        self.volume = self.folder / "restored"
        said = self.succeed("restore", self.url, self.volume)
        self.assertIn("1 files were kept out of this tier", said)
        self.assertIn("1 files were kept out of every tier", said)
        listed = (self.volume / "restore.txt").read_text()
        self.assertIn(f"inode {inodes['near/f']}: was kept out of this tier", listed)
        self.assertIn(f"inode {inodes['local/f']}: was to be in no tier", listed)
        self.assertNotIn(f"inode {inodes['f']}:", listed)
        self.mount()
        self.assertEqual(self.attribute("near/f"), "skip=s3")
        with self.assertRaises(OSError):
            (self.mount_point / "local/f").read_bytes()
        del self.expected["local/f"]
        os.unlink(self.mount_point / "local/f")
        self.assert_tree()  # the folder is still there
        self.umount()
        self.assertEqual(self.firn("fsck", self.volume).returncode, 0)
        shutil.rmtree(self.volume)
        shutil.rmtree(self.nas)
        self.succeed("restore", self.url, self.volume)
        self.mount()
        with self.assertRaises(OSError):
            (self.mount_point / "near/f").read_bytes()
        self.assertEqual((self.mount_point / "f").read_bytes(), self.expected["f"])

    def test_the_attribute(self):
        self.make()
        self.write("f", 2 * MIB)
        path = self.mount_point / "f"
        os.setxattr(path, "user.note", b"kept")
        os.chown(path, 1000, 1000)
        os.chmod(path, 0o666)
        self.assertEqual(os.listxattr(path), ["user.note"])

        def as_user(uid, text):
            pid = os.fork()
            if pid == 0:
                try:
                    os.setuid(uid)
                    os.setxattr(path, "user.firn.policy", text)
                    os._exit(0)
                except OSError as error:
                    os._exit(error.errno)
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

        self.folder.chmod(0o755)
        self.assertEqual(as_user(1001, b"pin=hot"), 1)  # EPERM
        self.assertEqual(as_user(1000, b"pin=hot skip=s3"), 0)
        self.assertEqual(as_user(1000, b"pin=moon"), 22)  # EINVAL
        self.assertEqual(self.attribute("f"), "pin=hot skip=s3")
        self.assertEqual(set(os.listxattr(path)), {"user.note", "user.firn.policy"})
        self.assertEqual(self.set("f"), "pin=hot skip=s3\n")
        self.set("f", "--skip", "nas")
        self.assertEqual(self.attribute("f"), "pin=hot skip=nas")
        os.removexattr(path, "user.firn.policy")
        self.assertIsNone(self.attribute("f"))
        with self.assertRaises(OSError):
            os.removexattr(path, "user.firn.policy")
        with self.assertRaises(OSError):
            os.setxattr(path, "user.firn.policy", b"skip=moon")
        os.symlink("f", self.mount_point / "link")
        self.set(".", "--pin", "hot")
        self.assertEqual(self.attribute("f"), "pin=hot")
        self.umount()
        self.mount()
        self.assertEqual(self.attribute("f"), "pin=hot")


if __name__ == "__main__":
    unittest.main(verbosity=2)
