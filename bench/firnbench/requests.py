"""What work costs in requests and bytes, counted in front of the store: colder tiers, and volumes that live in a bucket.
Nothing is timed here: works like these are, without the counter, by tiers and bucket."""

import contextlib
import os
import subprocess
import time

from .bucket import WRITERS, BucketVolume, appends
from .counter import Agreement, Counter
from .stores import Server
from .tiers import Volume, firn_of
from .tools import BenchError, run

SIZES = {"4 KiB": 4096, "20,000 bytes": 20_000}


def write_files(folder, count, size):
    folder.mkdir()
    for number in range(count):
        (folder / f"f{number:06}").write_bytes(os.urandom(size))


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


class Ledger:
    """Rows of the table: for each work and each who did it, one Counts for each round."""

    def __init__(self):
        self.rows = {}

    def add(self, work, counts, who="firn"):
        self.rows.setdefault(work, {}).setdefault(who, []).append(counts)

    def firn(self, work, volume, counter, do):
        """`do` leaves nothing under way; firn must have counted the same."""
        agreement = Agreement(counter, volume.requests)
        do()
        self.add(work, agreement.check())

    def summary(self):
        return {work: {who: [counts.summary() for counts in rounds] for who, rounds in of.items()}
                for work, of in self.rows.items()}


def count_tiers(ledger, volume, counter, count):
    for name, size in SIZES.items():
        folder = volume.mount / f"files of {size}"

        def upload(folder=folder, size=size):
            write_files(folder, count, size)
            volume.call("tier", "flush", volume.folder)

        ledger.firn(f"{count:,} new files of {name}, uploaded", volume, counter, upload)
        for how, read in READERS.items():
            volume.call("tier", "evict", volume.folder)
            ledger.firn(f"{count:,} cold files of {name}, read {how}", volume, counter, lambda read=read, folder=folder: read(folder))


def count_idle(ledger, volume, counter, seconds, which):
    time.sleep(5)
    for period in (f"the first {seconds} s after those works", f"the next {seconds} s"):  # they leave something to do
        ledger.firn(f"{which}, idle, {period}", volume, counter, lambda: time.sleep(seconds))


def count_appends(ledger, volume, counter, count):
    for writers in (1, WRITERS):
        ledger.firn(f"{count:,} appends of 4 KiB, each with fsync, writers: {writers}", volume, counter,
                    lambda writers=writers: appends(volume, writers, count))


@contextlib.contextmanager
def counted(settings, name):
    """A server of its own behind a counter, and a folder."""
    folder = settings.base / f"requests-{name}"
    with Server(settings.base / f"requests-{name}-objects") as server:
        try:
            with Counter(server, folder / "counter") as counter:
                yield counter, folder
        finally:
            run(["rm", "-rf", folder])


def bench(figures, _targets, settings):
    firn = firn_of(settings)
    files, idle_s, count = (500, 5, 320) if settings.quick else (10_000, 120, 3200)
    ledger = Ledger()
    for number in range(settings.rounds):
        with counted(settings, "tiers") as (counter, folder), Volume(firn, folder, counter, "tiers") as volume:
            count_tiers(ledger, volume, counter, files)
            if number == 0:
                count_idle(ledger, volume, counter, idle_s, "a volume with a bucket")
        with counted(settings, "bucket") as (counter, folder), BucketVolume(firn, folder, counter, "appends") as volume:
            count_appends(ledger, volume, counter, count)
            if number == 0:
                count_idle(ledger, volume, counter, idle_s, "a volume in a bucket")
    figures.requests = ledger.summary()


def spread(values, unit=""):
    low, high = (f"{number:,.0f}" if float(number).is_integer() or number >= 10 else f"{number:.1f}"
                 for number in (min(values), max(values)))
    return f"{low}{unit}" if low == high else f"{low} to {high}{unit}"


def methods(rounds):
    names = dict.fromkeys(method for one in rounds for method in one["requests"])
    return ", ".join(f"{spread([one['requests'].get(name, 0) for one in rounds])} {name}" for name in names) or "none"


def mib(rounds, what):
    return spread([round(one[what] / 2**20, 1) for one in rounds])


def table(works_):
    lines = ["Requests and bytes, counted in front of the store.", "",
             "| work | who | requests | by method | MiB sent | MiB received |", "|---|---|---|---|---|---|"]
    for work, of in works_.items():
        for who, rounds in of.items():
            total = spread([sum(one["requests"].values()) for one in rounds])
            lines.append(f"| {work} | {who} | {total} | {methods(rounds)} | {mib(rounds, 'sent_bytes')} | "
                         f"{mib(rounds, 'received_bytes')} |")
    return "\n".join(lines)
