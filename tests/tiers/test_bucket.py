"""Volumes that live in a bucket: what fsync acknowledged is there whatever becomes of the machine, and one daemon at a
time can change it."""
import contextlib
import errno
import json
import os
import shutil
import signal
import threading
import time
import unittest

from bucket_volume import FOLLOW_S, LONG_S, BucketTest
from firn_cli import DAMAGE

KILLS = int(os.environ.get("FIRN_KILLS", "6"))


class Bucket(BucketTest):
    def test_the_machine_is_disposable(self):
        self.make()
        self.write_tree()
        self.lose_machine()
        self.assert_tree()
        # Small changes inside files that are in the bucket already, and at their ends.
        for name in list(self.expected):
            size = len(self.expected[name])
            self.write(name, 100, at=self.random.randrange(1, size + 1))
            self.write(name, 5000, at=len(self.expected[name]))
        self.lose_machine()
        self.assert_tree()
        self.flush()
        self.assertEqual(self.status()["tiers"]["pending_files"], 0)
        self.lose_machine()
        self.assert_tree()
        self.umount()
        shutil.rmtree(self.volume)
        self.mount()
        self.assert_tree()
        self.umount()
        self.fsck_deep()

    def test_a_cache_that_is_removed_while_it_is_used(self):
        self.make()
        self.write_tree()
        shutil.rmtree(self.volume)
        self.mount()
        self.assert_tree()
        self.umount()
        self.fsck_deep()

    def test_said_outright_it_is_the_same_volume(self):
        """--durability object is what a bucket's URL says already."""
        self.make("--durability", "object")
        self.write_tree()
        self.assertEqual(self.status()["tiers"]["metadata"]["attached"], True)
        self.assertIn('durability = "object"', (self.volume / "firn.toml").read_text())
        self.lose_machine()
        self.assert_tree()
        self.umount()
        self.fsck_deep()

    def test_names_and_attributes(self):
        self.make()
        self.write("d/a", 100)
        os.rename(self.mount_point / "d/a", self.mount_point / "d/b")
        self.expected["d/b"] = self.expected.pop("d/a")
        os.chmod(self.mount_point / "d/b", 0o604)
        os.symlink("b", self.mount_point / "d/link")
        os.setxattr(self.mount_point / "d/b", "user.note", b"kept")
        folder = os.open(self.mount_point / "d", os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
        self.lose_machine()
        self.assertEqual((self.mount_point / "d/b").stat().st_mode & 0o777, 0o604)
        self.assertEqual(os.readlink(self.mount_point / "d/link"), "b")
        self.assertEqual(os.getxattr(self.mount_point / "d/b", "user.note"), b"kept")
        self.assertEqual((self.mount_point / "d/b").read_bytes(), self.expected["d/b"])

    def test_replaced_by_rename_it_is_the_old_or_the_new(self):
        self.make()
        self.write("config", 300_000)
        (self.mount_point / "config.new").write_bytes(b"n" * 200_000)
        os.rename(self.mount_point / "config.new", self.mount_point / "config")
        self.lose_machine()
        self.assertIn((self.mount_point / "config").read_bytes(), (self.expected["config"], b"n" * 200_000))

    def test_killed_again_and_again(self):
        self.make()
        self.shorten_lease()
        for _ in range(KILLS):
            killer = threading.Timer(0.2 + self.random.random(), self.kill_daemon, [self.volume])
            killer.start()
            doubtful = None
            for i in range(10_000):
                name = f"d{i % 3}/f{self.random.randrange(12)}"
                at = self.random.choice([0, len(self.expected.get(name, b""))])
                try:
                    self.write(name, self.random.choice([100, 4096, 20_000, 300_000, 5_000_000]), at=at)
                except OSError:
                    self.expected.pop(name, None)
                    doubtful = name
                    break
            else:
                self.fail("the daemon was never killed")
            killer.join()
            self.lose_machine()
            if (self.mount_point / doubtful).exists():
                (self.mount_point / doubtful).unlink()
            self.assert_tree()
        self.wait_until_drained()
        self.umount()
        self.fsck_deep()

    def test_one_writer(self):
        self.make()
        self.write("a", 50_000)
        other, elsewhere = self.folder / "other", self.folder / "elsewhere"
        elsewhere.mkdir()
        with open(self.mount_point / "a", "ab", buffering=0) as file:
            self.mount(other, elsewhere)
            with self.assertRaises(OSError):
                file.write(b"more")
                os.fsync(file.fileno())
        self.wait_for_end(self.volume)
        log = (self.volume / "firn.log").read_text()
        self.assertIn("another daemon has taken over this volume", log)
        self.assertEqual((elsewhere / "a").read_bytes(), self.expected["a"])
        (elsewhere / "b").write_bytes(b"theirs")
        self.succeed("umount", elsewhere)
        self.mount()
        self.assertEqual((self.mount_point / "b").read_bytes(), b"theirs")

    def test_readers_follow(self):
        self.make()
        self.write("a", 100)
        self.write("d/large", 9 << 20)
        other, elsewhere = self.folder / "other", self.folder / "elsewhere"
        elsewhere.mkdir()
        self.mount(other, elsewhere, "-o", "ro")
        self.assert_tree(elsewhere)
        delays = []
        for change in range(4):
            self.write("a", 100 + change)
            self.write("d/large", 5000, at=self.random.randrange(1, 9 << 20))
            self.write(f"new{change}", 40_000)
            os.rename(self.mount_point / f"new{change}", self.mount_point / "d" / f"moved{change}")
            self.expected[f"d/moved{change}"] = self.expected.pop(f"new{change}")
            delays.append(self.expect_followed(other, elsewhere))
        (self.mount_point / "a").unlink()
        del self.expected["a"]
        delays.append(self.expect_followed(other, elsewhere))
        self.assertLess(min(delays), FOLLOW_S + 1, delays)  # whatever else this machine does
        self.assertLess(sorted(delays)[2], FOLLOW_S + 4, delays)
        with self.assertRaises(OSError):
            (elsewhere / "mine").write_bytes(b"x")
        # Neither reader nor writer disturbs the other.
        self.succeed("umount", elsewhere)
        self.write("after", 100)
        self.mount(other, elsewhere, "-o", "ro")
        self.assert_tree(elsewhere)

    def test_gc_takes_nothing_from_under_readers(self):
        self.make()
        for i in range(6):
            self.write(f"f{i}", 3 << 20)
        self.flush()
        reader = self.folder / "reader"
        reader.mkdir()
        self.mount(self.folder / "reader cache", reader, "-o", "ro")
        # It reads, all the while, whatever it is that it sees: never an error but that the file was changed.
        wrong, end = [], threading.Event()

        def read():
            while not end.is_set():
                for i in range(6):
                    try:
                        (reader / f"f{i}").read_bytes()
                    except FileNotFoundError:
                        pass
                    except OSError as error:
                        if error.errno != errno.ESTALE:
                            wrong.append(error)
        thread = threading.Thread(target=read)
        thread.start()
        try:
            held = 0
            for change in range(8):
                for i in range(0, 6, 2):
                    self.write(f"f{i}", 2 << 20)
                (self.mount_point / f"f{2 * change % 6 + 1}").unlink(missing_ok=True)
                self.expected.pop(f"f{2 * change % 6 + 1}", None)
                self.flush()
                self.assertIn("held", self.succeed("gc", self.volume, "--grace", "0s", "--dry-run"))
                done = json.loads(self.succeed("gc", self.volume, "--grace", "0s", "--json"))
                held += done["held"]
            self.assertGreater(held, 0)
            self.assertEqual(self.status()["tiers"]["metadata"]["readers"], 1)
        finally:
            end.set()
            thread.join()
        self.assertEqual(wrong, [])
        self.expect_followed(self.folder / "reader cache", reader)
        # Nobody holds anything once the reader has gone.
        self.succeed("umount", reader)
        done = json.loads(self.succeed("gc", self.volume, "--grace", "0s", "--json"))
        self.assertEqual(done["held"], 0)
        self.assertGreater(done["removed"], 0)
        self.assert_tree()

    def test_a_writer_that_slept_never_tells_what_was(self):
        self.make()
        self.write("a", 50_000)
        self.write("gone", 100)
        descriptor = os.open(self.mount_point / "a", os.O_RDONLY)
        self.addCleanup(os.close, descriptor)
        daemon = self.daemon_pid(self.volume)
        self.addCleanup(self.resume, daemon)
        os.kill(daemon, signal.SIGSTOP)
        other, elsewhere = self.folder / "other", self.folder / "elsewhere"
        elsewhere.mkdir()
        self.mount(other, elsewhere)  # waits until the lease of the first has lapsed
        (elsewhere / "a").write_bytes(b"new")
        (elsewhere / "gone").unlink()
        os.sync()
        os.kill(daemon, signal.SIGCONT)
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            for look in (lambda: (self.mount_point / "a").stat().st_size, lambda: (self.mount_point / "gone").stat(),
                         lambda: (self.mount_point / "a").read_bytes(), lambda: os.listdir(self.mount_point)):
                if not os.path.ismount(self.mount_point):
                    break
                try:
                    found = look()
                except FileNotFoundError:
                    break  # unmounted in between
                except OSError:
                    continue
                if os.path.ismount(self.mount_point):
                    self.fail(f"the writer that was taken over told {found!r:.100}")
            time.sleep(0.05)
        self.wait_for_end(self.volume)
        self.assertIn("another daemon has taken over this volume", (self.volume / "firn.log").read_text())
        self.assertEqual((elsewhere / "a").read_bytes(), b"new")

    def resume(self, process):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGCONT)

    def test_without_its_bucket_it_tells_nothing_until_it_is_back(self):
        self.make()
        self.write("a", 50_000)
        self.server.stop()
        try:
            time.sleep(7)  # longer than the lease, and than the kernel remembers
            answers = []
            thread = threading.Thread(target=lambda: answers.append((self.mount_point / "a").stat().st_size))
            thread.start()
            thread.join(3)
            self.assertEqual(answers, [])
        finally:
            self.server.start()
        thread.join(LONG_S)
        self.assertEqual(answers, [50_000])

    def test_without_a_lease_the_cache_is_read_while_the_bucket_is_away(self):
        self.make()
        self.write("a", 50_000)
        self.umount()
        settings = self.volume / "firn.toml"
        settings.write_text(settings.read_text().replace('#lease = "5s"', 'lease = "0s"'))
        self.assertIn('\nlease = "0s"', settings.read_text())
        self.mount()
        self.assert_tree()
        self.server.stop()
        try:
            time.sleep(7)
            self.assert_tree()
        finally:
            self.server.start()

    def test_fsync_waits_for_a_bucket_that_is_away(self):
        self.make()
        self.write("a", 50_000)
        self.server.stop()
        try:
            thread, outcome = self.fsync_elsewhere("a")
            thread.join(3)
            self.assertTrue(thread.is_alive(), "fsync returned while the bucket was away")
        finally:
            self.server.start()
        thread.join(LONG_S)
        self.assertFalse(thread.is_alive())
        self.assertIsNone(outcome["error"])
        self.expected["a"] += b"more"
        self.lose_machine()
        self.assert_tree()

    def test_the_cache_is_bounded(self):
        self.make()
        self.umount()
        settings = self.volume / "firn.toml"
        text = settings.read_text().replace('#flush_size = "64MiB"', 'flush_size = "4MiB"')
        settings.write_text(text.replace('#hot_max = "0B"', 'hot_max = "16MiB"'))
        self.assertIn("16MiB", settings.read_text())
        self.mount()
        for i in range(12):
            self.write(f"large{i}", 4 << 20)
            if i % 3 == 2:
                self.wait_until_drained()
        deadline = time.monotonic() + LONG_S
        while self.hot_bytes() > 16 << 20:
            self.assertLess(time.monotonic(), deadline, "the cache stays too large")
            time.sleep(0.2)
        self.assert_tree()

    def test_metadata_counts_in_the_cache(self):
        self.make()
        for i in range(600):
            self.write(f"small/{i}", 16 << 10)  # in the metadata
        self.umount()
        settings = self.volume / "firn.toml"
        settings.write_text(settings.read_text().replace('#hot_max = "0B"', 'hot_max = "16MiB"', 1))
        self.mount()
        self.umount()
        self.mount()  # now it is in tables
        tiers = self.status()["tiers"]
        self.assertEqual(tiers["hot_max_bytes"], 16 << 20)
        metadata = tiers["hot_metadata_bytes"]
        self.assertGreater(metadata, 9 << 20)
        self.assertLess(metadata, 12 << 20)
        for i in range(6):
            self.write(f"large{i}", 2 << 20)
            self.flush()
        self.wait_until(lambda: self.hot_bytes() + metadata <= 16 << 20, lambda: f"{self.hot_bytes()} of files in the cache")

        def limit_is_what_metadata_leaves():  # the limit is of the last look, the metadata as it is now
            tiers = self.status()["tiers"]
            return tiers["hot_limit_bytes"] == (16 << 20) - tiers["hot_metadata_bytes"]

        self.wait_until(limit_is_what_metadata_leaves, lambda: f"{self.status()['tiers']}")
        self.assertRegex(self.succeed("status", self.volume), r"hot .* of files, of at most .*; [0-9.]+ MiB of metadata, of 16.0 MiB in all")
        self.assert_tree()

    def test_encrypted(self):
        self.environment["FIRN_PASSPHRASE"] = "correct horse"
        self.make("--encrypt")
        self.write("secret", 100_000)
        self.write("small", 50)
        self.umount()
        needle = self.expected["small"][:20]
        for path in (self.server.bucket / self.prefix).rglob("*"):
            if path.is_file():
                self.assertNotIn(needle, path.read_bytes())
        self.environment["FIRN_NEW_PASSPHRASE"] = "battery staple"
        self.succeed("key", "change", self.volume)
        self.refuse("mount", self.url, self.mount_point, "--cache", self.volume, words=["passphrase|secret"])
        self.environment["FIRN_PASSPHRASE"] = "battery staple"
        shutil.rmtree(self.volume)
        self.mount()
        self.assert_tree()

    def test_equal_chunks_are_there_once(self):
        self.make("--dedup")
        self.write("first", 9 << 20)
        for name in ("second", "third"):
            with open(self.mount_point / name, "wb", buffering=0) as file:
                file.write(self.expected["first"])
                os.fsync(file.fileno())
            self.expected[name] = self.expected["first"]
            self.assertLess(sum(path.stat().st_size for path in self.blobs()), 10 << 20)
            self.lose_machine()  # the next one knows of the setting
        self.write("second", 300, at=5000)  # into the journal, and folded later
        os.unlink(self.mount_point / "first")
        del self.expected["first"]
        self.flush()
        self.succeed("gc", self.volume, "--grace", "0s")
        self.lose_machine()
        self.assert_tree()
        reader = self.folder / "reader"
        reader.mkdir()
        self.mount(self.folder / "reader cache", reader, "-o", "ro")
        self.assert_tree(reader)
        self.umount()
        self.fsck_deep()

    def test_fsck_mends_the_records_in_the_bucket(self):
        self.make()
        self.write_tree()
        self.flush()
        # Whoever serves it is not to lose it.
        self.refuse("fsck", "--repair", self.volume, words=["in use|already"])
        cache = self.folder / "other"
        shutil.copytree(self.volume, cache, ignore=lambda folder, names: set(names) - {"firn.toml"})
        self.refuse("fsck", "--repair", cache, words=["mounted somewhere"])
        self.assert_tree()
        self.umount()
        self.assertEqual(self.run_program(DAMAGE, self.volume, "bucket").returncode, 0)
        done = self.firn("fsck", self.volume)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("--repair would mend", done.stdout)
        done = self.firn("fsck", "--repair", self.volume)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("repaired", done.stdout)
        self.succeed("fsck", self.volume)  # also of what is in the bucket by now
        shutil.rmtree(self.volume)
        self.mount()
        self.assert_tree()
        self.umount()
        self.succeed("fsck", "--repair", "--deep", self.volume)

    def test_the_usual_place_of_the_cache(self):
        self.succeed("init", self.url)
        self.succeed("mount", self.url, self.mount_point)
        caches = list((self.folder / "caches").iterdir())
        self.assertEqual(len(caches), 1)
        self.mounted.append((caches[0], self.mount_point))
        self.assertIn(str(caches[0]), self.succeed("status", self.url))
        (self.mount_point / "f").write_bytes(b"content")
        self.assertEqual(self.succeed("cat", f"{self.url}:/f"), "content")
        self.succeed("tier", "flush", "--all", f"{self.url}:/f")
        self.refuse("mount", self.url, self.folder / "second", "-o", "ro", words=["in use", "--cache FOLDER"])
        self.succeed("umount", self.url)
        self.assertFalse(os.path.ismount(self.mount_point))
        self.succeed("fsck", self.url)

    def test_a_cache_is_of_one_server(self):
        self.succeed("init", self.url)
        self.succeed("mount", self.url, self.mount_point)
        self.succeed("umount", self.url)
        self.environment["AWS_ENDPOINT_URL"] = "http://127.0.0.1:1"
        self.refuse("mount", self.url, self.mount_point, words=["http://127.0.0.1:1", str(self.server.port), "--cache"])
        self.refuse("fsck", self.url, words=["http://127.0.0.1:1", "s3.endpoint"])
        del self.environment["AWS_ENDPOINT_URL"]
        self.succeed("fsck", self.url)

    def test_refusals(self):
        self.refuse("mount", self.url, self.mount_point, words=["there is no volume", "firn init"])
        self.refuse("init", self.url, "--durability", "local", words=["durable there"], code=2)
        self.refuse("init", self.url, "--tier", f"nas={self.nas}", words=["no other tiers"], code=2)
        self.refuse("init", "s3://", words=["bucket's name"], code=2)
        self.refuse("mount", self.volume, self.mount_point, "--cache", "x", words=["--cache"], code=2)
        self.refuse("status", self.url, words=["never been mounted on this machine", "firn mount"])
        self.succeed("init", self.url)
        self.refuse("init", self.url, words=["is a volume already", "firn mount"])
        self.refuse("restore", self.url, self.folder / "restored", words=["lives there", "firn mount"])
        (self.folder / "foreign").mkdir()
        (self.folder / "foreign" / "file").write_text("mine")
        self.refuse("mount", self.url, self.mount_point, "--cache", self.folder / "foreign", words=["not empty"])
        # A volume that lives in a folder, and has a tier there.
        local, place = self.folder / "local", self.server.url(self.prefix + "-tier")
        self.succeed("init", local, "--tier", f"s3={place}")
        self.refuse("mount", place, self.mount_point, words=["firn restore"])
        # Settings that contradict how a volume was made.
        settings = local / "firn.toml"
        text = settings.read_text()
        settings.write_text(text.replace('#durability = "local"', 'durability = "object"'))
        self.assertNotEqual(settings.read_text(), text)
        self.refuse("mount", local, self.mount_point, words=["made with local", "set it back"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
