"""A volume that lives in a bucket beside rclone mount (with its VFS cache) and s3fs, on one server in one run."""

import json
import os
import pathlib
import random
import statistics
import subprocess
import time

from .bucket import BucketVolume
from .stores import KEYS, Server, free_address
from .tiers import firn_of, settle
from .tools import BenchError, run

SMALL_FILES, SMALL_BYTES = 1000, 4096
REWRITES, REWRITE_BYTES = 256, 4096
SETTLED_MIB = 2560  # of memory: what a cold read of a GiB takes, in a cache on the disk and in the mount's, and some more
WRITE_BACK = "100ms"  # rclone's own 5 s would be most of what is measured
UPLOADS = ("--s3-chunk-size", "64M", "--s3-upload-concurrency", "4")  # as firn's; its own are several times slower here


def wait_until(true, seconds, what):
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise BenchError(f"{what}: not after {seconds} s")
        time.sleep(0.02)


class Firn:
    name = "firn"

    def __init__(self, folder, server, firn):
        self.volume = BucketVolume(firn, folder, server, "firn")
        self.mount = self.volume.mount

    def __enter__(self):
        self.volume.__enter__()
        return self

    def __exit__(self, *_):
        self.volume.__exit__()

    def settle(self):
        """Waits until the bucket has everything; when that was."""
        self.volume.call("tier", "flush", self.volume.folder)
        return time.monotonic()

    def forget(self):
        """Nothing is left on this machine."""
        self.volume.call("umount", self.mount)
        self.volume.call("mount", self.volume.url, self.mount, "--cache", self.volume.folder)


class Neighbour:
    """A program that stays in the foreground while it is mounted."""

    def __init__(self, folder, server):
        self.folder, self.url = folder / self.name, server.url
        self.mount = self.folder / "mnt"
        self.environment = {**os.environ, **KEYS}
        self.environment.pop("AWS_CA_BUNDLE", None)  # rclone refuses to start with it

    def __enter__(self):
        self.mount.mkdir(parents=True)
        self.start()
        return self

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(self.command(), env=self.environment, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log)
        wait_until(lambda: os.path.ismount(self.mount), 30, f"{self.name} mounts")

    def stop(self):
        run(["umount", self.mount])
        self.process.wait(60)

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", str(self.mount)], check=False, stderr=subprocess.DEVNULL)
        self.process.kill()
        self.process.wait()

    def forget(self):
        self.stop()
        run(["rm", "-rf", self.folder / "cache"])
        self.start()


class Rclone(Neighbour):
    name = "rclone"

    def command(self):
        remote = f":s3,provider=Other,env_auth,endpoint='{self.url}',region=us-east-1,force_path_style:bucket/rclone"
        self.control = free_address()
        return ["rclone", "mount", remote, str(self.mount), "--vfs-cache-mode", "full", "--cache-dir",
                str(self.folder / "cache"), "--vfs-write-back", WRITE_BACK, *UPLOADS, "--rc", "--rc-no-auth", "--rc-addr",
                self.control]

    def ask(self, what):
        return json.loads(run(["curl", "-sS", "-f", "-X", "POST", f"http://{self.control}/{what}"]))

    def is_busy(self):
        """What it has to fetch before it can send a file that was written in part is in no queue yet."""
        cache = self.ask("vfs/stats")["diskCache"]
        return cache["uploadsInProgress"] + cache["uploadsQueued"] > 0 or bool(self.ask("core/stats").get("transferring"))

    def settle(self):
        """The kernel tells it of a close some time later, so that an empty queue must stay so."""
        last = time.monotonic()
        while time.monotonic() < last + 1:
            if self.is_busy():
                last = time.monotonic()
            time.sleep(0.02)
        return last


class S3fs(Neighbour):
    name = "s3fs"

    def command(self):
        keys = self.folder / "keys"
        keys.write_text(f"{KEYS['AWS_ACCESS_KEY_ID']}:{KEYS['AWS_SECRET_ACCESS_KEY']}\n")
        keys.chmod(0o600)
        return ["s3fs", "bucket:/s3fs", str(self.mount), "-f", "-o", f"url={self.url},use_path_request_style,"
                f"passwd_file={keys},use_cache={self.folder / 'cache'}"]

    def settle(self):
        return time.monotonic()  # it uploads before close() returns


