"""The project's measure of itself: a table with the goal beside each figure, and one of the makespans of workflows.

    python -m benchmarks [--backend asyncio|trio] [--pairs 9] [--only WORD] [--quick]

Figures are middles of at least 9 measurements, or of ratios of pairs of them, and the quartiles. They mean something
when nothing else runs; all of them take a quarter of an hour, `--quick` a minute.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Iterator
from importlib.metadata import version

from benchmarks import display, engine, journal, processes, report, tasks, workflows, writing
from benchmarks.measure import Figure, Row
from benchmarks.schedule import made_up

FEWEST_PAIRS = 3


def main() -> None:
    """Print both tables."""
    chosen = options()
    loops = chosen.backend or ["asyncio", "trio"]
    pairs = chosen.pairs or (FEWEST_PAIRS if chosen.quick else 9)
    print(f"Python {platform.python_version()}, anyio {version('anyio')}, trio {version('trio')}, {pairs} pairs")
    rows = [row for row in every_row(loops) if chosen.only in f"{row.loop} {row.name}"]
    print_figures([row for row in rows if not (chosen.quick and row.is_long)], pairs)
    if chosen.only in "workflows":
        workflows.print_makespans(map(made_up, workflows.SEEDS))


def options() -> argparse.Namespace:
    """Return what was asked for on the command line."""
    parser = argparse.ArgumentParser("python -m benchmarks", description="Measure TreeTask beside its goals.")
    parser.add_argument("--backend", choices=("asyncio", "trio"), action="append", help="only on this event loop")
    parser.add_argument("--pairs", type=int, metavar="N", help="measurements of each figure (default: 9)")
    parser.add_argument("--only", default="", metavar="WORD", help="only rows whose name has this in it")
    parser.add_argument("--quick", action="store_true", help="3 measurements of each figure, without the longest runs")
    chosen = parser.parse_args()
    if chosen.pairs is not None and chosen.pairs < FEWEST_PAIRS:
        parser.error(f"--pairs is {chosen.pairs}; quartiles need at least {FEWEST_PAIRS}")
    return chosen


def every_row(loops: list[str]) -> Iterator[Row]:
    """Yield all that can be measured."""
    yield from processes.rows_of_no_loop()
    yield from writing.rows()
    yield from display.rows_of_no_loop()
    yield from report.rows()
    for loop in loops:
        yield from engine.rows(loop)
        yield from journal.rows(loop)
        yield from processes.rows(loop)
        yield from tasks.rows(loop)
        yield from display.rows(loop)


def print_figures(rows: list[Row], pairs: int) -> None:
    """Measure lines, and print each when it is known."""
    print(f"\n{'':58}{'measured (quartiles)':>24}{'goal':>7}")
    missed = 0
    for row in rows:
        figure = row.measure(pairs)
        is_missed = figure.middle > row.goal
        missed += is_missed
        print_line(row, figure, "MISSED" if is_missed else "")
    print(f"{len(rows) - missed} of {len(rows)} goals met")


def print_line(row: Row, figure: Figure, verdict: str) -> None:
    """Print one line of the table."""
    digits = 3 if figure.middle < 10 else 1
    middle, low, high = (f"{number:.{digits}f}" for number in (figure.middle, figure.low, figure.high))
    told = ", ".join(part for part in (row.unit, figure.note, verdict) if part)
    print(f"{row.loop:8}{row.name:50}{f'{middle} ({low}-{high})':>24}{row.goal:>7g}  {told}", flush=True)


if __name__ == "__main__":
    main()
