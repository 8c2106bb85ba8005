"""What a second run does, what rules decide, and what becomes of each entry that cannot be copied."""
import json
import os
import subprocess
import threading
import unittest
from pathlib import Path

from migrating import MigrateTest


class Runs(MigrateTest):
    def setUp(self):
        super().setUp()
        self.init()

    def in_volume(self, name):
        return self.mount_point / "source" / name

    def read(self, name):
        return self.in_volume(name).read_bytes()

    def test_a_second_run_copies_what_is_new_and_brings_attributes_up_to_date(self):
        self.write_many(5, 4)
        first = self.migrate()
        self.assert_counts(first, copied=first["found"])
        self.assert_counts(self.migrate(), unchanged=first["found"])
        self.write("new", 10)
        os.chmod(self.source / "d0" / "e0" / "f0", 0o600)
        os.setxattr(self.source / "d0" / "e0" / "f1", "user.x", b"1")
        os.chown(self.source / "d1", 9, 9)
        second = self.migrate()
        self.assert_counts(second, copied=1, updated=3, unchanged=first["found"] - 3)
        os.removexattr(self.source / "d0" / "e0" / "f1", "user.x")
        self.assert_counts(self.migrate(), updated=1, unchanged=first["found"])
        self.mount()
        self.assert_same()

    def test_each_rule_for_a_name_that_is_taken(self):
        self.write("older", b"from the source", 10**18)
        self.write("newer", b"from the source", 10**18)
        self.write("folder/file", b"in a folder")
        self.write("way", b"a file", 2 * 10**18)
        self.mount()
        for name, mtime in (("older", 10**18 - 1), ("newer", 10**18 + 1)):
            self.in_volume(name).parent.mkdir(exist_ok=True)
            self.in_volume(name).write_bytes(b"from the volume")
            os.utime(self.in_volume(name), ns=(mtime, mtime))
        self.in_volume("folder").write_bytes(b"no folder")
        os.utime(self.in_volume("folder"), ns=(1, 1))
        self.in_volume("way").mkdir()
        report = self.folder / "report"

        self.assert_counts(self.migrate("--dry-run", code=1), unchanged=1, failed=4)
        summary = self.migrate("--report", report, code=1)
        self.assert_counts(summary, unchanged=1, failed=4)
        self.assertIn("another file", self.report(report)[str(self.source / "newer")]["reason"])
        self.assertEqual(self.read("older"), b"from the volume")

        self.assert_counts(self.migrate("--on-conflict", "skip"), unchanged=1, skipped=4)

        summary = self.migrate("--on-conflict", "newer", code=1)
        self.assertEqual((summary["replaced"], summary["failed"]), (2, 1), summary)  # older, folder; way
        self.assertEqual(self.read("older"), b"from the source")
        self.assertEqual(self.read("newer"), b"from the volume")
        self.assertEqual(self.read("folder/file"), b"in a folder")

        self.assertEqual(self.migrate("--on-conflict", "rename")["renamed"], 2)
        self.assertEqual(self.read("newer.migrated"), b"from the source")
        self.assertEqual(self.read("way.migrated"), b"a file")
        again = self.migrate("--on-conflict", "rename")
        self.assert_counts(again, unchanged=again["found"])

        summary = self.migrate("--on-conflict", "overwrite", code=1)
        self.assert_counts(summary, replaced=1, failed=1, unchanged=summary["found"] - 2)
        self.assertEqual(self.read("newer"), b"from the source")
        self.assertEqual(list(self.in_volume("way").iterdir()), [])

    def test_patterns_choose(self):
        for name in ("a.o", "keep.o", "x/b.o", "x/c.c", "build/d.c", "x/build/e.c"):
            self.write(name, 10)
        report = self.folder / "report"
        self.migrate("--exclude", "*.o", "--include", "/keep.o", "--exclude", "/build/", "--report", report)
        self.mount()
        found = sorted(str(path.relative_to(self.in_volume(""))) for path in self.in_volume("").rglob("*")
                       if path.is_file())
        self.assertEqual(found, ["keep.o", "x/build/e.c", "x/c.c"])
        listed = self.report(report)
        self.assertEqual(listed[str(self.source / "build")]["outcome"], "skipped")
        self.assertEqual(listed[str(self.source / "x" / "b.o")]["reason"], "left out by a pattern")
        self.migrate("--include", "*.c", "--into", "/only")
        found = {path.name for path in (self.mount_point / "only").rglob("*") if path.is_file()}
        self.assertEqual(found, {"c.c", "d.c", "e.c"})

    def test_what_cannot_be_read_is_told_and_the_rest_arrives(self):
        volume, source = self.volume, self.source
        for path in [volume, *volume.rglob("*"), source]:
            os.chown(path, 65534, 65534)
        self.folder.chmod(0o755)
        os.chown(self.write("mine", 10), 65534, 65534)
        os.chmod(self.write("theirs", 10), 0o600)
        self.write("locked/f", 10)
        os.chmod(source / "locked", 0o700)
        report = self.folder / "report"
        report.touch()
        os.chown(report, 65534, 65534)
        done = subprocess.run([os.environ["FIRN"], "migrate", volume, "--from", source, "--json", "--report", report],
                              user=65534, group=65534, extra_groups=[], capture_output=True, text=True, timeout=30,
                              check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assert_counts(json.loads(done.stdout), copied=2, failed=2)
        listed = self.report(report)
        for name in ("theirs", "locked"):
            self.assertIn("Permission denied", listed[str(source / name)]["reason"])

    def test_a_report_is_not_written_through_a_symlink(self):
        self.write("f", 10)
        other = self.folder / "other"
        other.write_text("kept")
        report = self.folder / "report"
        report.symlink_to(other)
        self.refuse("migrate", self.volume, "--from", self.source, "--report", report, words=["symbolic link"])
        self.assertEqual(other.read_text(), "kept")

    def test_a_source_that_keeps_changing_is_told_of_and_never_half_copied(self):
        self.write("steady", 100)
        busy = self.write("busy", 24 << 20)
        stop = threading.Event()

        def change():
            with open(busy, "r+b", buffering=0) as file:
                while not stop.is_set():
                    file.seek(0)
                    file.write(os.urandom(4096))

        writer = threading.Thread(target=change)
        writer.start()
        try:
            report = self.folder / "report"
            summary = self.migrate("--report", report, code=1)
        finally:
            stop.set()
            writer.join()
        self.assert_counts(summary, copied=2, failed=1)
        self.assertIn("changed while it was read", self.report(report)[str(busy)]["reason"])
        self.mount()
        self.assertFalse(self.in_volume("busy").exists())
        self.assert_counts(self.migrate(), copied=1, unchanged=2)
        self.assert_same()

    def test_verify_finds_each_difference(self):
        self.write_many(3, 3)
        for name in ("a", "b", "c", "d", "e"):
            self.write(name, 20000, 10**18)
        os.link(self.source / "d", self.source / "d-too")
        self.migrate()
        self.migrate("--verify")
        self.mount()
        with open(self.in_volume("a"), "r+b") as file:
            file.write(b"changed!")
        os.utime(self.in_volume("a"), ns=(10**18, 10**18))
        os.chmod(self.in_volume("b"), 0o600)
        os.setxattr(self.in_volume("c"), "user.x", b"y")
        os.unlink(self.in_volume("d-too"))
        self.in_volume("d-too").write_bytes((self.source / "d").read_bytes())
        os.utime(self.in_volume("d-too"), ns=(10**18, 10**18))
        os.unlink(self.in_volume("e"))
        report = self.folder / "report"
        self.migrate("--verify", "--report", report, code=1)
        reasons = {Path(path).name: line["reason"] for path, line in self.report(report).items()
                   if line["outcome"] == "failed"}
        one_of_two = {reasons.pop("d", None), reasons.pop("d-too", None)}
        self.assertIn("is not the same file as its other names", one_of_two | {None})
        self.assertEqual(reasons.pop("source"), "time of change differ")
        self.assertEqual(reasons, {"a": "the content differs", "b": "mode differ", "c": "extended attributes differ",
                                   "e": "is not in the volume"})

    def test_one_file_system(self):
        self.write("here", 10)
        other = self.source / "other"
        other.mkdir()
        self.assertEqual(self.run_program("mount", "-t", "tmpfs", "none", other).returncode, 0)
        self.other_mounts.append(other)
        (other / "there").write_text("x")
        self.assert_counts(self.migrate("--one-file-system"), copied=2, skipped=1)
        self.assertEqual(self.migrate()["copied"], 2)

    def test_a_full_disk_stops_it_and_more_room_lets_it_go_on(self):
        disk = self.small_disk(160)
        self.volume = disk / "volume"
        self.init()
        ballast = disk / "ballast"
        with open(ballast, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, 90 << 20)
        for i in range(24):
            self.write(f"f{i}", 3 << 20)
        done = self.firn("migrate", self.volume, "--from", self.source)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("the volume is full", done.stderr)
        ballast.unlink()
        summary = self.migrate()
        self.assertGreater(summary["unchanged"], 1, summary)
        self.assertGreater(summary["copied"], 0, summary)
        self.mount()
        self.assert_same()
        self.umount()
        self.succeed("fsck", self.volume)

    def test_misuse_is_explained(self):
        self.refuse("migrate", self.volume, "--from", self.folder / "nowhere", words=["nowhere"], code=2)
        self.refuse("migrate", self.volume, "--from", self.source, "--on-conflict", "maybe", words=["overwrite"], code=2)
        self.refuse("migrate", self.volume, "--from", self.source, "--into", "x", words=["--into"], code=2)
        self.refuse("migrate", self.volume, "--from", self.source, "--from", self.source, words=["two folders"], code=2)
        self.refuse("migrate", self.volume, "--from", self.volume / "hot", words=["own folder"], code=2)
        self.refuse("migrate", self.source, "--from", self.source)
        self.refuse("migrate", self.volume, "--from", self.source, "--into", "/../x", words=[r"\.\."])


unittest.main()
