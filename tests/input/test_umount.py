"""Unmounting while somebody elsewhere has the mount, or a file of it: nobody waits without a word, or loses anything."""
import json
import os
import re
import signal
import subprocess
import sys
import unittest

from firn_cli import FIRN, FirnTest, needs_root

# Maps a file; at each line it is given it goes on: changes the mapping and writes another file; ends.
HOLDER = """
import mmap, sys
path = sys.argv[1]
with open(path, "r+b") as file:
    mapped = mmap.mmap(file.fileno(), 4096)
    print("ready", flush=True)
    sys.stdin.readline()
    mapped[:5] = b"LATER"
    with open(path + ".more", "w") as more:
        more.write("more")
    print("written", flush=True)
    sys.stdin.readline()
"""


class Umount(FirnTest):
    def setUp(self):
        super().setUp()
        self.started = []
        self.init()
        self.mount()
        (self.mount_point / "file").write_bytes(b"first" + bytes(4091))

    def tearDown(self):
        for process in self.started:
            process.kill()
            process.communicate()
        super().tearDown()

    def start(self, *command):
        process = subprocess.Popen([str(word) for word in command], text=True, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.started.append(process)
        return process

    def hold_elsewhere(self):
        """A program in a mount namespace of its own, which has our mount and nobody else's."""
        others = f"awk '$3 ~ /^fuse/ && $2 != \"{self.mount_point}\" {{print $2}}' /proc/self/mounts | xargs -r -n 1 umount -l; "
        holder = self.start("unshare", "-m", "--propagation", "private", "sh", "-c", others + 'exec "$@"', "sh",
                            sys.executable, "-c", HOLDER, self.mount_point / "file")
        self.assertEqual(holder.stdout.readline(), "ready\n")
        return holder

    def go_on(self, holder):
        holder.stdin.write("\n")
        holder.stdin.flush()

    def umount_and_be_told(self, *arguments):
        """It waits, and says why in one line."""
        waiting = self.start(FIRN, "umount", *arguments)
        line = waiting.stderr.readline()
        self.assertRegex(line, "umount: .*: waiting: ")
        self.assertIsNone(waiting.poll(), "it does not wait")
        return waiting, line

    def assert_done(self, *waiting):
        for umount in waiting:
            _, said = umount.communicate(timeout=30)
            self.assertEqual((umount.returncode, said), (0, ""))

    @needs_root
    def test_who_has_it_elsewhere_is_named_and_waited_for(self):
        daemon = self.daemon_pid()
        holder = self.hold_elsewhere()
        first, line = self.umount_and_be_told(self.mount_point)
        self.assertRegex(line, rf"process {daemon} goes on until .*: {holder.pid} \([^)]*\); kill {daemon} saves")
        self.assertFalse(os.path.ismount(self.mount_point))
        self.go_on(holder)
        self.assertEqual(holder.stdout.readline(), "written\n", holder.poll())

        for name in (self.volume, self.mount_point):
            self.assertRegex(self.succeed("status", name), r"mounted at +\S+, where it is detached")
        self.assertTrue(json.loads(self.succeed("status", self.volume, "--json"))["mount"]["detached"])
        self.refuse("mount", self.volume, self.mount_point,
                    words=[f"process {daemon} has it for {self.mount_point}", f"firn umount {self.volume}"])
        again = [self.umount_and_be_told(*arguments) for arguments in ([self.volume], [self.mount_point, "--json"])]
        self.assertIn(f"{holder.pid} (", again[0][1])
        self.assertIn(f"{holder.pid} (", json.loads(again[1][1])["notice"])
        self.succeed("umount", "--lazy", self.mount_point)

        self.assertIsNone(first.poll())
        self.go_on(holder)
        self.assertEqual(holder.wait(30), 0)
        self.assert_done(first, *(waiting for waiting, _ in again))
        self.refuse("umount", self.mount_point, words=["no firn volume is mounted there"])
        self.refuse("umount", self.volume, words=["neither mounted nor served"])
        self.mount()
        self.assertEqual((self.mount_point / "file").read_bytes()[:5], b"LATER")
        self.assertEqual((self.mount_point / "file.more").read_text(), "more")
        self.umount()
        self.succeed("fsck", self.volume)

    @needs_root
    def test_whoever_is_cut_off_loses_nothing_that_was_written(self):
        """Also to a mapping, which only the kernel knows of."""
        for options in ("passthrough=on", "passthrough=off,transport=dev"):
            with self.subTest(options):
                self.umount()
                self.succeed("mount", self.volume, self.mount_point, "-o", options)
                (self.mount_point / "file").write_bytes(b"first" + bytes(4091))
                holder = self.hold_elsewhere()
                waiting, _ = self.umount_and_be_told(self.mount_point)
                self.go_on(holder)
                self.assertEqual(holder.stdout.readline(), "written\n", holder.poll())
                os.kill(self.daemon_pid(), signal.SIGTERM)
                self.assert_done(waiting)
                self.mount()
                self.assertEqual((self.mount_point / "file").read_bytes()[:5], b"LATER")
                self.assertEqual((self.mount_point / "file.more").read_text(), "more")

    @needs_root
    def test_whoever_is_cut_off_and_goes_on_writing_is_seen(self):
        """The kernel writes to what is open in passthrough also when the daemon has gone, and says that it did."""
        path = self.mount_point / "large"
        self.assertEqual(json.loads(self.succeed("status", self.volume, "--json"))["mount"]["passthrough"], True)
        for again in (False, True):
            with open(path, "wb", buffering=0) as file:
                file.write(b"first" * 200_000)
                self.kill_gently()
                file.write(b"later" * 100_000)
                if again:
                    self.mount()
                    self.assertEqual(path.stat().st_size, 1_500_000)
                    file.write(b"third" * 100_000)
                    self.kill_gently()
                    self.mount()
                    file.seek(0)
                    file.write(b"FIRST")
            if not again:
                self.mount()
            expected = b"first" * 200_000 + b"later" * 100_000
            if again:
                expected = b"FIRST" + expected[5:] + b"third" * 100_000
            self.wait_until(lambda expected=expected: path.stat().st_size == len(expected), "what was appended is not seen")
            self.assertEqual(path.read_bytes(), expected)
            path.unlink()
        self.umount()
        self.succeed("fsck", self.volume)

    def kill_gently(self):
        """SIGTERM, whoever has files open."""
        daemon = self.daemon_pid()
        os.kill(daemon, signal.SIGTERM)
        self.wait_until(lambda: not os.path.exists(f"/proc/{daemon}"), "the daemon does not end")

    @needs_root
    def test_a_mount_in_a_namespace_of_the_daemon(self):
        """Who does not see it is told where it is, and undoes nothing."""
        self.umount()
        self.assertEqual(self.run_program("unshare", "-m", "--propagation", "private", FIRN, "mount", self.volume,
                                          self.mount_point).returncode, 0)
        daemon = self.daemon_pid()
        self.assertIn("in another mount namespace", self.succeed("status", self.volume))
        for arguments in ([self.volume], ["--lazy", self.volume], [self.mount_point]):
            self.refuse("umount", *arguments, words=["in another mount namespace", f"nsenter -t {daemon} -m", f"kill {daemon}"])
        self.assertEqual(self.run_program("nsenter", "-t", daemon, "-m", FIRN, "umount", self.mount_point).returncode, 0)
        self.refuse("umount", self.volume, words=["neither mounted nor served"])

    def test_a_mount_that_was_detached_while_a_file_is_open(self):
        """What is mounted there by now stays."""
        daemon = self.daemon_pid()
        other = self.init(self.folder / "other")
        with open(self.mount_point / "file", "r+b", buffering=0) as file:
            self.succeed("umount", "--lazy", self.mount_point)
            self.assertIn("where it is detached", self.succeed("status", self.volume))
            self.mount(other)
            waiting, line = self.umount_and_be_told(self.volume)
            self.assertRegex(line, f"process {daemon} saves .*or a file is still open")
            self.assertTrue(os.path.ismount(self.mount_point))
            file.write(b"LATER")
        self.assert_done(waiting)
        self.assertTrue(os.path.ismount(self.mount_point))
        self.umount()
        self.mount()
        self.assertEqual((self.mount_point / "file").read_bytes()[:5], b"LATER")
        self.umount()

    @needs_root
    def test_a_second_place_where_it_is_mounted(self):
        second = self.folder / "second"
        second.mkdir()
        self.assertEqual(self.run_program("mount", "--bind", self.mount_point, second).returncode, 0)
        self.other_mounts.append(second)
        waiting, line = self.umount_and_be_told(self.mount_point)
        self.assertRegex(line, f"it is mounted at {re.escape(str(second))} as well")
        self.assertEqual((second / "file").read_bytes()[:5], b"first")
        self.umount(second)
        self.assert_done(waiting)


if __name__ == "__main__":
    unittest.main()
