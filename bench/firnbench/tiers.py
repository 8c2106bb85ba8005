"""Colder tiers: rates of a mount against the same requests made without it. What they cost in requests: requests.py."""

import json
import os
import statistics
import subprocess
import time

from . import memory
from .stores import KEYS, Server
from .tools import REPO, BenchError, run, timed

PUTS_AT_ONCE, GETS_AT_ONCE = 4, 8  # as firn does by default


class Volume:
    """A volume with one bucket as its tier, mounted."""

    def __init__(self, firn, folder, server, prefix, tiers=True, init=()):
        self.firn, self.folder, self.tiers, self.init = firn, folder / prefix, tiers, init
        self.mount = folder / f"{prefix}-mnt"
        self.environment = {**os.environ, **KEYS, "AWS_ENDPOINT_URL": server.url}
        self.url = f"s3://bucket/{prefix}"

    def __enter__(self):
        self.mount.mkdir(parents=True)
        self.call("init", self.folder, *self.init, *(["--tier", f"s3={self.url}"] if self.tiers else []))
        self.call("mount", self.folder, self.mount)
        return self

    def __exit__(self, *_):
        self.call("umount", self.mount)

    def call(self, *arguments):
        return run([self.firn, *arguments], env=self.environment)

    def status(self):
        """What firn status says of the tiers, also while the volume is not well."""
        body = subprocess.run([str(self.firn), "status", str(self.folder), "--json"], env=self.environment,
                              capture_output=True, text=True, check=False).stdout
        return json.loads(body)["tiers"]

    def requests(self):
        kinds = self.status()["stores"][0]["requests"]
        return {kind: (of["requests"], of["bytes"]) for kind, of in kinds.items()}


def since(volume, before):
    """Requests and bytes since `before`."""
    now = volume.requests()
    return (sum(now[kind][0] - before[kind][0] for kind in now), sum(now[kind][1] - before[kind][1] for kind in now))


def write_large(path, mib):
    return timed(["dd", "if=/dev/urandom", f"of={path}", "bs=1M", f"count={mib}", "conv=fsync", "status=none"])


def raw(kind, server, prefix, count, size, at_once, part=1 << 20, objects=1, if_absent=0):
    line = run([REPO / "build" / "release" / "bin" / "object_bench", kind, f"s3://bucket/{prefix}", "--count", count,
                "--bytes", size, "--parallel", at_once, "--part", part, "--objects", objects, "--if-absent", if_absent],
               env={**os.environ, **KEYS, "AWS_ENDPOINT_URL": server.url})
    return json.loads(line)["seconds"]


def in_turn(firn_first, firn, other):
    """Measures both, and returns (firn's, the other's): what the first one leaves behind is not always the same one's."""
    if firn_first:
        ours = firn()
        return ours, other()
    theirs = other()
    return firn(), theirs


def write_beside_uploads(firn, folder, server, mib, firn_first):
    """While what was written before is uploaded by itself; beside a volume without tiers, where as much was written before."""
    def alone():
        with Volume(firn, folder, server, "plain", tiers=False) as plain, memory.Kept(folder, mib << 20) as kept:
            write_large(plain.mount / "first", mib)
            kept.release()
            return write_large(plain.mount / "second", mib)

    def beside():
        with Volume(firn, folder, server, "busy") as busy, memory.Kept(folder, mib << 20) as kept:
            return write_second(busy, mib, kept)

    ours, alone_s = in_turn(firn_first, beside, alone)
    return {**ours, "raw_s": alone_s}


def write_second(volume, mib, kept):
    write_large(volume.mount / "first", mib)
    while volume.requests()["put"][1] < 1 << 20:
        time.sleep(0.05)
    before = volume.requests()
    kept.release()
    seconds = write_large(volume.mount / "second", mib)
    uploaded_mib = since(volume, before)[1] / 2**20
    volume.call("tier", "flush", volume.folder)
    return {"mib": mib, "firn_s": seconds, "uploaded_mib": uploaded_mib}


def settle(folder, mib):
    """What was written so far is not to be on its way to the disk beside what is measured; and there is memory for so much."""
    os.sync()
    memory.touch(folder, mib << 20)


def make_cold(volume, file):
    """Neither on the local disk nor in the mount's page cache: to drop that would take whoever opens the file next seconds."""
    volume.call("tier", "evict", volume.folder)
    run(["dd", f"if={file}", "of=/dev/null", "iflag=nocache", "count=0", "status=none"])


