"""A volume that lives in a bucket: what an fsync takes, against one PUT of the same server. What it costs in requests:
requests.py."""

import os
import statistics
import threading
import time

from .stores import Server
from .tiers import Volume, firn_of, ratio_cell, raw
from .tools import run

APPEND = 4096
WRITERS = 32
PART = 64 << 20  # bytes, of a large write and of the raw PUTs beside it
MANY = 4  # times as many appends where there are so many writers


class BucketVolume(Volume):
    def __enter__(self):
        self.mount.mkdir(parents=True)
        self.call("init", self.url)
        self.call("mount", self.url, self.mount, "--cache", self.folder)
        return self


def append(path, count):
    """`count` appends, each made durable."""
    data = os.urandom(APPEND)
    target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for _ in range(count):
        os.write(target, data)
        os.fsync(target)
    os.close(target)


def appends(volume, writers, count):
    """Seconds of `count` appends in all."""
    threads = [threading.Thread(target=append, args=(volume.mount / f"{writers}-{number}", count // writers))
               for number in range(writers)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began


def log_bytes(volume):
    """Of the log object that carries one append."""
    appends(volume, 1, 16)  # no longer small enough to be inline
    before = volume.requests()["put"]
    appends(volume, 1, 16)
    after = volume.requests()["put"]
    return (after[1] - before[1]) // (after[0] - before[0])


def measure_appends(volume, server, count, slices):
    """Slices of the same work one after the other, so that what disturbs one disturbs its neighbours; seconds of one."""
    size, many = log_bytes(volume), MANY * count
    done = []
    for number in range(slices):
        done.append({"raw_s": raw("put", server, f"raw-appends-{number}", count, size, 1, if_absent=1) / count,
                     "one_s": appends(volume, 1, count) / count, "many_s": appends(volume, WRITERS, many) / many})
    return {"log_bytes": size, "slices": done}


def write(path, mib):
    """Seconds of a new file of `mib` MiB and its fsync; what it holds was made before."""
    noise = os.urandom(PART)
    began = time.perf_counter()
    target = os.open(path, os.O_WRONLY | os.O_CREAT)
    for _ in range((mib << 20) // PART):
        os.write(target, noise)
    os.fsync(target)
    seconds = time.perf_counter() - began
    os.close(target)
    return seconds


def measure_write(volume, server, mib):
    return {"mib": mib, "firn_s": write(volume.mount / "large", mib),
            "raw_s": raw("put", server, "raw-large", (mib << 20) // PART, PART, 4)}


def bench(figures, _targets, settings):
    count, slices, mib = (160, 2, 64) if settings.quick else (640, 5, 1024)
    folder = settings.base / "bucket"
    rounds = []
    for _ in range(settings.rounds):
        with Server(settings.base / "bucket-objects") as server:
            try:
                with BucketVolume(firn_of(settings), folder, server, "volume") as volume:
                    rounds.append({"appends": measure_appends(volume, server, count, slices),
                                   "write": measure_write(volume, server, mib)})
            finally:
                run(["rm", "-rf", folder])
    figures.bucket = rounds


def append_rows(appends_):
    slices = [one for of in appends_ for one in of["slices"]]

    def row(work, seconds, against, ratios):
        return f"| {work} | {statistics.median(seconds) * 1e3:.2f} ms | {against} | {ratio_cell(ratios)} |"

    raw_ms = statistics.median(one["raw_s"] for one in slices) * 1e3
    return [row("append of 4 KiB and fsync, one writer", [one["one_s"] for one in slices],
                f"one raw PUT of {appends_[0]['log_bytes']:,} bytes, as much as the log object: {raw_ms:.2f} ms",
                [one["one_s"] / one["raw_s"] for one in slices]),
            row(f"the same, {WRITERS} writers", [one["many_s"] for one in slices], "the rate of one writer",
                [one["one_s"] / one["many_s"] for one in slices])]


def table(rounds):
    lines = ["| work | time of one | against | ratio |", "|---|---|---|---|", *append_rows([of["appends"] for of in rounds])]
    writes = [of["write"] for of in rounds]
    ours, theirs = (statistics.median(of["mib"] / of[who] for of in writes) for who in ("firn_s", "raw_s"))
    lines += ["", f"Writing {writes[0]['mib']:,} MiB, and one fsync: {ours:,.0f} MiB/s; raw PUTs of 64 MiB, 4 at once: "
                  f"{theirs:,.0f} MiB/s; ratio {ratio_cell([of['raw_s'] / of['firn_s'] for of in writes])}."]
    return "\n".join(lines)
