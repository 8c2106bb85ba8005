"""Colder tiers: rates of a mount against the same requests made without it, and what work costs in requests."""

import json
import os
import subprocess
import time

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


def write_files(folder, count, size):
    folder.mkdir()
    for number in range(count):
        (folder / f"f{number:06}").write_bytes(os.urandom(size))


def write_large(path, mib):
    return timed(["dd", "if=/dev/urandom", f"of={path}", "bs=1M", f"count={mib}", "conv=fsync", "status=none"])


def raw(kind, server, prefix, count, size, at_once, part=1 << 20):
    line = run([REPO / "build" / "release" / "bin" / "object_bench", kind, f"s3://bucket/{prefix}", "--count", count,
                "--bytes", size, "--parallel", at_once, "--part", part], env={**os.environ, **KEYS, "AWS_ENDPOINT_URL": server.url})
    return json.loads(line)["seconds"]


def write_beside_uploads(firn, folder, server, mib):
    """While what was written before is uploaded by itself; beside a volume without tiers, where as much was written before."""
    with Volume(firn, folder, server, "plain", tiers=False) as plain:
        write_large(plain.mount / "first", mib)
        alone_s = write_large(plain.mount / "second", mib)
    with Volume(firn, folder, server, "busy") as busy:
        return {**write_second(busy, mib), "raw_s": alone_s}


def write_second(volume, mib):
    write_large(volume.mount / "first", mib)
    while volume.requests()["put"][1] < 1 << 20:
        time.sleep(0.05)
    before = volume.requests()
    seconds = write_large(volume.mount / "second", mib)
    uploaded_mib = since(volume, before)[1] / 2**20
    volume.call("tier", "flush", volume.folder)
    return {"mib": mib, "firn_s": seconds, "uploaded_mib": uploaded_mib}


def measure_rates(volume, server, mib):
    rates = {}
    write_large(volume.mount / "large", mib)
    rates["upload"] = (timed([volume.firn, "tier", "flush", volume.folder], env=volume.environment),
                       raw("put", server, "raw-blobs", max(mib // 64, 1), 64 << 20, PUTS_AT_ONCE))
    volume.call("tier", "evict", volume.folder)
    settle()
    rates["cold sequential read"] = (timed(["dd", f"if={volume.mount / 'large'}", "of=/dev/null", "bs=1M", "status=none"]),
                                     raw("parts", server, "raw-blobs", mib // 4, 64 << 20, GETS_AT_ONCE, part=4 << 20))
    return {work: {"mib": mib, "firn_s": ours, "raw_s": theirs} for work, (ours, theirs) in rates.items()}


def measure_random(volume, server, reads):
    volume.call("tier", "evict", volume.folder)
    before = volume.requests()
    seconds = timed(["fio", "--name=cold", f"--filename={volume.mount / 'large'}", "--rw=randread", "--bs=4k", "--iodepth=1",
                     "--numjobs=32", "--thread", f"--number_ios={reads // 32}", "--readonly", "--norandommap", "--minimal"])
    requests, fetched = since(volume, before)
    raw_s = raw("range", server, "raw-blobs", reads, 64 << 20, 32, part=4096)
    return {"reads": reads, "seconds": seconds, "raw_s": raw_s, "requests": requests, "bytes_per_byte": fetched / (reads * 4096)}


def read_by_name(folder):
    for path in sorted(folder.iterdir()):
        path.read_bytes()


def read_by_tar(folder):
    with open(os.devnull, "wb") as sink:  # GNU tar reads nothing where it sees that it writes to /dev/null
        tar = subprocess.Popen(["tar", "-C", folder, "-cf", "-", "."], stdout=subprocess.PIPE)
        subprocess.run(["cat"], stdin=tar.stdout, stdout=sink, check=True)
        tar.stdout.close()
        if tar.wait() != 0:
            raise BenchError("tar failed")


def read_side_by_side(folder):
    run(["sh", "-c", f"find '{folder}' -type f -print0 | xargs -0 -n 16 -P 8 cat > /dev/null"])


READERS = {"in the order of their names": read_by_name, "by tar": read_by_tar, "by 8 readers side by side": read_side_by_side}


def count_requests(volume, count, idle_s):
    costs = {}
    for name, size in (("4 KiB", 4096), ("20 KB", 20_000)):
        before = volume.requests()
        write_files(volume.mount / f"files of {name}", count, size)
        volume.call("tier", "flush", volume.folder)
        costs[f"{count:,} new files of {name}, uploaded"] = since(volume, before)[0]
        for how, read in READERS.items():
            volume.call("tier", "evict", volume.folder)
            before = volume.requests()
            read(volume.mount / f"files of {name}")
            costs[f"{count:,} cold files of {name}, read {how}"] = since(volume, before)[0]
    time.sleep(5)
    before = volume.requests()
    time.sleep(idle_s)
    costs[f"an idle volume, {idle_s} s"] = since(volume, before)[0]
    return costs


def bench(figures, _targets, settings):
    firn = settings.firn or REPO / "build" / "release" / "bin" / "firn"
    if not os.path.exists(firn):
        raise BenchError(f"no {firn}: build it (cmake --build --preset release)")
    mib, files, idle_s, reads = (128, 500, 5, 320) if settings.quick else (4096, 10_000, 120, 3200)
    folder = settings.base / "tiers"
    with Server(settings.base / "tier-objects") as server:
        try:
            beside = write_beside_uploads(firn, folder, server, mib)
            with Volume(firn, folder, server, "rates") as volume:
                rates = measure_rates(volume, server, mib)
                rates["write while uploads run"] = beside
                random_reads = measure_random(volume, server, reads)
            with Volume(firn, folder, server, "requests") as volume:
                requests = count_requests(volume, files, idle_s)
        finally:
            run(["rm", "-rf", folder])
    figures.tiers = {"rates": rates, "random": random_reads, "requests": requests}


def rate_rows(figures):
    against = {"upload": "raw PUTs of 64 MiB, 4 at once", "cold sequential read": "raw ranged GETs of 4 MiB, 8 at once",
               "write while uploads run": "the same without tiers"}
    lines = ["| work | against | firn MiB/s | the other MiB/s | ratio |", "|---|---|---|---|---|"]
    for work, of in figures["rates"].items():
        ours, theirs = of["mib"] / of["firn_s"], of["mib"] / of["raw_s"]
        beside = f", {of['uploaded_mib']:,.0f} MiB of them" if "uploaded_mib" in of else ""
        lines.append(f"| {work}{beside}, {of['mib']} MiB | {against[work]} | {ours:,.0f} | {theirs:,.0f} | {ours / theirs:.2f} |")
    of = figures["random"]
    return [*lines, "", f"{of['reads']:,} cold random reads of 4 KiB, 32 at once: {of['reads'] / of['seconds']:,.0f}/s, "
                        f"raw ranged GETs of 4 KiB {of['reads'] / of['raw_s']:,.0f}/s, ratio {of['raw_s'] / of['seconds']:.2f}; "
                        f"{of['requests']:,} requests, {of['bytes_per_byte']:.1f} bytes fetched for each byte asked."]


def table(tiers):
    lines = [*rate_rows(tiers), "", "| work | requests |", "|---|---|"]
    lines += [f"| {work} | {count:,} |" for work, count in tiers["requests"].items()]
    return "\n".join(lines)
