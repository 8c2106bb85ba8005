"""Single operations on small files, one phase at a time: rates, latencies, and the daemon's processor time for each."""

import json
import shutil

from .measure import TWICE_HP, interleave
from .tools import can_drop_caches, drop_caches, open_files, run

# phase, prefix of the files it works on, what it is called in the table, whether there is an aim
PHASES = (
    ("create", "f", "create+close", True),
    ("create4k", "g", "create+write 4 KiB+close", True),
    ("read4k", "g", "open+read 4 KiB+close", True),
    ("stat", "g", "stat, cold dentry", True),
    ("getattr", "g", "getattr", False),
    ("rename", "f", "rename", True),
    ("unlink", "fr", "unlink", True),
)
THREADS = (1, 8)
LAYOUTS = ("shared", "many")
LAYOUT_NAMES = {"shared": "one directory", "many": "many directories"}


def phase(program, name, folder, *, threads, files, layout, prefix, bytes=4096):
    return json.loads(run([program, name, "--dir", folder, "--threads", threads, "--files", files,
                           "--layout", layout, "--prefix", prefix, "--bytes", bytes]))


def run_phases(program, target, files, threads, layout, record):
    """One whole life of `files` files in a new folder; record(label, measured, cpu_seconds)."""
    folder = target.path / "metadata"
    run([program, "prepare", "--dir", folder, "--threads", threads, "--files", files, "--layout", layout])
    for name, prefix, label, _ in PHASES:
        if name == "stat":
            drop_caches(2)
        before = target.cpu()
        measured = phase(program, name, folder, threads=threads, files=files, layout=layout, prefix=prefix)
        record(label, measured, target.cpu() - before)
    shutil.rmtree(folder)


def bench(figures, targets, settings):
    program = settings.metadata_bench
    files = 4_000 if settings.quick else 40_000
    if 2 * files > open_files() and any(target.name == "passthrough_hp" for target in targets):
        files = open_files() // 2_000 * 1_000  # two sets of them exist at once
        figures.notes.append(f"{files:,} files each: passthrough_hp may hold no more than {open_files():,} open here")
    if not can_drop_caches():
        figures.notes.append("stat, cold dentry: dentries were warm; only root may drop caches")
    for layout in LAYOUTS:
        for threads in THREADS:
            suffix = f", {LAYOUT_NAMES[layout]}, {threads} thread{'s' if threads > 1 else ''}"
            for _, _, label, has_aim in PHASES:
                figures.declare(label + suffix, "operations/s", TWICE_HP if has_aim else None)

            def body(target, _, suffix=suffix, threads=threads, layout=layout):
                def record(label, measured, cpu):
                    work = label + suffix
                    operations = measured["operations"]
                    figures.add(work, target.name, operations / measured["seconds"])
                    figures.add_detail(work, target.name, "p50_us", measured["p50_ns"] / 1000)
                    figures.add_detail(work, target.name, "p99_us", measured["p99_ns"] / 1000)
                    figures.add_detail(work, target.name, "cpu_us", cpu * 1e6 / operations)

                run_phases(program, target, files, threads, layout, record)

            interleave(figures, targets, settings.rounds, body)
