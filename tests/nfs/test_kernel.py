"""The Linux kernel's NFS client, in a virtual machine (vm.py). What it does there is in guest/."""
import random
import time
import unittest
import zlib

import raw_nfs as raw
from raw_nfs import Client, opaque
from served import EVERYBODY, ServedTest
from vm import Machine, StepFailed

ENTRIES = 10_000
LOAD_S = 15
MACHINES = []


def setUpModule():
    MACHINES.append(Machine())
    print(f"  kernel {MACHINES[0].kernel}", flush=True)


def tearDownModule():
    MACHINES.pop().close()


class KernelTest(ServedTest):
    HANG_S = 110  # before the machine's patience is at its end

    def setUp(self):
        super().setUp()
        self.machine = MACHINES[0]
        self.make(EVERYBODY)

    def tearDown(self):
        try:
            self.machine.step("detach")
        finally:
            super().tearDown()

    def serve_and_mount(self):
        self.serve()
        self.machine.step("mount", port=self.port)

    def steps(self, *names):
        for name in names:
            self.machine.step(name)

    def finish(self):
        self.machine.step("unmount")
        self.stop()
        self.succeed("fsck", self.volume)

    def remove_by_another(self, name):
        with Client(self.port) as client:
            client.mount()
            self.assertEqual(client.status(raw.REMOVE, opaque(client.root) + opaque(name)), raw.OK)


class Programs(KernelTest):
    def test_copy_build_and_verify(self):
        self.serve_and_mount()
        self.steps("copy_tree", "build")
        for direct in (0, 1):
            self.machine.step("fio", direct=direct, megabytes=8)
        self.finish()

    def test_more_than_fits_into_memory(self):
        self.serve_and_mount()
        megabytes = 32 + (self.machine.step("memory") >> 20)
        self.machine.step("larger_than_memory", megabytes=megabytes)
        self.finish()


class Files(KernelTest):
    def test_files_that_are_open(self):
        self.serve_and_mount()
        self.steps("rename_while_open", "unlink_while_open", "append", "map_to_memory", "holes_and_ends", "make_exclusively",
                   "lock")
        self.finish()

    def test_names_and_attributes(self):
        self.serve_and_mount()
        self.machine.step("attributes")
        self.machine.step("many_small_files", count=200)
        self.assertGreater(self.machine.step("space")["total"], 1 << 30)
        self.finish()

    def test_a_large_directory(self):
        self.mount()
        (self.mount_point / "large").mkdir()
        for index in range(ENTRIES):
            (self.mount_point / "large" / f"entry{index:05}").write_text("content")
        self.umount()
        self.serve_and_mount()
        self.machine.step("list_directory", name="large", count=ENTRIES)
        self.finish()

    def test_removed_by_another_client(self):
        self.serve_and_mount()
        with Client(self.port) as client:
            client.mount()
            client.write(client.create("f", mode=0o644), 0, b"content")
        self.assertEqual(self.machine.step("keep_open", name="f"), "content")
        self.remove_by_another("f")
        self.assertEqual(self.machine.step("read_kept", name="f"), "ESTALE")
        self.machine.step("close_kept", name="f")
        self.finish()

    def test_mounted_again(self):
        self.serve_and_mount()
        with Client(self.port) as client:
            client.mount()
            client.write(client.create("f", mode=0o644), 0, b"content")
        self.machine.step("unmount")
        self.stop()
        self.serve(self.port)
        self.machine.step("mount", port=self.port)
        self.assertEqual(self.machine.step("keep_open", name="f"), "content")
        self.stop()
        self.serve(self.port)
        self.assertEqual(self.machine.step("read_kept", name="f"), "content", "the handle outlives the server")
        self.machine.step("close_kept", name="f")
        self.finish()

    def test_ordinary_ports_are_refused(self):
        self.configure("/ *(rw)")
        self.serve()  # what comes from the machine comes from no privileged port here
        with self.assertRaisesRegex(StepFailed, "access denied"):
            self.machine.step("mount", port=self.port)


class Killed(KernelTest):
    """What the client was told is done is there after the server's death, seen by the client and by FUSE."""

    def setUp(self):
        super().setUp()
        self.files, self.removed, self.synced = {}, set(), {}
        self.missing = set()  # of what was told to be there; the guest removes before it tells so

    def note(self, line):
        if "file" in line:
            self.files[line["file"]] = (line["size"], line["crc"])
        elif "removed" in line:
            del self.files[line["removed"]]
            self.removed.add(line["removed"])
        else:
            self.synced[line["synced"]] = line["size"]

    def kill_under_load(self, source, times):
        """Each time after a while in which something was acknowledged."""
        begun = time.monotonic()
        kills = [begun + LOAD_S * (i + source.uniform(0.2, 0.5)) / times for i in range(times)]

        def on_line(line):
            self.note(line)
            if kills and time.monotonic() > kills[0]:
                kills.pop(0)
                self.kill()
                try:
                    if not kills:
                        self.check_what_is_known()
                finally:  # the guest waits for a server, whatever was found
                    self.serve(self.port)

        self.machine.begin("work", seed=self.seed, seconds=LOAD_S)
        self.machine.end(on_line)
        self.assertEqual(kills, [])
        self.assertLessEqual(self.missing, self.removed)

    def check_what_is_known(self):
        """While no server runs, so that no client can send anything again: through FUSE."""
        self.mount()
        try:
            self.compare()
        finally:
            self.umount()

    def compare(self):
        for name, (size, crc) in self.files.items():
            try:
                content = (self.mount_point / name).read_bytes()
            except FileNotFoundError:
                self.missing.add(name)
                continue
            self.assertEqual((len(content), zlib.crc32(content)), (size, crc), name)
        for name in self.removed:
            self.assertFalse((self.mount_point / name).exists(), name)
        for name, size in self.synced.items():
            self.assertGreaterEqual((self.mount_point / name).stat().st_size, size, name)

    def test_the_client_goes_on_and_nothing_is_lost(self):
        self.seed = random.randrange(1 << 32)
        print(f"{self.id()}: seed {self.seed}", flush=True)
        self.serve_and_mount()
        self.kill_under_load(random.Random(self.seed), times=2)
        self.machine.step("check", files=self.files)
        self.finish()
        self.missing.clear()
        self.check_what_is_known()
        self.assertEqual(self.missing, set())
        print(f"  {len(self.files)} files, {len(self.removed)} removed", flush=True)
        self.succeed("fsck", self.volume)


if __name__ == "__main__":
    unittest.main(failfast=True)  # whatever a machine that says nothing is asked next fails, too, after minutes
