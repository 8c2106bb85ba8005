"""Colder tiers over networks that are slower than the processors: there a ratio says how well the line is used."""

from .link import Link
from .tiers import Sizes, measure_rounds
from .tiers import table as rate_table

LINKS = {1000: Sizes(1024, 2048, 3200), 5000: Sizes(4096, 2048, 3200)}  # by Mbit/s
QUICK = Sizes(64, 128, 320)


def bench(figures, _targets, settings):
    figures.tier_link = []
    for mbit, sizes in LINKS.items():
        with Link(mbit) as link:
            rounds = measure_rounds(settings, QUICK if settings.quick else sizes, link)
        figures.tier_link.append({"mbit": mbit, "rounds": rounds})


def table(links):
    return "\n\n".join(f"Over a link of {link['mbit']:,} Mbit/s:\n\n{rate_table(link['rounds'])}" for link in links)
