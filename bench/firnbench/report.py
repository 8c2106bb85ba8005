"""The table that a person reads, and the JSON that a program does."""

import json
import os
import platform
import statistics
import subprocess

from . import bucket, bucket_mounts, http, inline, migrate, mount_requests, requests, stores, tier_link, tier_memory, tiers
from .measure import is_cost

TARGETS = ("plain", "passthrough_hp", "firn")


def _number(value, unit):
    if value is None:
        return "-"
    if is_cost(unit):
        return f"{value:.2f} s"
    return f"{value:,.0f}"


def _ratio(value):
    return "-" if value is None else f"{value:.2f}"


def _verdict(figures, work):
    aim = figures.aims.get(work)
    if not aim:
        return ""
    speed = figures.speed(work, "firn", aim.against)
    if speed is None:
        return f"{aim.text} ?"
    return f"{aim.text} {'met' if speed >= aim.speed else 'MISSED'}"


def rows(figures):
    """Heading, then one row per work, as text."""
    yield ("work", "unit", "plain", "passthrough_hp", "firn", "firn/plain", "firn/hp", "cpu/op", "aim")
    for work, unit in figures.units.items():
        if work not in figures.rounds:
            continue
        cpu = figures.median_detail(work, "firn", "cpu_us")
        yield (work, unit, *(_number(figures.median(work, target), unit) for target in TARGETS),
               _ratio(figures.speed(work, "firn", "plain")), _ratio(figures.speed(work, "firn", "passthrough_hp")),
               "" if cpu is None else f"{cpu:.1f} µs", _verdict(figures, work))


def table(figures):
    lines = list(rows(figures))
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |" for line in lines]
    text.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(text)


def transport_table(transports):
    lines = ["| transport | request | p50 µs | p99 µs | daemon's processor time µs |", "|---|---|---|---|---|"]
    for transport, of_requests in transports.items():
        for request, measured in of_requests.items():
            values = [statistics.median(measured[name]) for name in ("p50_us", "p99_us", "cpu_us")]
            lines.append(f"| {transport} | {request} | " + " | ".join(f"{value:.1f}" for value in values) + " |")
    return "\n".join(lines)


def million_text(million):
    met = "met" if million["rate_ratio"] >= million["rate_aim"] else "MISSED"
    return (
        f"One directory growing to {million['files']:,} files: {million['creates_per_s_at_10k']:,.0f} creates/s at 10,000, "
        f"{million['creates_per_s_at_end']:,.0f} at the end: ratio {million['rate_ratio']:.2f} "
        f"(aim ≥ {million['rate_aim']} {met}).\n"
        f"Listing: {million['list_us_per_entry_at_10k']:.2f} µs per entry at 10,000, "
        f"{million['list_us_per_entry_at_end']:.2f} at the end. Per inode: "
        f"{million['memory_bytes_per_inode']:.0f} bytes of memory, {million['disk_bytes_per_inode']:.0f} bytes of disk.")


def text(figures):
    parts = []
    if figures.rounds:
        parts.append(table(figures))
    if getattr(figures, "transports", None):
        parts.append(transport_table(figures.transports))
    if getattr(figures, "inline", None):
        parts.append(inline.table(figures.inline))
    if getattr(figures, "stores", None):
        parts.append(stores.table(figures.stores))
    if getattr(figures, "tiers", None):
        parts.append(tiers.table(figures.tiers))
    if getattr(figures, "tier_link", None):
        parts.append(tier_link.table(figures.tier_link))
    if getattr(figures, "bucket", None):
        parts.append(bucket.table(figures.bucket))
    if getattr(figures, "bucket_mounts", None):
        parts.append(bucket_mounts.table(figures.bucket_mounts))
    if getattr(figures, "requests", None):
        parts.append(requests.table(figures.requests))
    if getattr(figures, "mount_requests", None):
        parts.append(mount_requests.table(figures.mount_requests))
    if getattr(figures, "tier_memory", None):
        parts.append(tier_memory.table(figures.tier_memory))
    if getattr(figures, "migrate", None):
        parts.append(migrate.table(figures.migrate))
    if getattr(figures, "http", None):
        parts.append(http.table(figures.http))
    if getattr(figures, "nfs", None):
        parts.append(http.table(figures.nfs))
    if getattr(figures, "million", None):
        parts.append(million_text(figures.million))
    parts += [f"Note: {note}" for note in figures.notes]
    parts += [f"FAILED on {failure}" for failure in figures.failures]
    return "\n\n".join(parts)


def machine():
    def first(path, prefix):
        with open(path, encoding="utf-8") as lines:
            return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(prefix)), "")

    return {"kernel": platform.release(), "processor": first("/proc/cpuinfo", "model name"),
            "processors": os.cpu_count(), "memory": first("/proc/meminfo", "MemTotal")}


def save(figures, path, command, commit):
    path.parent.mkdir(parents=True, exist_ok=True)
    record = {
        "command": command,
        "commit": commit,
        "machine": machine(),
        "works": {
            work: {"unit": unit, "rounds": figures.rounds.get(work, {}), "details": figures.details.get(work, {}),
                   "firn_speed_against": {name: figures.speed(work, "firn", name) for name in TARGETS[:2]},
                   "aim": figures.aims[work].text if work in figures.aims else None}
            for work, unit in figures.units.items()
        },
        "transports": getattr(figures, "transports", None),
        "inline": getattr(figures, "inline", None),
        "stores": getattr(figures, "stores", None),
        "tiers": getattr(figures, "tiers", None),
        "tier_link": getattr(figures, "tier_link", None),
        "bucket": getattr(figures, "bucket", None),
        "bucket_mounts": getattr(figures, "bucket_mounts", None),
        "requests": getattr(figures, "requests", None),
        "mount_requests": getattr(figures, "mount_requests", None),
        "tier_memory": getattr(figures, "tier_memory", None),
        "migrate": getattr(figures, "migrate", None),
        "http": getattr(figures, "http", None),
        "nfs": getattr(figures, "nfs", None),
        "million": getattr(figures, "million", None),
        "notes": figures.notes,
        "failures": figures.failures,
    }
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def commit_of(repo):
    done = subprocess.run(["git", "-C", str(repo), "describe", "--always", "--dirty"], check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return done.stdout.strip()
