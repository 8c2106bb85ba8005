"""What every part needs: paths, running programs, caches, processor time."""

import os
import pathlib
import resource
import subprocess
import time

REPO = pathlib.Path(__file__).resolve().parents[2]
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "firn-bench"
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
MAX_OPEN_FILES = 1_048_576  # passthrough_hp holds a descriptor for every inode that the kernel remembers


class BenchError(Exception):
    """Something a person can act on; bench/run prints it as one line."""


def run(command, *, timeout=3600, **options):
    """Runs a program to its end and returns its output; its failure is a BenchError."""
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stderr", subprocess.PIPE)
    try:
        done = subprocess.run([str(word) for word in command], timeout=timeout, text=True, check=False, **options)
    except FileNotFoundError as error:
        raise BenchError(f"{command[0]}: not installed") from error
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"{command[0]}: no end after {timeout} s") from error
    if done.returncode != 0:
        last = (done.stderr or done.stdout or "").strip().splitlines()[-3:]
        raise BenchError(f"{' '.join(map(str, command))[:200]}: exit {done.returncode}: {' | '.join(last)}")
    return done.stdout


def end(process):
    """Tells a program that was started to end, and waits until it has; None: there is none."""
    if process:
        process.terminate()
        process.wait()


def timed(command, **options):
    """Seconds of wall time that a program takes."""
    begin = time.monotonic()
    run(command, **options)
    return time.monotonic() - begin


def can_drop_caches():
    return os.access("/proc/sys/vm/drop_caches", os.W_OK)


def drop_caches(what):
    """1: file contents, 2: directory entries and inodes, 3: both. Only root may; others measure warm caches."""
    if not can_drop_caches():
        return
    os.sync()
    pathlib.Path("/proc/sys/vm/drop_caches").write_text(f"{what}\n", encoding="ascii")


def raise_file_limit():
    """For this process and the daemons it starts, as far as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (MAX_OPEN_FILES, hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, hard)))
            return
        except (ValueError, PermissionError, OSError):
            continue
    del soft


def open_files():
    """How many files passthrough_hp can hold: it has one open for each inode that the kernel remembers."""
    return int(resource.getrlimit(resource.RLIMIT_NOFILE)[0] * 0.9)


def cpu_seconds(pid):
    """Processor time of a process with all its threads, the kernel's on its behalf included; 0 without a process."""
    if not pid:
        return 0.0
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


def resident_bytes(pid):
    if not pid:
        return 0
    for line in pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def written_bytes(pid):
    """What the process has caused to be written to the disk so far."""
    with open(f"/proc/{pid}/io", encoding="ascii") as lines:
        return int(next(line.split()[1] for line in lines if line.startswith("write_bytes:")))
