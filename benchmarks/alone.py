"""Measurements that need a process of their own: memory, and runs so large that one would slow the next.

    python -m benchmarks.alone seconds_a_node asyncio 10000

prints a number. `alone` starts such a process and returns the number.
"""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from time import perf_counter

import anyio

from benchmarks.engine import run, run_bare
from benchmarks.measure import Prepare, seconds
from benchmarks.trees import Body, compute, flat, noop, yielding
from treetask import AsyncExecutor, TaskTree

ROOT = Path(__file__).resolve().parent.parent

#: Bodies before memory is measured: what they leave is used again, and would not be counted.
FEW = 10


def alone(measurement: str, *words: str | int) -> float:
    """Return what a measurement of this module gives in a process of its own."""
    return printed_by([sys.executable, "-m", "benchmarks.alone", measurement, *(str(word) for word in words)])


def printed_by(command: list[str], environment: dict[str, str] | None = None, folder: str | Path = ROOT) -> float:
    """Return the number that a command prints."""
    done = subprocess.run(  # noqa: S603 - our own commands
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return float(done.stdout)


def seconds_a_node(loop: str, count: str) -> float:
    """Return the time of a flat run, by its nodes."""
    warm_up(loop)
    return seconds(run(lambda: flat(int(count)), loop)) / int(count)


def bytes_a_node(count: str) -> float:
    """Return what the process grew by for a flat tree, by its nodes."""
    warm_up("asyncio", FEW)
    before = peak_memory()
    tree = flat(int(count))
    return (peak_memory() - before) / len(tree)


def bytes_of_run(loop: str, count: str) -> float:
    """Return what the process grew by for a flat tree and its run."""
    return growth(run(lambda: flat(int(count)), loop), loop)


def bytes_of_task_group(loop: str, count: str) -> float:
    """Return what the process grew by for as many bodies in a bare task group."""
    return growth(run_bare(lambda: noop, int(count), loop), loop)


def growth(work: Prepare, loop: str) -> float:
    """Return by how much a piece of work, and its preparation, raises the most that the process held."""
    warm_up(loop, FEW)
    before = peak_memory()
    work()()
    return peak_memory() - before


def bytes_of_folding(loop: str, count: str, observer: str) -> float:
    """Return the most memory that the whole process held while a body yielded children that were folded."""
    run(lambda: yielding(int(count), folds=True), loop, observed=observer == "on_update")()()
    return peak_memory()


def seconds_of_folding(loop: str, count: str) -> float:
    """Return the time of a run whose children are folded, by its nodes."""
    warm_up(loop)
    return seconds(run(lambda: yielding(int(count), folds=True), loop)) / int(count)


def longest_gap(loop: str, body: str, count: str) -> float:
    """Return the seconds that another task waited for its turn, at most, while bodies ran that never await."""
    warm_up(loop)
    return gap_beside(flat(int(count), BODIES[body]), loop)


def gap_beside(tree: TaskTree, loop: str) -> float:
    """Return the longest time between two turns of a task beside a run."""
    turns: list[float] = []

    async def tick() -> None:
        while not tree.root.is_done():
            turns.append(perf_counter())
            await anyio.sleep(0)
        turns.append(perf_counter())

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(tick)
            await anyio.sleep(0)
            group.start_soon(AsyncExecutor(tree).run)

    gc.collect()
    anyio.run(main, backend=loop)
    return max(later - earlier for earlier, later in pairwise(turns))


def warm_up(loop: str, count: int = 1_000) -> None:
    """Let everything be imported and called that will be needed."""
    run(lambda: flat(count), loop)()()
    run_bare(lambda: noop, count, loop)()()
    gc.collect()


def peak_memory() -> int:
    """Return the most memory that this process has held, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        # Not getrusage, which on Linux counts what the process was started from.
        lines = status.read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024
    if sys.platform == "win32":
        raise NotImplementedError("memory is measured on Linux and macOS")
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


BODIES: dict[str, Body] = {"noop": noop, "compute": compute}
MEASUREMENTS: dict[str, Callable[..., float]] = {
    measure.__name__: measure
    for measure in (
        seconds_a_node,
        bytes_a_node,
        bytes_of_run,
        bytes_of_task_group,
        bytes_of_folding,
        seconds_of_folding,
        longest_gap,
    )
}

if __name__ == "__main__":
    print(MEASUREMENTS[sys.argv[1]](*sys.argv[2:]))
