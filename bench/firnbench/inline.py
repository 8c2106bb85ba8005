"""Up to which size a file is better kept inline, in its metadata, than in a backing file of its own."""

import os
import statistics

from .measure import interleave
from .metadata import phase
from .targets import Firn, Stage
from .tools import drop_caches, run, written_bytes

SIZES_KIB = (4, 8, 12, 16, 24, 32, 64)
TOTAL_BYTES = 192 << 20  # of each size: several memtables, so that their tables are written, too
LIMITS = {"inline": "64KiB", "backing": "0B"}


def bench(figures, _targets, settings):
    figures.inline = {}
    for size in SIZES_KIB:
        files = (TOTAL_BYTES >> (6 if settings.quick else 0)) // (size * 1024)
        base = settings.base / f"inline{size}"
        targets = [Firn(base / name, settings.firn, name=name, settings={"data": f'inline_max = "{limit}"'})
                   for name, limit in LIMITS.items()]
        for target, name in zip(targets, LIMITS, strict=True):
            target.name = name

        def body(target, number, size=size, files=files):
            folder = target.path / f"round{number}"
            run([settings.metadata_bench, "prepare", "--dir", folder])
            before = written_bytes(target.pid())
            measured = {}
            for name, label in (("create4k", "create"), ("read4k", "read")):
                if label == "read":
                    os.sync()
                    measured["written"] = (written_bytes(target.pid()) - before) / (files * size * 1024)
                    drop_caches(3)
                done = phase(settings.metadata_bench, name, folder, threads=1, files=files, layout="shared", prefix="f",
                             bytes=size * 1024)
                measured[label] = done["operations"] / done["seconds"]
            for label, value in measured.items():
                figures.inline.setdefault(size, {}).setdefault(label, {}).setdefault(target.name, []).append(value)

        with Stage(base, targets):
            interleave(figures, targets, settings.rounds, body)


def table(inline):
    lines = ["| file | create+write+close, inline / backing | cold open+read+close, inline / backing | bytes written per byte, inline |",
             "|---|---|---|---|"]
    for size, labels in inline.items():
        ratios = [statistics.median(labels[label]["inline"]) / statistics.median(labels[label]["backing"])
                  for label in ("create", "read")]
        written = statistics.median(labels["written"]["inline"])
        lines.append(f"| {size} KiB | {ratios[0]:.2f} | {ratios[1]:.2f} | {written:.2f} |")
    return "\n".join(lines)
