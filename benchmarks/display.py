"""What it costs to watch a run: one frame of trees of any size, and whole runs with the display and without.

A frame is a look at the tree, with 64 nodes at work and one that has just begun, the lines, and the write to a terminal
that shows nothing. Trees are moved by hand for it, since what is measured is no engine. Whole runs are of bodies that
do nothing, which is the harder comparison: the display's share is the largest.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median
from time import perf_counter

import anyio

from benchmarks.measure import Figure, Prepare, Row, figure, in_turn, ratio, seconds
from benchmarks.trees import flat
from treetask import AsyncExecutor, LiveDisplay, TaskStatus, TaskTree, TreeTaskConfig

AT_WORK = 64
#: Frames of one measurement; its middle one counts.
FRAMES = 50
#: The most that a frame may take, in milliseconds.
MOST_A_FRAME = 0.5


class Nowhere(io.StringIO):
    """A terminal of 120 columns and 50 rows that nobody sees."""

    terminal_size = (120, 50)

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return True

    def write(self, text: str, /) -> int:
        """Forget a text."""
        return len(text)


def rows_of_no_loop() -> Iterator[Row]:
    """Yield the lines of the table that need no event loop."""
    for count in (1_000, 100_000, 1_000_000):
        is_long = count > 100_000
        yield Row("", f"one frame, {count:,} nodes", "ms", MOST_A_FRAME, partial(frame, count), is_long)


def rows(loop: str) -> Iterator[Row]:
    """Yield the lines of the table for an event loop."""
    yield Row(loop, "live display on, 10k no-op bodies, more", "ms", 5, partial(more, 10_000, loop))
    for count in (100_000, 1_000_000):
        name = f"live display on, {count:,} no-op bodies"
        yield Row(loop, name, "x off", 1.05, partial(on_against_off, count, loop), is_long=True)


def frame(count: int, times: int) -> Figure:
    """Measure frames of a tree of that many nodes, in milliseconds."""
    tree = flat(count)
    waiting = iter(tree.root.children)
    at_work: deque[int] = deque()
    tree.move(tree.root, TaskStatus.WORKING, 0.0)

    def begin(number: int) -> None:
        tree.move(next(waiting), TaskStatus.WORKING, float(number))
        at_work.append(number)
        if len(at_work) > AT_WORK:
            tree.move(tree.root.children[at_work.popleft()], TaskStatus.DONE, float(number))

    display = LiveDisplay(output=Nowhere())
    numbers = iter(range(count))
    for _ in range(2 * AT_WORK):
        begin(next(numbers))

    def one() -> float:
        begin(next(numbers))
        start = perf_counter()
        display.update(tree, force=True)
        return perf_counter() - start

    one()
    measured = figure([median(one() for _ in range(FRAMES)) * 1e3 for _ in range(min(times, count // (4 * FRAMES)))])
    display.clear()
    return measured


def run(count: int, loop: str, *, is_watched: bool) -> Prepare:
    """Return the work of running that many bodies, with the live display or without."""

    def prepare() -> Callable[[], object]:
        tree = flat(count)
        if not is_watched:
            return partial(anyio.run, AsyncExecutor(tree).run, backend=loop)
        return partial(watched, tree, loop)

    return prepare


def watched(tree: TaskTree, loop: str) -> None:
    """Run a tree while it is shown."""
    with LiveDisplay(config=TreeTaskConfig(), output=Nowhere()) as display:
        anyio.run(AsyncExecutor(tree, on_update=display.update).run, backend=loop)


def pairs_of(count: int, loop: str, pairs: int) -> list[tuple[float, float]]:
    """Measure runs with the display and without, in turn."""
    on, off = (run(count, loop, is_watched=is_watched) for is_watched in (True, False))
    return in_turn(lambda: seconds(on), lambda: seconds(off), pairs)


def more(count: int, loop: str, pairs: int) -> Figure:
    """Return how much longer a run takes, in milliseconds."""
    return figure([(on - off) * 1e3 for on, off in pairs_of(count, loop, pairs)])


def on_against_off(count: int, loop: str, pairs: int) -> Figure:
    """Return how many times as long a run takes."""
    return ratio(pairs_of(count, loop, pairs), lambda on, _: f"{on:.2f} s")
