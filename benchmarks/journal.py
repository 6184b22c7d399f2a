"""What it costs a run to be recorded: whole runs with a journal, and how long others on the loop wait for it.

Every node is two transitions, which are safe on the disk (SQLite, synchronous=FULL) when the run ends. On PostgreSQL
too, where TREETASK_TEST_POSTGRES names a server.
"""

from __future__ import annotations

import gc
from collections.abc import AsyncGenerator, Callable, Iterator
from functools import partial
from statistics import median, quantiles
from time import perf_counter

import anyio

from benchmarks.measure import Figure, Row, figure, in_turn
from benchmarks.trees import flat
from benchmarks.writing import SERVER, in_file, on_server
from treetask import AsyncExecutor, Child, Registry, TaskTree
from treetask.store import Store

NODES = 10_000

#: Nodes a second, for as many seconds, beside which the lag of the loop is measured.
RATE = 1_000
SECONDS = 2


def rows(loop: str) -> Iterator[Row]:
    """Yield the lines of the table."""
    for name, is_server, goal in [("SQLite", False, 50), ("PostgreSQL", True, 80)]:
        if SERVER or not is_server:
            measure = partial(flat_run, loop, is_server=is_server)
            yield Row(loop, f"flat, 10k no-op bodies, journal in {name}", "µs a node", goal, measure)
            lag = partial(loop_lag, loop, is_server=is_server)
            yield Row(loop, f"loop lag p99, 2k transitions/s, {name}", "ms", 2, lag, is_long=True)


def flat_run(loop: str, pairs: int, *, is_server: bool) -> Figure:
    """Measure what a node costs with a journal, beside one without."""
    measured = in_turn(
        partial(microseconds, loop, is_server=is_server), partial(microseconds, loop, is_server=None), pairs
    )
    without = median(other for _, other in measured)
    ours = [mine for mine, _ in measured]
    return figure(ours, f"{1e6 / median(ours):,.0f} nodes/s, {without:.1f} µs without")


def microseconds(loop: str, *, is_server: bool | None) -> float:
    """Return what a node of a run takes, recorded on a server, in a file, or not at all."""
    return recorded(lambda: flat(NODES), loop, is_server=is_server) / NODES * 1e6


def recorded(make: Callable[[], TaskTree], loop: str, *, is_server: bool | None) -> float:
    """Return how long a run takes, until its end is on record."""
    if is_server is None:
        return timed(AsyncExecutor(make()), loop)
    with on_server() if is_server else in_file() as url, Store(url) as store:
        return timed(AsyncExecutor(make(), store=store), loop)


def timed(executor: AsyncExecutor, loop: str) -> float:
    """Return how long a run takes."""
    gc.collect()
    start = perf_counter()
    anyio.run(executor.run, backend=loop)
    return perf_counter() - start


def loop_lag(loop: str, pairs: int, *, is_server: bool) -> Figure:
    """Measure how late a short sleep is beside a run that is recorded; the note tells it of one that is not."""
    measured = in_turn(partial(lag_beside, loop, is_server=is_server), partial(lag_beside, loop, is_server=None), pairs)
    without = median(other for _, other in measured)
    return figure([mine for mine, _ in measured], f"{without:.2f} without")


def lag_beside(loop: str, *, is_server: bool | None) -> float:
    """Return the lag that one sleep in a hundred exceeds, in milliseconds."""
    lags: list[float] = []

    async def watch(tree: TaskTree) -> None:
        while not tree.root.is_done():
            start = perf_counter()
            await anyio.sleep(0.001)
            lags.append(perf_counter() - start - 0.001)

    async def main(executor: AsyncExecutor) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch, executor.tree)
            await executor.run()

    if is_server is None:
        anyio.run(main, AsyncExecutor(paced()), backend=loop)
    else:
        with on_server() if is_server else in_file() as url, Store(url) as store:
            anyio.run(main, AsyncExecutor(paced(), store=store), backend=loop)
    return quantiles(lags, n=100)[-1] * 1e3


def paced() -> TaskTree:
    """Return a tree whose nodes begin and end evenly."""
    tree = Registry("paced")

    @tree.task
    async def page(number: int) -> str:
        return "x" * 100

    @tree.group
    async def crawl() -> AsyncGenerator[Child[str], None]:
        start = anyio.current_time()
        for number in range(RATE * SECONDS):
            yield page.child(number)
            await anyio.sleep_until(start + number / RATE)

    return tree.build()
