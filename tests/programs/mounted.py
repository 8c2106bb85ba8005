"""A place to work in: a fresh volume mounted by firn, or a plain folder that shows what an ordinary disk does."""
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

DEADLINE_S = 120


class Failed(Exception):
    """A check that did not hold; the message is what the user reads."""


def run(*command, deadline_s=DEADLINE_S, check=True, **more):
    """Runs a program to its end and returns the CompletedProcess with its output as text."""
    command = [str(word) for word in command]
    if shutil.which(command[0]) is None:
        raise Failed(f"{command[0]} is missing: run scripts/setup")
    try:
        done = subprocess.run(command, timeout=deadline_s, text=True, errors="replace", stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)
    except subprocess.TimeoutExpired as late:
        raise Failed(f"{' '.join(command)}: not done after {deadline_s} s") from late
    if check and done.returncode != 0:
        raise Failed(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done


def expect(condition, message):
    if not condition:
        raise Failed(message)


class Place:
    """`with Place(firn) as place`: place.root is inside the mount (or plain), place.outside on the ordinary disk."""

    def __init__(self, firn, directory=None):
        self.firn = Path(firn).resolve() if firn else None
        if directory:
            Path(directory).mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix="firn-programs-", dir=directory))
        self.outside = self.folder / "outside"
        self.volume = self.folder / "volume"
        self.mount_point = self.folder / "mnt"
        self.root = self.mount_point

    def __enter__(self):
        self.outside.mkdir()
        self.mount_point.mkdir()
        if self.firn:
            run(self.firn, "init", self.volume)
            run(self.firn, "mount", self.volume, self.mount_point)
            expect(self.mount_point.is_mount(), "firn mount returned, but nothing is mounted")
        return self

    def __exit__(self, kind, error, trace):
        try:
            if self.firn:
                self.leave(kind is not None)
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def leave(self, failed):
        """Unmounts; after a success the volume must be clean too. After a failure, cleans up by force."""
        done = run(self.firn, "umount", self.mount_point, check=False)
        if not failed and done.returncode == 0:
            checked = run(self.firn, "fsck", self.volume, check=False)
            expect(checked.returncode == 0, f"fsck after the work: {checked.stdout}{checked.stderr}")
            return
        self.kill_daemon()
        subprocess.run(["umount", "-l", str(self.mount_point)], check=False, stderr=subprocess.DEVNULL)
        if not failed:
            raise Failed(f"firn umount: exit code {done.returncode}: {done.stderr}")

    def kill_daemon(self):
        """The process that this volume's lock names, if it is the firn under test."""
        try:
            pid = int((self.volume / "firn.lock").read_text().split()[0])
            if Path(os.readlink(f"/proc/{pid}/exe")) == self.firn:
                os.kill(pid, signal.SIGKILL)
        except (OSError, ValueError, IndexError):
            pass