def measure_rates(volume, server, mib, firn_first):
    large, folder = volume.mount / "large", volume.folder.parent

    def upload():
        with memory.Kept(folder, mib << 20) as kept:
            write_large(large, mib)
            before = volume.requests()  # uploads begin by themselves
            kept.release()
            seconds = timed([volume.firn, "tier", "flush", volume.folder], env=volume.environment)
            return seconds * (mib << 20) / since(volume, before)[1]

    def cold_read():
        make_cold(volume, large)
        settle(folder, mib * 3 // 2)
        return timed(["dd", f"if={large}", "of=/dev/null", "bs=1M", "status=none"])

    def raw_put():
        with memory.Kept(folder, mib << 20) as kept:
            kept.release()
            return raw("put", server, "raw-blobs", max(mib // 64, 1), 64 << 20, PUTS_AT_ONCE)

    def raw_parts():
        settle(folder, mib * 3 // 2)
        return raw("parts", server, "raw-blobs", mib // 4, 64 << 20, GETS_AT_ONCE, part=4 << 20)

    rates = {"upload": in_turn(firn_first, upload, raw_put), "cold sequential read": in_turn(firn_first, cold_read, raw_parts)}
    return {work: {"mib": mib, "firn_s": ours, "raw_s": theirs} for work, (ours, theirs) in rates.items()}


def fio_seconds(options):
    """From its first request to its last: as with the raw ones, not what starting a program takes."""
    output = run(["fio", "--group_reporting", "--output-format=json", *options])
    return json.loads(output[output.index("{"):])["jobs"][0]["read"]["runtime"] / 1000


def measure_random(volume, server, mib, reads, firn_first):
    large = volume.mount / "large"

    def cold_reads():
        make_cold(volume, large)
        settle(volume.folder.parent, mib)
        before = volume.requests()
        return fio_seconds(["--name=cold", f"--filename={large}", "--rw=randread", "--bs=4k", "--iodepth=1",
                            "--numjobs=32", "--thread", f"--number_ios={reads // 32}", "--readonly",
                            "--norandommap"]), *since(volume, before)

    def raw_ranges():
        settle(volume.folder.parent, mib)
        return raw("range", server, "raw-blobs", reads, 64 << 20, 32, part=4096, objects=max(mib // 64, 1))

    (seconds, requests, fetched), raw_s = in_turn(firn_first, cold_reads, raw_ranges)
    return {"reads": reads, "seconds": seconds, "raw_s": raw_s, "requests": requests, "bytes_per_byte": fetched / (reads * 4096)}


def firn_of(settings):
    firn = settings.firn or REPO / "build" / "release" / "bin" / "firn"
    if not os.path.exists(firn):
        raise BenchError(f"no {firn}: build it (cmake --build --preset release)")
    return firn


class Sizes:
    """`beside_mib`: written while uploads run."""

    def __init__(self, mib, beside_mib, reads):
        self.mib, self.beside_mib, self.reads = mib, beside_mib, reads


def measure_round(settings, sizes, link, firn_first):
    """What figures.tiers holds a list of, for each round one: seconds of both as they were measured, and who went first.
    Each part has a server of its own, whose files are all in its page cache."""
    firn, folder = firn_of(settings), settings.base / "tiers"

    def on_server(part):
        try:
            with Server(settings.base / "tier-objects", link) as server:
                return part(server)
        finally:
            run(["rm", "-rf", folder])

    def reads_and_uploads(server):
        with Volume(firn, folder, server, "rates") as volume:
            return (measure_rates(volume, server, sizes.mib, firn_first),
                    measure_random(volume, server, sizes.mib, sizes.reads, firn_first))

    beside = on_server(lambda server: write_beside_uploads(firn, folder, server, sizes.beside_mib, firn_first))
    rates, random = on_server(reads_and_uploads)
    return {"first": "firn" if firn_first else "raw", "rates": {**rates, "write while uploads run": beside}, "random": random}


def measure_rounds(settings, sizes, link=None):
    return [measure_round(settings, sizes, link, firn_first=number % 2 == 0) for number in range(settings.rounds)]


def bench(figures, _targets, settings):
    figures.tiers = measure_rounds(settings, Sizes(128, 128, 320) if settings.quick else Sizes(4096, 4096, 3200))


def ratio_cell(ratios):
    """The median of the rounds' own ratios: what disturbs a round disturbs both."""
    middle = f"{statistics.median(ratios):.2f}"
    return middle if len(ratios) == 1 else f"{middle} ({min(ratios):.2f} to {max(ratios):.2f})"


def rate_row(work, against, rounds):
    ours, theirs = ([of["mib"] / of[who] for of in rounds] for who in ("firn_s", "raw_s"))
    beside = ""
    if "uploaded_mib" in rounds[0]:
        beside = f", {statistics.median(of['uploaded_mib'] for of in rounds):,.0f} MiB of them"
    return (f"| {work}{beside}, {rounds[0]['mib']} MiB | {against} | {statistics.median(ours):,.0f} | "
            f"{statistics.median(theirs):,.0f} | {ratio_cell([of['raw_s'] / of['firn_s'] for of in rounds])} |")


def random_text(rounds):
    def middle(value):
        return statistics.median(value(of) for of in rounds)

    return (f"{rounds[0]['reads']:,} cold random reads of 4 KiB, 32 at once: {middle(lambda of: of['reads'] / of['seconds']):,.0f}/s, "
            f"raw ranged GETs of 4 KiB {middle(lambda of: of['reads'] / of['raw_s']):,.0f}/s, ratio "
            f"{ratio_cell([of['raw_s'] / of['seconds'] for of in rounds])}; {middle(lambda of: of['requests']):,.0f} requests, "
            f"{middle(lambda of: of['bytes_per_byte']):.1f} bytes fetched for each byte asked.")


def table(rounds):
    against = {"upload": "raw PUTs of 64 MiB, 4 at once", "cold sequential read": "raw ranged GETs of 4 MiB, 8 at once",
               "write while uploads run": "the same without tiers"}
    lines = [f"Medians of {len(rounds)} rounds.", "", "| work | against | firn MiB/s | the other MiB/s | ratio |",
             "|---|---|---|---|---|"]
    lines += [rate_row(work, against[work], [of["rates"][work] for of in rounds]) for work in rounds[0]["rates"]]
    return "\n".join([*lines, "", random_text([of["random"] for of in rounds])])
