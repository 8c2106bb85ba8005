"""One directory that grows to a million files: the rate at the end against the rate at 10,000, and what an inode costs."""

import json
import os
import statistics

from .targets import Firn, Stage
from .tools import resident_bytes, run

WINDOW_FILES = 10_000
RATE_AIM = 0.9


def disk_bytes(folder):
    return int(run(["du", "-s", "--block-size=1", folder]).split()[0])


def bench(figures, _targets, settings):
    files = 50_000 if settings.quick else 1_000_000
    with Stage(settings.base / "million", [Firn(settings.base / "million", settings.firn)]) as (target,):
        folder = target.path / "big"
        memory, disk = resident_bytes(target.pid()), disk_bytes(target.volume)
        first = grow_and_list(settings, target.path / "small", WINDOW_FILES)
        lines = run([settings.metadata_bench, "grow", "--dir", folder, "--files", files]).splitlines()
        rates = [window["operations"] / window["seconds"] for window in map(json.loads, lines)]
        listing = json.loads(run([settings.metadata_bench, "list", "--dir", folder]))
        os.sync()
        total = files + WINDOW_FILES
        # The first window warms up; the last ten even out one flush.
        early, late = statistics.median(rates[:3]), statistics.median(rates[-10:])
        figures.million = {
            "files": files,
            "creates_per_s_at_10k": early,
            "creates_per_s_at_end": late,
            "rate_ratio": late / early,
            "rate_aim": RATE_AIM,
            "list_us_per_entry_at_10k": first["seconds"] * 1e6 / first["operations"],
            "list_us_per_entry_at_end": listing["seconds"] * 1e6 / listing["operations"],
            "memory_bytes_per_inode": (resident_bytes(target.pid()) - memory) / total,
            "disk_bytes_per_inode": (disk_bytes(target.volume) - disk) / total,
        }


def grow_and_list(settings, folder, files):
    run([settings.metadata_bench, "grow", "--dir", folder, "--files", files])
    return json.loads(run([settings.metadata_bench, "list", "--dir", folder]))
