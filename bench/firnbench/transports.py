"""Latency of single requests on each transport to the kernel, one caller at a time."""

from .measure import interleave
from .metadata import phase
from .targets import Firn, Stage
from .tools import BenchError, drop_caches, run

TRANSPORTS = ("uring", "dev")
# phase, prefix, what the kernel asks for
REQUESTS = (("create", "f", "create"), ("getattr", "f", "getattr"), ("stat", "f", "lookup"))


def bench(figures, _targets, settings):
    files = 2_000 if settings.quick else 20_000
    figures.transports = {}
    base = settings.base / "transports"
    mounts = []
    for transport in TRANSPORTS:
        target = Firn(base / transport, settings.firn, options=f"transport={transport}")
        target.transport = transport
        target.name = f"firn, {transport}"
        mounts.append(target)
    usable = [target for target in mounts if _works(settings, target, figures)]
    if not usable:
        return
    with Stage(base, [Group(usable)]):

        def body(target, number):
            folder = target.path / f"round{number}"
            run([settings.metadata_bench, "prepare", "--dir", folder])
            for name, prefix, request in REQUESTS:
                if name == "stat":
                    drop_caches(2)
                before = target.cpu()
                measured = phase(settings.metadata_bench, name, folder, threads=1, files=files, layout="shared",
                                 prefix=prefix)
                record = figures.transports.setdefault(target.transport, {}).setdefault(request, {})
                record.setdefault("p50_us", []).append(measured["p50_ns"] / 1000)
                record.setdefault("p99_us", []).append(measured["p99_ns"] / 1000)
                record.setdefault("cpu_us", []).append((target.cpu() - before) * 1e6 / measured["operations"])

        interleave(figures, usable, settings.rounds, body)


def _works(settings, target, figures):
    """A kernel without FUSE over io_uring has one transport only: said in a note, not passed over."""
    base = settings.base / f"probe-{target.transport}"
    try:
        with Stage(base, [Firn(base, settings.firn, options=f"transport={target.transport}")]):
            return True
    except BenchError as error:
        figures.notes.append(f"transport {target.transport}: not measured: {error}")
        return False


class Group:
    """Several targets as one, each in a folder of its own."""

    def __init__(self, targets):
        self.targets = targets
        self.path = targets[0].path.parent

    def start(self):
        for target in self.targets:
            target.start()

    def stop(self):
        for target in self.targets:
            target.stop()
