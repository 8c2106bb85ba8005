"""Where the work is done: a plain folder, passthrough_hp over a folder, and firn; all on one disk."""

import os
import pathlib
import shutil
import signal
import subprocess
import time

from .tools import BenchError, cpu_seconds, run

START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 60


def is_mounted(path):
    wanted = str(path)
    with open("/proc/self/mountinfo", encoding="utf-8") as table:
        return any(line.split()[4] == wanted for line in table)


def _wait_until(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


class Plain:
    """A folder of the disk's own file system."""

    name = "plain"

    def __init__(self, base):
        self.path = base / "plain"

    def start(self):
        self.path.mkdir(parents=True)

    def stop(self):
        pass

    def pid(self):
        return 0

    def cpu(self):
        return cpu_seconds(self.pid())


class PassthroughHp:
    """libfuse's example with its default options; in the foreground, so that its process is known."""

    name = "passthrough_hp"

    def __init__(self, base, program):
        self.program = program
        self.source = base / "hp-source"
        self.path = base / "hp"
        self.process = None

    def start(self):
        self.source.mkdir(parents=True)
        self.path.mkdir()
        self.process = subprocess.Popen(
            [str(self.program), "--foreground", str(self.source), str(self.path)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if not _wait_until(lambda: is_mounted(self.path) or self.process.poll() is not None, START_TIMEOUT_S) \
                or self.process.poll() is not None:
            raise BenchError("passthrough_hp: did not mount (it needs root, or a working fusermount3)")

    def stop(self):
        _unmount(self.path)
        if self.process and self.process.poll() is None:
            try:
                self.process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def pid(self):
        return self.process.pid if self.process else 0

    def cpu(self):
        return cpu_seconds(self.pid())


class Firn:
    """A new solo volume with default settings."""

    name = "firn"

    def __init__(self, base, program, options="", name="firn", settings=None):
        self.program = program
        self.settings = settings or {}  # "section": "key = value" of firn.toml
        self.options = ["-o", options] if options else []
        self.volume = base / f"{name}-volume"
        self.path = base / name
        self.daemon = 0

    def start(self):
        self.path.mkdir(parents=True)
        run([self.program, "init", self.volume])
        self._configure()
        self.mount()

    def mount(self):
        # Its daemon keeps running, and must not hold on to our pipes.
        run([self.program, "mount", self.volume, self.path, *self.options], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120)
        self.daemon = self._find_daemon()

    def _configure(self):
        toml = self.volume / "firn.toml"
        text = toml.read_text(encoding="utf-8")
        for section, setting in self.settings.items():
            text = text.replace(f"[{section}]\n", f"[{section}]\n{setting}\n", 1)
        toml.write_text(text, encoding="utf-8")

    def stop(self):
        if is_mounted(self.path):
            try:
                run([self.program, "umount", self.path], timeout=STOP_TIMEOUT_S * 5)
            except BenchError as error:
                print(f"firn umount: {error}")
        _unmount(self.path)
        if self.daemon and not _wait_until(lambda: not pathlib.Path(f"/proc/{self.daemon}").exists(), STOP_TIMEOUT_S):
            os.kill(self.daemon, signal.SIGKILL)
        self.daemon = 0

    def pid(self):
        return self.daemon

    def cpu(self):
        return cpu_seconds(self.pid())

    def _find_daemon(self):
        """The process that runs our program and has this volume's folder on its command line."""
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                if os.path.samefile(entry / "exe", self.program) and str(self.volume).encode() in \
                        (entry / "cmdline").read_bytes().split(b"\0"):
                    return int(entry.name)
            except OSError:
                continue
        return 0


def _unmount(path):
    """By force where it must be; quiet when nothing is mounted."""
    for command in (["fusermount3", "-u"], ["umount"], ["umount", "-l"]):
        if not is_mounted(path):
            return
        subprocess.run([*command, str(path)], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _wait_until(lambda: not is_mounted(path), 2)


class Stage:
    """Targets that are started on entry and, whatever happens, stopped and removed on exit."""

    def __init__(self, base, targets):
        self.base = base
        self.targets = targets

    def __enter__(self):
        self.base.mkdir(parents=True)
        try:
            for target in self.targets:
                target.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self.targets

    def __exit__(self, *_):
        for target in reversed(self.targets):
            target.stop()
        if any(is_mounted(target.path) for target in self.targets):
            raise BenchError(f"{self.base}: a mount would not go away; nothing under it was removed")
        shutil.rmtree(self.base, ignore_errors=True)
