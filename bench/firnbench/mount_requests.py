"""What the works of bucket_mounts cost in requests and bytes, for each of the programs, counted in front of the store."""

from .bucket_mounts import check_renamed, makers, payload_of, works
from .requests import Ledger, counted, table
from .tiers import firn_of

__all__ = ["bench", "table"]


def count_mount(ledger, one, counter, payload):
    """Of each work until the bucket has it: requests of all that the program does."""
    for work in works(one, payload):
        work.prepare(one)
        before = counter.counts()
        work.do()
        one.settle()
        ledger.add(work.name, counter.since(before), one.name)
    check_renamed(one)


def bench(figures, _targets, settings):
    mib = 64 if settings.quick else 1024
    ledger = Ledger()
    for make in makers(firn_of(settings)):
        with counted(settings, "mounts") as (counter, folder):
            payload = payload_of(folder, mib)
            with make(folder, counter) as one:
                count_mount(ledger, one, counter, payload)
    figures.mount_requests = ledger.summary()
