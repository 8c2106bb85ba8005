"""Colder tiers over a network that is slower than the processors: there a ratio says how well the line is used."""

from .link import Link
from .tiers import Sizes, measure_rounds
from .tiers import table as rate_table

MBIT = 1000


def bench(figures, _targets, settings):
    with Link(MBIT) as link:
        rounds = measure_rounds(settings, Sizes(64, 128, 320) if settings.quick else Sizes(1024, 2048, 3200), link)
    figures.tier_link = {"mbit": MBIT, "rounds": rounds}


def table(link):
    return "\n".join([f"Over a link of {link['mbit']:,} Mbit/s:", "", rate_table(link["rounds"])])
