"""HTTP: GETs beside nginx, which serves copies of the same files from the same disk; PUTs beside the same work in the
mount. http_load asks both, and takes 2xx for an answer only."""

import json
import os
import statistics
import time

from . import memory
from .nginx import Nginx, wait_for
from .sources import http_load
from .stores import free_address
from .targets import Firn, Stage
from .tools import run

MIB = 1 << 20
SMALL = 4096
SMALL_FILES = 1000
CONNECTIONS = 64
REMOVAL_S = 3
LARGE_AIM, SMALL_AIM, PUT_AIM = 0.9, 0.8, 0.8

SITES = """
  sendfile on;
  tcp_nopush on;
  server {{ listen {{address}}; root {root}; }}
"""


class NginxFiles(Nginx):
    """Serves copies of the files from a folder."""

    name = "nginx"

    def __init__(self, base):
        self.path = base / "nginx"
        self.root = self.path / "files"
        super().__init__(self.path, SITES.format(root=self.root))

    def start(self):
        self.root.mkdir(parents=True)
        super().start()

    def target(self, name):
        return f"/{name}"


class FirnHttp(Firn):
    def __init__(self, base, program):
        self.address = free_address()
        super().__init__(base, program, settings={"http": f'listen = ["{self.address}"]'})
        self.root = self.path

    def start(self):
        super().start()
        wait_for(self.address, "firn")

    def target(self, name):
        return f"/v1/files/{name}"


def load(target, *words, connections, requests, **options):
    """Runs http_load; seconds, and the server's processor time meanwhile."""
    command = [http_load(), *words, "--connections", connections, "--requests", requests]
    for name, value in options.items():
        command += [f"--{name}", value] if value is not True else [f"--{name}"]
    before = target.cpu()
    told = json.loads(run(command))
    return {"seconds": told["seconds"], "cpu_s": target.cpu() - before, "bytes": told["bytes"]}


def get(target, name, **options):
    return load(target, "get", target.address.rsplit(":", 1)[1], target.target(name), **options)


def put(target, name, **options):
    return load(target, "put", target.address.rsplit(":", 1)[1], target.target(name), **options)


class Work:
    """What both do, once a round: `aim` is for firn's rate by the other's."""

    def __init__(self, name, against, aim):
        self.name, self.against, self.aim = name, against, aim
        self.rounds = {"firn": [], against: []}

    def add(self, who, measured):
        self.rounds[who].append(measured)

    def median(self, who, what="seconds"):
        return statistics.median(one[what] for one in self.rounds[who])

    def ratio(self):
        """The median of the rounds' own ratios: what disturbs a round disturbs both."""
        pairs = zip(self.rounds["firn"], self.rounds[self.against], strict=True)
        return statistics.median(theirs["seconds"] / ours["seconds"] for ours, theirs in pairs)

    def summary(self):
        return {"work": self.name, "against": self.against, "aim": self.aim, "rounds": self.rounds,
                "ratio": self.ratio(), "seconds": self.median("firn"), "cpu_s": self.median("firn", "cpu_s"),
                "their_seconds": self.median(self.against), "their_cpu_s": self.median(self.against, "cpu_s")}


def fill(root, large_mib):
    """A large file, and small ones in a folder."""
    run(["dd", "if=/dev/urandom", f"of={root / 'large'}", "bs=1M", f"count={large_mib}", "status=none"])
    (root / "small").mkdir()
    for number in range(SMALL_FILES):
        (root / "small" / str(number)).write_bytes(os.urandom(SMALL))
    os.sync()


def get_works(firn, nginx, sizes, rounds):
    works = []
    for connections in (1, 8):
        work = Work(f"GET of {sizes.mib:,} MiB, connections: {connections}", "nginx", LARGE_AIM)
        for _ in range(rounds):
            for target in (nginx, firn):
                work.add(target.name, get(target, "large", connections=connections, requests=sizes.large_gets))
        works.append(work)
    work = Work(f"GET of {SMALL // 1024} KiB, connections: {CONNECTIONS}", "nginx", SMALL_AIM)
    for _ in range(rounds):
        for target in (nginx, firn):
            work.add(target.name, get(target, "small/", connections=CONNECTIONS, requests=sizes.small_gets,
                                      files=SMALL_FILES))
    return [*works, work]


def remove_all(folder):
    """And lets the daemon and the disk free what it held, which is not for the next one to wait for."""
    run(["rm", "-r", folder])
    run(["sync"])
    time.sleep(REMOVAL_S)
    run(["sync"])


def put_works(firn, sizes, rounds):
    """PUT is durable when it is answered; so is what is done in the mount, or, for information, is not."""
    works = []
    for name, connections, requests, size in ((f"PUT of {sizes.mib:,} MiB", 1, 1, sizes.mib * MIB),
                                              (f"PUT of {SMALL // 1024} KiB", CONNECTIONS, sizes.small_puts, SMALL)):
        same = Work(f"{name}, connections: {connections}", "the mount, fsync", PUT_AIM)
        loose = Work(f"{name}, connections: {connections}", "the mount, no fsync", None)
        for number in range(rounds):
            folder = firn.path / f"{size}-{number}"
            options = {"connections": connections, "requests": requests, "bytes": size}
            asked = {
                "put": lambda: put(firn, f"{size}-{number}/put/", files=requests, **options),
                "sync": lambda: load(firn, "files", folder / "sync", sync=True, **options),
                "loose": lambda: load(firn, "files", folder / "loose", **options),
            }
            measured = {}
            for part in sorted(asked, reverse=number % 2 == 1):
                (folder / part).mkdir(parents=True)
                os.sync()
                memory.touch(firn.path.parent, 3 * sizes.mib * MIB)
                measured[part] = asked[part]()
            for work in (same, loose):
                work.add("firn", measured["put"])
            same.add(same.against, measured["sync"])
            loose.add(loose.against, measured["loose"])
            remove_all(folder)
        works += [same, loose]
    return works


class Sizes:
    def __init__(self, quick):
        self.mib, self.large_gets, self.small_gets, self.small_puts = \
            (64, 8, 5_000, 640) if quick else (1024, 16, 200_000, 12_800)


def bench(figures, _targets, settings):
    base, sizes = settings.base / "http", Sizes(settings.quick)
    http_load()
    firn, nginx = FirnHttp(base, settings.firn), NginxFiles(base)
    with Stage(base, [firn, nginx]):
        for target in (firn, nginx):
            fill(target.root, sizes.mib)
        for target in (firn, nginx):  # into the page cache
            get(target, "large", connections=1, requests=1)
        works = [*get_works(firn, nginx, sizes, settings.rounds), *put_works(firn, sizes, settings.rounds)]
    figures.http = [work.summary() for work in works]


def table(works):
    lines = ["| work | against | s, firn | s, other | rate / other's | processor time, firn / other | aim |",
             "|---|---|---|---|---|---|---|"]
    for work in works:
        aim = "" if work["aim"] is None else f"≥ {work['aim']}: {'met' if work['ratio'] >= work['aim'] else 'MISSED'}"
        lines.append(f"| {work['work']} | {work['against']} | {work['seconds']:.3f} | {work['their_seconds']:.3f} | "
                     f"{work['ratio']:.2f} | {work['cpu_s']:.2f} / {work['their_cpu_s']:.2f} s | {aim} |")
    return "\n".join(lines)
