"""Killed at any moment, and stopped by hand: the next run goes on, and does nothing twice."""
import json
import os
import signal
import time
import unittest

from migrating import FIRN, MigrateTest


class Crash(MigrateTest):
    kills = 6

    def setUp(self):
        super().setUp()
        self.init()

    def make_source(self):
        self.write_many(40, 25)
        for i in range(6):
            self.write(f"large{i}", 8 << 20)
            os.link(self.source / f"large{i}", self.source / "d0" / f"large-too{i}")

    def finish(self):
        """Until a run ends by itself; then all is there."""
        summary = self.migrate()
        self.assertEqual(summary["failed"], 0, summary)
        return summary

    def inodes_after_crash(self):
        """What has a name by now, and which inode it is."""
        self.mount()
        inodes = self.names_in_volume()
        self.umount()
        return inodes

    def assert_kept(self, before):
        """Nothing that was there has been made again."""
        after = self.names_in_volume()
        self.assertEqual({path: after.get(path) for path in before}, before)

    def run_and_be_killed(self, times, start, die, most_s):
        """The inodes of all that has a name after the last time; nothing changes its inode on the way."""
        known = {}
        for _ in range(times):
            running = start()
            time.sleep(self.random.uniform(0.05, most_s))  # any moment: of the run, not of a step
            die(running)
            running.communicate()
            found = self.inodes_after_crash()
            self.assertEqual({path: found.get(path) for path in known}, known)
            known = found
        return known

    def test_kill_9_at_any_moment(self):
        self.make_source()
        known = self.run_and_be_killed(self.kills, self.start, lambda running: running.kill(), 0.6)
        self.finish()
        self.mount()
        self.assert_kept(known)
        self.assert_same()
        again = self.migrate()
        self.assert_counts(again, unchanged=again["found"])
        self.umount()
        self.succeed("fsck", self.volume)

    def test_the_daemon_is_killed_at_any_moment(self):
        def start():
            self.mount()
            return self.start()

        def die(_):
            self.kill_daemon()
            self.run_program("umount", "-l", self.mount_point)

        self.make_source()
        known = self.run_and_be_killed(3, start, die, 0.5)
        self.mount()
        self.finish()
        self.assert_kept(known)
        self.assert_same()

    def test_names_of_a_file_that_a_killed_run_has_copied_are_linked_to_it(self):
        names = ["a", "d0/b", "d1/c"]
        self.write(names[0], 1 << 20)
        for name in names[1:]:
            (self.source / name).parent.mkdir()
            os.link(self.source / names[0], self.source / name)
        self.migrate()
        # As it is when a run is killed right after the first name, which the next one does not meet first.
        journal = next((self.volume / "migrate").glob("*.journal"))
        journal.write_text(journal.read_text().removesuffix("end\n"))
        self.mount()
        there = self.mount_point / "source"
        for name in names[1:]:
            (there / name).unlink()
        inode = os.stat(there / names[0]).st_ino
        self.umount()
        (self.source / names[0]).rename(self.source / "d1" / "moved")
        summary = self.migrate()
        self.assertEqual((summary["copied"], summary["linked"]), (0, 3), summary)
        self.mount()
        self.assertEqual({os.stat(there / name).st_ino for name in (*names, "d1/moved")}, {inode})
        self.assertEqual(os.stat(there / names[0]).st_nlink, 4)

    def test_ctrl_c_ends_cleanly_and_says_how_to_go_on(self):
        self.make_source()
        for i in range(10):
            self.write(f"more{i}", 16 << 20)
        running = self.start()
        while not any((self.volume / "migrate").glob("*.journal")):
            self.assertIsNone(running.poll())
            time.sleep(0.001)
        running.send_signal(signal.SIGINT)
        out, said = running.communicate(timeout=30)
        self.assertEqual(running.returncode, 1, said)
        self.assertTrue(json.loads(out)["stopped"], out)
        self.assertIn("the same command goes on", said)
        self.succeed("fsck", self.volume)
        self.finish()
        self.mount()
        self.assert_same()

    def test_ctrl_c_stops_the_daemon_s_work(self):
        self.make_source()
        for i in range(10):
            self.write(f"more{i}", 16 << 20)
        self.mount()
        running = self.start()
        while not any((self.volume / "migrate").glob("*.journal")):
            self.assertIsNone(running.poll())
            time.sleep(0.001)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=30)
        self.assertIn("the same command goes on", said)
        deadline = time.monotonic() + 30
        while (done := self.firn("migrate", self.volume, "--from", self.source)).returncode != 0:
            self.assertIn("another migration", done.stderr)  # it has not seen yet that we went
            self.assertLess(time.monotonic(), deadline)
        self.assert_same()

    def test_what_a_power_cut_may_have_damaged_is_read_again(self):
        self.make_source()
        self.migrate()
        journal = next((self.volume / "migrate").glob("*.journal"))
        # As a run leaves it that was cut off in another boot, a moment ago.
        journal.write_text("firn migrate journal 1\nbegin another-boot 1 0\nsafe 2 0\n")
        self.mount()
        victim = self.mount_point / "source" / "large0"
        before = os.stat(victim)
        with open(victim, "r+b") as file:
            file.seek(4 << 20)
            file.write(bytes(4096))
        os.utime(victim, ns=(before.st_atime_ns, before.st_mtime_ns))
        summary = self.migrate()
        self.assert_counts(summary, replaced=2, unchanged=summary["found"] - 2)
        self.assert_same()
        self.assertTrue(FIRN.exists())


unittest.main()
