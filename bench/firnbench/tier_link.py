"""Colder tiers over a network that is slower than the processors: there a ratio says how well the line is used."""

from .link import Link
from .stores import Server
from .tiers import Volume, measure_random, measure_rates, rate_rows, write_beside_uploads
from .tools import REPO, run

MBIT = 1000


def bench(figures, _targets, settings):
    firn = settings.firn or REPO / "build" / "release" / "bin" / "firn"
    mib, reads = (64, 320) if settings.quick else (1024, 3200)
    folder = settings.base / "tier-link"
    with Link(MBIT) as link, Server(settings.base / "tier-link-objects", link) as server:
        try:
            beside = write_beside_uploads(firn, folder, server, 2 * mib)
            with Volume(firn, folder, server, "rates") as volume:
                rates = {**measure_rates(volume, server, mib), "write while uploads run": beside}
                random_reads = measure_random(volume, server, reads)
        finally:
            run(["rm", "-rf", folder])
    figures.tier_link = {"mbit": MBIT, "rates": rates, "random": random_reads}


def table(link):
    return "\n".join([f"Over a link of {link['mbit']:,} Mbit/s:", "", *rate_rows(link)])
