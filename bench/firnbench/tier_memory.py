"""What the daemon holds in memory when colder tiers have very many chunks, and very many files wait for them."""

import os
import random
import subprocess

from .stores import Server
from .tiers import Volume
from .tools import REPO, BenchError, resident_bytes

CHUNK_KIB = 64
NOISE = os.urandom(4 << 10)  # of each chunk; the rest of it is a hole, which the disk need not hold
PENDING_BYTES = 20_000  # not inline
PER_FOLDER = 1000


def daemon(volume):
    """(resident bytes, the volume's status)."""
    pid = int((volume.folder / "firn.lock").read_text(encoding="ascii").split()[0])
    return resident_bytes(pid), volume.status()


def write_pending(folder, count):
    data = os.urandom(PENDING_BYTES)
    for number in range(count):
        if number % PER_FOLDER == 0:
            (folder / f"d{number // PER_FOLDER:04}").mkdir()
        (folder / f"d{number // PER_FOLDER:04}" / f"f{number % PER_FOLDER:04}").write_bytes(data)


def write_chunks(path, count):
    with open(path, "wb") as large:
        for number in range(count):
            os.pwrite(large.fileno(), number.to_bytes(8, "little") + NOISE[8:], number * CHUNK_KIB << 10)


def read_chunks(path, count, of):
    with open(path, "rb") as large:
        for number in random.Random(1).sample(range(of), count):
            if int.from_bytes(os.pread(large.fileno(), 8, number * CHUNK_KIB << 10), "little") != number:
                raise BenchError(f"chunk {number} is not what was written")


def bench(figures, _targets, settings):
    firn = settings.firn or REPO / "build" / "release" / "bin" / "firn"
    if not os.path.exists(firn):
        raise BenchError(f"no {firn}: build it (cmake --build --preset release)")
    chunks, read, pending = (10_000, 1_000, 1_000) if settings.quick else (1_000_000, 100_000, 100_000)
    folder = settings.base / "tier-memory"
    seen = {}
    try:
        with Server(settings.base / "tier-memory-objects") as server:
            with Volume(firn, folder, server, "memory", init=("--chunk-size", f"{CHUNK_KIB}KiB")) as volume:
                seen["an empty volume"] = daemon(volume)[0]
                write_chunks(volume.mount / "large", chunks)
                volume.call("tier", "flush", volume.folder)
                seen[f"{chunks:,} chunks were uploaded"] = daemon(volume)[0]
                volume.call("tier", "evict", volume.folder)
                read_chunks(volume.mount / "large", read, chunks)
                seen[f"they were evicted, and {read:,} of them read at random"] = daemon(volume)[0]
                volume.call("umount", volume.mount)
                volume.call("mount", volume.folder, volume.mount)
                seen["mounted again"] = daemon(volume)[0]
                server.process.kill()
                write_pending(volume.mount, pending)
                subprocess.run([str(firn), "tier", "flush", str(volume.folder)], env=volume.environment, check=False,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # cannot: the server is away
                resident, tiers = daemon(volume)
                seen[f"{tiers['pending_files']:,} files wait for a server that is away"] = resident
                volume.call("umount", volume.mount)
                volume.call("mount", volume.folder, volume.mount)
                seen["mounted again, the server still away"] = daemon(volume)[0]
    finally:
        subprocess.run(["rm", "-rf", str(folder)], check=False)
    figures.tier_memory = {when: resident >> 20 for when, resident in seen.items()}


def table(seen):
    lines = ["| the daemon, when | resident MiB |", "|---|---|"]
    return "\n".join(lines + [f"| {when} | {mib:,} |" for when, mib in seen.items()])
