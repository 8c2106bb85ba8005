"""Data: fio on one large file per target."""

import json

from .measure import NEAR_PLAIN, STREAM_PLAIN, interleave
from .tools import drop_caches, run

# name in the table, unit, aim, caches dropped before, fio's options
JOBS = (
    ("sequential write 1 MiB", "MiB/s", NEAR_PLAIN, True,
     ["--rw=write", "--bs=1M", "--ioengine=psync", "--end_fsync=1"]),
    ("sequential read 1 MiB, from disk", "MiB/s", NEAR_PLAIN, True, ["--rw=read", "--bs=1M", "--ioengine=psync"]),
    ("sequential read 1 MiB, from page cache", "MiB/s", NEAR_PLAIN, False,
     ["--rw=read", "--bs=1M", "--ioengine=psync", "--pre_read=1"]),
    ("random read 4 KiB, direct, depth 32", "IO/s", NEAR_PLAIN, True,
     ["--rw=randread", "--bs=4k", "--ioengine=libaio", "--iodepth=32", "--direct=1", "TIMED"]),
    ("random write 4 KiB, direct, depth 32", "IO/s", NEAR_PLAIN, True,
     ["--rw=randwrite", "--bs=4k", "--ioengine=libaio", "--iodepth=32", "--direct=1", "TIMED"]),
    ("mmap read", "MiB/s", NEAR_PLAIN, False, ["--rw=read", "--bs=64k", "--ioengine=mmap", "--pre_read=1"]),
)
STREAM = "streaming a new large file"


def fio(target, file_name, size, options, seconds):
    words = [word for option in options
             for word in (["--time_based", f"--runtime={seconds}"] if option == "TIMED" else [option])]
    # fio would drop the file's pages by fadvise, which does not reach the file behind a FUSE mount: caches are dropped
    # by the caller, for all targets alike.
    output = run(["fio", "--name=bench", f"--filename={target.path / file_name}", f"--size={size}", "--invalidate=0",
                  "--fallocate=none", "--output-format=json", *words])
    return json.loads(output[output.index("{"):])["jobs"][0]


def figure_of(job, unit):
    side = job["read"] if job["read"]["total_ios"] else job["write"]
    return side["iops"] if unit == "IO/s" else side["io_bytes"] / 2**20 / (side["runtime"] / 1000)


def bench(figures, targets, settings):
    size = "256M" if settings.quick else "4G"
    seconds = 2 if settings.quick else 8
    figures.declare(STREAM, "MiB/s", STREAM_PLAIN)
    for label, unit, aim, _, _ in JOBS:
        figures.declare(label, unit, aim)

    def stream(target, _):
        drop_caches(3)
        before = target.cpu()
        job = fio(target, "stream", size, ["--rw=write", "--bs=1M", "--ioengine=psync", "--end_fsync=1"], seconds)
        figures.add(STREAM, target.name, figure_of(job, "MiB/s"))
        figures.add_detail(STREAM, target.name, "cpu_us", (target.cpu() - before) * 1e6 / job["write"]["total_ios"])
        (target.path / "stream").unlink()

    interleave(figures, targets, settings.rounds, stream)
    for target in targets:
        fio(target, "resident", size, ["--rw=write", "--bs=1M", "--ioengine=psync", "--end_fsync=1"], seconds)
    for label, unit, _, drop, options in JOBS:

        def body(target, _, label=label, unit=unit, drop=drop, options=options):
            if drop:
                drop_caches(3)
            before = target.cpu()
            job = fio(target, "resident", size, options, seconds)
            figures.add(label, target.name, figure_of(job, unit))
            operations = job["read"]["total_ios"] + job["write"]["total_ios"]
            figures.add_detail(label, target.name, "cpu_us", (target.cpu() - before) * 1e6 / operations)

        interleave(figures, targets, settings.rounds, body)
    for target in targets:
        (target.path / "resident").unlink(missing_ok=True)
