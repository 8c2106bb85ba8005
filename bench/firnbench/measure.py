"""Collects figures: what was measured, on which target, once per round."""

import statistics

from .tools import BenchError, timed


class Figures:
    """figures[work][target] is the list of its rounds' values. `unit` says which way is better: seconds are costs,
    everything per second is a rate."""

    def __init__(self):
        self.rounds = {}
        self.units = {}
        self.aims = {}  # work -> Aim
        self.details = {}  # work -> target -> name (its end is its unit) -> the rounds' values
        self.notes = []
        self.failures = []  # works that did not run to their end on some target

    def declare(self, work, unit, aim=None):
        self.units[work] = unit
        if aim:
            self.aims[work] = aim

    def add(self, work, target, value):
        self.rounds.setdefault(work, {}).setdefault(target, []).append(value)

    def add_detail(self, work, target, name, value):
        self.details.setdefault(work, {}).setdefault(target, {}).setdefault(name, []).append(value)

    def median(self, work, target):
        values = self.rounds.get(work, {}).get(target)
        return statistics.median(values) if values else None

    def median_detail(self, work, target, name):
        values = self.details.get(work, {}).get(target, {}).get(name)
        return statistics.median(values) if values else None

    def speed(self, work, target, against):
        """How many times as fast `target` is; None where one was not measured."""
        ours, theirs = self.median(work, target), self.median(work, against)
        if not ours or not theirs:
            return None
        return theirs / ours if is_cost(self.units[work]) else ours / theirs


def is_cost(unit):
    return not unit.endswith("/s")


class Aim:
    """At least `speed` times as fast as `against`."""

    def __init__(self, against, speed, text):
        self.against = against
        self.speed = speed
        self.text = text


TWICE_HP = Aim("passthrough_hp", 2.0, "≥ 2 × passthrough_hp")
NEAR_PLAIN = Aim("plain", 0.95, "≥ 0.95 × plain")
STREAM_PLAIN = Aim("plain", 0.9, "≥ 0.9 × plain")
BUILD_PLAIN = Aim("plain", 1 / 1.25, "≤ 1.25 × plain's time")


def record_time(figures, work, target, command, **options):
    """Runs a program; its seconds, and the daemon's processor time meanwhile."""
    before = target.cpu()
    figures.add(work, target.name, timed(command, **options))
    figures.add_detail(work, target.name, "cpu_s", target.cpu() - before)


def interleave(figures, targets, rounds, body):
    """body(target, round) on A, B, C, A, B, C, …: what disturbs the machine for a while disturbs all.
    A target on which the work fails is left out of its further rounds; the report says so."""
    failed = set()
    for number in range(rounds):
        for target in targets:
            if target.name in failed:
                continue
            try:
                body(target, number)
            except BenchError as error:
                failed.add(target.name)
                figures.failures.append(f"{target.name}: {error}")
