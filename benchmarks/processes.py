"""What is measured in processes of their own: memory, growth to a million nodes, the life of the loop, imports."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.alone import ROOT, alone, printed_by
from benchmarks.measure import Figure, Row, figure, in_turn, ratio, repeated

#: Starting an interpreter is quick, and what it does first varies.
STARTS_A_PAIR = 5

OF_ANYIO = "import anyio"
NAMES_OF_ANYIO = "from anyio import create_task_group, run, sleep"

PIPELINE = """
from time import time
from treetask import Registry

tree = Registry("tree")

@tree.task
async def body() -> None:
    print(time())
"""
PROGRAM = """
from time import time
import anyio

async def body() -> None:
    print(time())

anyio.run(body)
"""


def rows(loop: str) -> Iterator[Row]:
    """Yield the lines of the table that depend on the event loop."""
    if sys.platform != "win32":
        yield Row(loop, "most memory of a run, flat, 100k", "MB", 120, partial(memory_of_run, loop, 100_000))
        for observer in ("", ", on_update"):
            name = f"most memory of a process, 1,000,000 folded{observer}"
            yield Row(loop, name, "MB", 300, partial(memory_of_folding, loop, observer[2:]), is_long=True)
    yield Row(loop, "a node of 1,000,000, flat", "x a node of 10,000", 1.5, partial(growth, loop), is_long=True)
    folded = partial(growth, loop, measurement="seconds_of_folding")
    yield Row(loop, "a node of 1,000,000, folded", "x a node of 10,000", 1.5, folded, is_long=True)
    noop = partial(longest_gap, loop, "noop", 10_000)
    yield Row(loop, "longest wait of another task, 10k no-op bodies", "ms", 20, noop)
    compute = partial(longest_gap, loop, "compute", 1_000)
    yield Row(loop, "longest wait of another task, 1k bodies of 1 ms", "ms", 21, compute)


def rows_of_no_loop() -> Iterator[Row]:
    """Yield the lines that are the same for every event loop."""
    if sys.platform != "win32":
        yield Row("", "memory of a built node, flat, 100k", "bytes", 400, lambda times: repeated(bytes_a_node, times))
    yield Row("", "import treetask", "x import anyio", 2.0, partial(imports, "import treetask", OF_ANYIO))
    for names in ("Registry", "AsyncExecutor, TreeBuilder"):
        statement = f"from treetask import {names}"
        yield Row("", statement, "x anyio's run and task group", 2.0, partial(imports, statement, NAMES_OF_ANYIO))
    for name, words in (("journal on", ()), ("--no-store", ("--no-store",))):
        row = f"python -m treetask, {name}, to the first body"
        yield Row("", row, "x anyio.run of it", 2.0, partial(first_bodies, words))


def bytes_a_node() -> float:
    """Return what a node of a built tree takes."""
    return alone("bytes_a_node", 100_000)


def memory_of_run(loop: str, count: int, times: int) -> Figure:
    """Measure how much memory a flat run takes, beside a bare task group."""
    pairs = [(alone("bytes_of_run", loop, count), alone("bytes_of_task_group", loop, count)) for _ in range(times)]
    bare = figure([other for _, other in pairs])
    return figure([ours / 1e6 for ours, _ in pairs], f"bare task group {bare.middle / 1e6:.0f} MB")


def memory_of_folding(loop: str, observer: str, times: int) -> Figure:
    """Measure how much memory a process takes for a body that yields a million children, in megabytes."""
    return repeated(lambda: alone("bytes_of_folding", loop, 1_000_000, observer) / 1e6, times)


def growth(loop: str, pairs: int, *, measurement: str = "seconds_a_node") -> Figure:
    """Measure the time a node of a large tree to that of a small one."""
    many, few = partial(alone, measurement, loop, 1_000_000), partial(alone, measurement, loop, 10_000)
    return ratio(
        [(many(), few()) for _ in range(pairs)],
        lambda large, small: f"{large * 1e6:.1f} us a node to {small * 1e6:.1f}",
    )


def longest_gap(loop: str, body: str, count: int, times: int) -> Figure:
    """Measure how long another task waits for its turn, in milliseconds."""
    return repeated(lambda: alone("longest_gap", loop, body, count) * 1e3, times)


def imports(ours: str, other: str, pairs: int) -> Figure:
    """Measure one import to another, each in a new interpreter that has imported nothing of its own."""
    with tempfile.TemporaryDirectory() as compiled:
        return ratio(
            in_turn(
                partial(import_seconds, ours, compiled), partial(import_seconds, other, compiled), pairs * STARTS_A_PAIR
            ),
            lambda mine, anyio: f"{mine * 1e3:.1f} ms to {anyio * 1e3:.1f}",
        )


def first_bodies(words: tuple[str, ...], pairs: int) -> Figure:
    """Measure the way from the start of a command to its first body to that of a bare program with the same body."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "app.py").write_text(PIPELINE, encoding="utf-8")
        Path(folder, "bare.py").write_text(PROGRAM, encoding="utf-8")
        return ratio(
            in_turn(
                partial(seconds_to_body, folder, "-m", "treetask", "app:tree", "--display", "quiet", *words),
                partial(seconds_to_body, folder, "bare.py"),
                pairs * STARTS_A_PAIR,
            ),
            lambda ours, bare: f"{ours * 1e3:.0f} ms to {bare * 1e3:.0f}",
        )


def seconds_to_body(folder: str, *words: str) -> float:
    """Return how long after its start a program's body says what time it is; it was compiled before."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(Path(folder, "compiled"))}
    for name in ("PYTHONDONTWRITEBYTECODE", "TREETASK_STORE"):
        environment.pop(name, None)
    start = time.time()
    return printed_by([sys.executable, *words], environment, folder) - start


def import_seconds(statement: str, compiled: str) -> float:
    """Return how long a statement takes in a new interpreter.

    What was compiled is kept from the first one on, as it is for an installed package.
    """
    code = f"from time import perf_counter as now\nstart = now()\n{statement}\nprint(now() - start)"
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return printed_by([sys.executable, "-c", code], environment)
