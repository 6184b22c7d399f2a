"""How everything here is measured: as a ratio of two pieces of work, done in turn in one process.

A ratio outlives the machine, a time does not. The two sides alternate, so that what disturbs one disturbs the other;
the garbage collector is on, and starts each side from the same state; the middle of the ratios is the figure, the
quartiles beside it say how far to trust it.
"""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

#: Prepares a piece of work, unmeasured, and returns what is measured.
Prepare = Callable[[], Callable[[], object]]


@dataclass(frozen=True)
class Ratio:
    """The middle of the ratios of one side to the other, their quartiles, and both sides' middle times in seconds."""

    middle: float
    low: float
    high: float
    ours: float
    floor: float


def seconds(prepare: Prepare) -> float:
    """Return how long a piece of work takes, in seconds, without its preparation."""
    work = prepare()
    gc.collect()
    start = perf_counter()
    work()
    return perf_counter() - start


def ratio(ours: Prepare, floor: Prepare, pairs: int) -> Ratio:
    """Measure two pieces of work in turn, after one unmeasured pair."""
    seconds(ours)
    seconds(floor)
    times = [(seconds(ours), seconds(floor)) for _ in range(pairs)]
    ratios = [mine / other for mine, other in times]
    low, middle, high = statistics.quantiles(ratios, n=4)
    mine, other = (statistics.median(side) for side in zip(*times, strict=True))
    return Ratio(middle, low, high, mine, other)
