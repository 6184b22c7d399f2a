"""How everything here is measured: many times, the two sides of a ratio in turn, and told with its spread.

A ratio outlives the machine, a time does not. The two sides alternate, so that what disturbs one disturbs the other;
the garbage collector is on, and starts each side from the same state; the middle of the measurements is the figure, the
quartiles beside it say how far to trust it.
"""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

#: Prepares a piece of work, unmeasured, and returns what is measured.
Prepare = Callable[[], Callable[[], object]]


@dataclass(frozen=True)
class Figure:
    """The middle of some measurements, their quartiles, and what else they tell."""

    middle: float
    low: float
    high: float
    note: str = ""


@dataclass(frozen=True)
class Row:
    """One line of the table: what is measured, how, in which unit, and the most that it should be."""

    #: The event loop; empty where none is involved.
    loop: str
    name: str
    unit: str
    goal: float
    #: Takes the number of measurements, or of pairs of them.
    measure: Callable[[int], Figure]
    #: Whether it takes so long that a quick look does without it.
    is_long: bool = False


def figure(measured: Sequence[float], note: str = "") -> Figure:
    """Return the middle and the quartiles of at least two measurements."""
    low, middle, high = statistics.quantiles(measured, n=4)
    return Figure(middle, low, high, note)


def repeated(measure: Callable[[], float], times: int) -> Figure:
    """Measure one thing again and again."""
    return figure([measure() for _ in range(times)])


def in_turn(ours: Callable[[], float], other: Callable[[], float], pairs: int) -> list[tuple[float, float]]:
    """Measure two things in turn, after one pair that does not count."""
    ours()
    other()
    return [(ours(), other()) for _ in range(pairs)]


def ratio(pairs: Sequence[tuple[float, float]], note: Callable[[float, float], str]) -> Figure:
    """Return the ratio of ours to the other; the note is made of the middles of both sides."""
    ours, other = (statistics.median(side) for side in zip(*pairs, strict=True))
    return figure([one / two for one, two in pairs], note(ours, other))


def seconds(prepare: Prepare) -> float:
    """Return how long a piece of work takes, without its preparation."""
    work = prepare()
    gc.collect()
    start = perf_counter()
    work()
    return perf_counter() - start
