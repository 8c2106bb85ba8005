"""A volume that lives in a bucket: what an fsync costs, in time against one PUT of the same server, and in PUTs."""

import os
import threading
import time

from .stores import Server
from .tiers import Volume, raw
from .tools import REPO, BenchError, run, timed

APPEND = 4096
WRITERS = 32


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
    """Seconds and PUTs of `count` appends in all."""
    threads = [threading.Thread(target=append, args=(volume.mount / f"{writers}-{number}", count // writers))
               for number in range(writers)]
    before = volume.requests()["put"][0]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began, volume.requests()["put"][0] - before


def bench(figures, _targets, settings):
    firn = settings.firn or REPO / "build" / "release" / "bin" / "firn"
    if not os.path.exists(firn):
        raise BenchError(f"no {firn}: build it (cmake --build --preset release)")
    count, mib = (320, 64) if settings.quick else (3200, 1024)
    folder = settings.base / "bucket"
    with Server(settings.base / "bucket-objects") as server:
        try:
            with BucketVolume(firn, folder, server, "volume") as volume:
                one, one_puts = appends(volume, 1, count)
                raw_s = raw("put", server, "raw-appends", count, APPEND, 1)
                many, many_puts = appends(volume, WRITERS, count)
                write_s = timed(["dd", "if=/dev/urandom", f"of={volume.mount / 'large'}", "bs=1M", f"count={mib}",
                                 "conv=fsync", "status=none"])
                raw_write_s = raw("put", server, "raw-large", mib // 64, 64 << 20, 4)
        finally:
            run(["rm", "-rf", folder])
    figures.bucket = {"count": count, "one_s": one, "one_puts": one_puts, "raw_s": raw_s, "many_s": many,
                      "many_puts": many_puts, "mib": mib, "write_s": write_s, "raw_write_s": raw_write_s}


def table(of):
    count = of["count"]
    lines = ["| work | time of one | PUTs of one | against | ratio |", "|---|---|---|---|---|"]

    def row(work, seconds, puts, against, ratio):
        lines.append(f"| {work} | {seconds / count * 1e3:.2f} ms | {puts / count:.2f} | {against} | {ratio:.2f} |")

    row(f"append of 4 KiB and fsync, one writer, {count:,} times", of["one_s"], of["one_puts"],
        f"one raw PUT of 4 KiB: {of['raw_s'] / count * 1e3:.2f} ms", of["one_s"] / of["raw_s"])
    row(f"the same, {WRITERS} writers", of["many_s"], of["many_puts"], "the rate of one writer", of["one_s"] / of["many_s"])
    ours, theirs = of["mib"] / of["write_s"], of["mib"] / of["raw_write_s"]
    lines += ["", f"Writing {of['mib']:,} MiB, and one fsync: {ours:,.0f} MiB/s; raw PUTs of 64 MiB, 4 at once: "
                  f"{theirs:,.0f} MiB/s; ratio {ours / theirs:.2f}."]
    return "\n".join(lines)