def write_small_files(folder):
    folder.mkdir()
    for number in range(SMALL_FILES):
        (folder / f"f{number:04}").write_bytes(os.urandom(SMALL_BYTES))


def rewrite(path, seed):
    places = random.Random(seed)
    bytes_ = path.stat().st_size
    target = os.open(path, os.O_WRONLY)
    for _ in range(REWRITES):
        os.pwrite(target, os.urandom(REWRITE_BYTES), places.randrange(bytes_ // REWRITE_BYTES) * REWRITE_BYTES)
    os.close(target)


def until_stored(one, work):
    """Seconds until the program returned, and until the bucket had what it did."""
    begin = time.monotonic()
    work()
    returned = time.monotonic() - begin
    return returned, one.settle() - begin


def copy(source, target):
    run(["dd", f"if={source}", f"of={target}", "bs=1M", "status=none"])


class Work:
    """`cold`: nothing is left on this machine before it."""

    def __init__(self, name, do, cold=False, writes=True):
        self.name, self.do, self.cold, self.writes = name, do, cold, writes

    def prepare(self, one):
        if self.cold:
            one.forget()
            settle(one.mount.parent, SETTLED_MIB)


def works(one, payload):
    """In this order."""
    large, small = one.mount / "large", one.mount / "small"
    mib = payload.stat().st_size >> 20
    read = ["dd", f"if={large}", "of=/dev/null", "bs=1M", "status=none"]
    return [Work(f"write of {mib} MiB", lambda: copy(payload, large)),
            Work(f"cold read of {mib} MiB", lambda: run(read), cold=True, writes=False),
            Work(f"{SMALL_FILES:,} new files of 4 KiB", lambda: write_small_files(small)),
            Work(f"{REWRITES} random 4 KiB writes into {mib} MiB, cold", lambda: rewrite(large, seed=1), cold=True),
            Work(f"rename of a directory of {SMALL_FILES:,} files", lambda: small.rename(one.mount / "renamed"))]


def check_renamed(one):
    if sum(1 for _ in (one.mount / "renamed").iterdir()) != SMALL_FILES:
        raise BenchError(f"{one.name}: files are missing after the rename")


def measure(one, payload):
    """Seconds of each work: until the program returned, and until it was stored."""
    done = {}
    for work in works(one, payload):
        work.prepare(one)
        returned, stored = until_stored(one, work.do)
        done[work.name] = (returned, stored if work.writes else returned)
    check_renamed(one)
    return done


def makers(firn):
    return (lambda *place: Firn(*place, firn), Rclone, S3fs)


def payload_of(folder, mib):
    folder.mkdir(parents=True, exist_ok=True)
    payload = folder / "payload"
    payload.write_bytes(os.urandom(mib << 20))
    return payload


def measure_once(make, settings, mib):
    """(who, what measure() says)."""
    folder = pathlib.Path(settings.base) / "bucket-mounts"
    with Server(settings.base / "bucket-mounts-objects") as server:
        try:
            payload = payload_of(folder, mib)
            with make(folder, server) as one:
                return one.name, measure(one, payload)
        finally:
            run(["rm", "-rf", folder])


def bench(figures, _targets, settings):
    mib, rounds = (64, 1) if settings.quick else (1024, settings.rounds)
    times = {}
    for _ in range(rounds):
        for make in makers(firn_of(settings)):
            who, done = measure_once(make, settings, mib)
            for work, pair in done.items():
                times.setdefault(work, {}).setdefault(who, []).append(pair)
    figures.bucket_mounts = {work: {who: [statistics.median(column) for column in zip(*pairs)] for who, pairs in of.items()}
                             for work, of in times.items()}


def table(works):
    lines = ["Seconds until the program returned / until the bucket had it, and the second as a ratio to firn's.", "",
             "| work | firn | rclone mount | s3fs | rclone / firn | s3fs / firn |", "|---|---|---|---|---|---|"]
    for work, of in works.items():
        cells = [f"{of[who][0]:.2f} / {of[who][1]:.2f}" for who in ("firn", "rclone", "s3fs")]
        ratios = [f"{of[who][1] / of['firn'][1]:.1f}" for who in ("rclone", "s3fs")]
        lines.append("| " + " | ".join([work, *cells, *ratios]) + " |")
    return "\n".join(lines)
