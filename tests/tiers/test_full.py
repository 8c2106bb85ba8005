"""A local disk that fills while a tier is away: writers are slowed, then refused, and nothing that was acknowledged is lost."""
import contextlib
import errno
import os
import time
import unittest

from tiered import TieredTest

MIB = 1 << 20
HOT_MAX = 24 * MIB
ROOM_S = 60


class Full(TieredTest):
    def make_small(self):
        self.succeed("init", self.volume, "--tier", f"nas={self.nas}", "--tier", f"s3={self.url}")
        path = self.volume / "firn.toml"
        text = path.read_text()
        for name, value in (("hot_max", '"24MiB"'), ("flush_interval", '"1s"')):
            line = next(line for line in text.splitlines() if line.startswith(f"#{name} = "))
            text = text.replace(line, f"{name} = {value}")
        path.write_text(text)
        self.mount()

    def fill(self, prefix, keeps_part=False):
        """Writes files until one fails; it must be for want of room."""
        for number in range(200):
            name = f"{prefix}/f{number:03}"
            try:
                self.write(name, MIB)
            except OSError as failure:
                self.assertEqual(failure.errno, errno.ENOSPC)
                path = self.mount_point / name
                if keeps_part and path.exists():
                    self.expected[name] = path.read_bytes()
                else:
                    path.unlink(missing_ok=True)
                return
        self.fail(f"never full: {self.status()['tiers']['room']}")

    @contextlib.contextmanager
    def full(self, prefix):
        """Nothing leaves, and what is too little for the last file is taken in ever smaller pieces: it is full, and stays so."""
        self.fill(prefix, keeps_part=True)
        name, file, piece = f"{prefix}/rest", None, 256 << 10
        deadline = time.monotonic() + ROOM_S
        with contextlib.ExitStack() as stack:
            while self.status()["tiers"]["room"]["state"] != "full":
                self.assertLess(time.monotonic(), deadline, self.status()["tiers"]["room"])
                data = self.random.randbytes(piece)
                try:
                    if not file:
                        file = stack.enter_context(open(self.mount_point / name, "wb", buffering=0))
                        self.expected[name] = b""
                    self.expected[name] += data[:file.write(data)]
                except OSError as failure:
                    self.assertEqual(failure.errno, errno.ENOSPC)
                    piece = max(piece // 4, 1)
            yield

    def wait_for_room(self):
        deadline = time.monotonic() + ROOM_S
        while self.status()["tiers"]["room"]["state"] != "free":
            self.assertLess(time.monotonic(), deadline, self.status()["tiers"])
            self.firn("tier", "flush", self.volume)  # without waiting for the pause after uploads that failed
            time.sleep(0.2)

    def test_writers_wait_and_fail_while_the_bucket_is_away(self):
        self.make_small()
        self.server.stop()
        try:
            with self.full("first"):
                self.assertGreaterEqual(sum(map(len, self.expected.values())), HOT_MAX - MIB)
                self.assertLessEqual(self.hot_bytes(), HOT_MAX * 12 // 10)
                status = self.status()
                room = status["tiers"]["room"]
                self.assertEqual(room["state"], "full", room)
                self.assertGreater(room["refused"], 0)
                self.assertRegex(room["why"], r"tier s3 has been unreachable for ")
                self.assertNotEqual(status["health"], "ok")
                said = self.firn("status", self.volume).stdout
                self.assertRegex(said, r"the local disk holds .* of 24.* and nothing can be evicted: tier s3 has been unreachable")
                self.assert_tree()  # reading goes on, and so does removing
            for name in list(self.expected)[:3]:
                (self.mount_point / name).unlink()
                self.expected.pop(name)
            self.wait_for_less_than_full()
            self.write("after/removing", 4096)
            self.fill("again")  # whoever wrote before the first look was not held up
            self.assertGreater(self.status()["tiers"]["room"]["slowed_ms"], 0)
        finally:
            self.server.start()
        self.wait_until_drained()
        self.wait_for_room()
        for number in range(8):
            self.write(f"later/f{number}", MIB)
        self.wait_until_drained()
        self.succeed("tier", "evict", self.volume)
        self.assert_tree()
        self.umount()
        log = (self.volume / "firn.log").read_text()
        self.assertIn("writes fail", log)
        self.assertIn("there is room again", log)
        self.fsck_deep()

    def wait_for_less_than_full(self):
        deadline = time.monotonic() + ROOM_S
        while self.status()["tiers"]["room"]["state"] == "full":
            self.assertLess(time.monotonic(), deadline, self.status()["tiers"])
            time.sleep(0.2)

    def test_an_open_file_is_refused_and_goes_on(self):
        """A program that holds a file open meets ENOSPC, keeps what it has, and writes on once there is room."""
        self.make_small()
        self.server.stop()
        piece, data = self.random.randbytes(64 << 10), b""
        try:
            self.fill("fill")
            gone = next(iter(self.expected))
            (self.mount_point / gone).unlink()
            self.expected.pop(gone)
            self.wait_for_less_than_full()
            file = open(self.mount_point / "open", "wb", buffering=0)
            with self.assertRaises(OSError) as failure:
                while len(data) < 8 * MIB:
                    data += piece[:file.write(piece)]
            self.assertEqual(failure.exception.errno, errno.ENOSPC)
        finally:
            self.server.start()
        self.wait_for_room()
        with file:
            data += piece[:file.write(piece)]
            os.fsync(file.fileno())
        self.expected["open"] = data
        self.wait_until_drained()
        self.assert_tree()

    # ---- a disk that is really full ----
    def write_until_refused(self, prefix, sizes):
        """What fsync acknowledged is expected to stay; what was refused is removed."""
        refused = 0
        for number in range(2000):
            name = f"{prefix}/f{number:04}"
            try:
                self.write(name, sizes[number % len(sizes)])
            except OSError as failure:
                self.assertIn(failure.errno, (errno.ENOSPC, errno.EIO, errno.EROFS), failure)
                self.expected.pop(name, None)
                self.doubtful.add(name)
                refused += 1
                if refused == 5:
                    return
        self.fail("never full")

    def forget_doubtful(self):
        for name in self.doubtful:
            (self.mount_point / name).unlink(missing_ok=True)
        self.doubtful.clear()

    def test_a_disk_that_others_fill_too(self):
        """Nothing is left for the metadata either, and the daemon is killed then."""
        disk = self.small_disk(256)
        self.volume = disk / "volume"
        self.doubtful = set()
        self.make("--chunk-size", "1MiB")
        self.write("before", 5 * MIB)
        self.flush()
        self.server.stop()
        try:
            self.write_until_refused("large", [3 * MIB, 20_000])
            with open(disk / "theirs", "wb", buffering=0) as filler:
                try:
                    while filler.write(b"x" * MIB):
                        pass
                except OSError as failure:
                    self.assertEqual(failure.errno, errno.ENOSPC)
            self.write_until_refused("small", [3000, 100])
            self.kill_daemon(self.volume)
            self.run_program("umount", "-l", self.mount_point)
            os.unlink(disk / "theirs")
            self.mount()
            self.forget_doubtful()
            self.assert_tree()
        finally:
            self.server.start()
        self.wait_until_drained()
        self.succeed("tier", "evict", self.volume)
        self.wait_for_room()
        self.write("after", 3 * MIB)
        self.assert_tree()
        self.wait_until_drained()
        self.umount()
        self.fsck_deep()

    def fill_disk(self):
        """The kernel writes open files by itself, faster than anybody looks; then nothing can be made."""
        with contextlib.suppress(OSError):
            for number in range(100):
                with open(self.mount_point / f"large{number:02}", "wb", buffering=0) as file:
                    piece = self.random.randbytes(MIB)
                    for _ in range(30):
                        if file.write(piece) < len(piece):
                            raise OSError
        refused = 0
        for number in range(20_000):
            try:
                (self.mount_point / "small" / f"{number}").write_bytes(b"x" * 3000)
            except OSError as failure:
                self.assertIn(failure.errno, (errno.ENOSPC, errno.EIO))
                refused += 1
                if refused == 20:
                    return
        self.fail("never full")

    def assert_can_be_emptied(self, disk):
        """What is left is for removing; then it goes on by itself."""
        name = next(iter(self.expected))
        (self.mount_point / name).rename(self.mount_point / f"{name}+")
        self.expected[f"{name}+"] = self.expected.pop(name)
        for path in sorted(self.mount_point.glob("large*"))[:3]:
            path.unlink()
        deadline = time.monotonic() + ROOM_S
        while True:
            try:
                self.write("after", MIB)
                break
            except OSError as failure:
                self.assertEqual(failure.errno, errno.ENOSPC)
                self.assertLess(time.monotonic(), deadline, os.statvfs(disk))
                time.sleep(0.2)
        for name, content in self.expected.items():
            self.assertEqual((self.mount_point / name).read_bytes(), content, name)

    def test_a_disk_filled_by_the_volume_alone(self):
        """Without tiers, and nothing but the volume's files on the disk, which could be removed for it."""
        disk = self.small_disk(256)
        self.volume = disk / "volume"
        self.succeed("init", self.volume)
        self.mount()
        self.write("before", MIB)
        (self.mount_point / "small").mkdir()
        self.fill_disk()
        self.assert_can_be_emptied(disk)
        self.fill_disk()
        self.umount()
        self.mount()
        self.assert_can_be_emptied(disk)
        self.fill_disk()
        self.kill_daemon(self.volume)
        self.run_program("umount", "-l", self.mount_point)
        self.mount()
        self.assert_can_be_emptied(disk)
        self.umount()
        self.succeed("fsck", self.volume)


if __name__ == "__main__":
    unittest.main(verbosity=2)
