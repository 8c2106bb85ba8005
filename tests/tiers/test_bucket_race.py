"""Two machines that mount one bucket volume at the same moment: one of them serves it, and the other says why it does not."""
import os
import subprocess
import unittest

from bucket_volume import LONG_S, TAKEN_OVER, BucketTest
from firn_cli import CRASHES, FIRN

ROUNDS = int(os.environ.get("FIRN_RACES", "10"))


class Machine:
    def __init__(self, folder, name):
        self.cache, self.mount_point = folder / f"cache {name}", folder / f"mnt {name}"
        self.mount_point.mkdir()
        self.process = self.said = None


class BucketRace(BucketTest):
    def setUp(self):
        super().setUp()
        self.machines = [Machine(self.folder, name) for name in "ab"]

    def mount_both(self):
        for machine in self.machines:
            (machine.cache / "firn.log").unlink(missing_ok=True)
            self.mounted.append((machine.cache, machine.mount_point))
        for machine in self.machines:
            machine.process = subprocess.Popen(
                [FIRN, "mount", self.url, machine.mount_point, "--cache", machine.cache], env=self.environment, text=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for machine in self.machines:
            try:
                machine.said = machine.process.communicate(timeout=LONG_S)[1]
            finally:
                machine.process.kill()
                machine.process.wait()

    def try_to_write(self, machine, name, content):
        """Whether it was acknowledged: in the volume, not in the folder under it."""
        try:
            folder = os.open(machine.mount_point, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            return False
        try:
            if os.fstat(folder).st_dev == self.folder.stat().st_dev:
                return False
            file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=folder)
            try:
                os.write(file, content)
                os.fsync(file)
            finally:
                os.close(file)
            return True
        except OSError:
            return False
        finally:
            os.close(folder)

    def assert_says_why(self, loser):
        if loser.process.returncode == 0:  # it had served, or was about to
            self.wait_for_end(loser.cache)
            self.assertIn(TAKEN_OVER, (loser.cache / "firn.log").read_text())
        else:
            self.assertEqual(loser.said.count("\n"), 1, loser.said)
            self.assertTrue(loser.said.startswith("firn: "), loser.said)
            self.assertIn(TAKEN_OVER, loser.said)
        self.assertIsNone(CRASHES.search(loser.said), loser.said)

    def test_one_serves(self):
        self.succeed("init", self.url)
        for number in range(ROUNDS):
            self.mount_both()
            winners = []
            for machine in self.machines:
                name, content = f"{number} of {machine.mount_point.name}", self.random.randbytes(20_000)
                if self.try_to_write(machine, name, content):
                    self.expected[name] = content
                    winners.append(machine)
            said = [(machine.process.returncode, machine.said) for machine in self.machines]
            print(f"  round {number}: {said}", flush=True)
            self.assertEqual(len(winners), 1, said)
            loser = next(machine for machine in self.machines if machine not in winners)
            self.assert_says_why(loser)
            self.assert_tree(winners[0].mount_point)
            self.leave(winners[0], cleanly=number % 2 == 0)
        self.volume = self.folder / "another cache"
        self.mount()
        self.assert_tree()
        self.settle()

    def leave(self, machine, cleanly):
        if cleanly:
            return self.umount(machine.mount_point)
        self.kill_daemon(machine.cache)
        self.run_program("umount", "-l", machine.mount_point)


if __name__ == "__main__":
    unittest.main(verbosity=2)
