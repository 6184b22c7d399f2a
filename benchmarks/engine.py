"""What the engine costs, beside a bare anyio task group.

    python -m benchmarks.engine [--backend asyncio|trio] [--pairs 9] [--only WORD]

Every row runs a tree that was built before, and in turn the bodies in a bare task group: the same bodies where they all
wait at once, no-op ones otherwise, which is the harder comparison. The deep rows are compared with a flat tree of ours.
Each row is run without an observer and with one `on_update`.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

import anyio

from benchmarks.measure import Prepare, ratio
from treetask import AsyncExecutor, TaskTree, TreeBuilder, TreeTaskConfig

Body = Callable[[Any], Coroutine[Any, Any, None]]


async def noop(_: object) -> None:
    """Do nothing."""


async def pause(_: object) -> None:
    """Let others run once."""
    await anyio.sleep(0)


def meeting(count: int) -> Body:
    """Return a body that waits until `count` of them wait."""
    everybody = anyio.Event()
    here = 0

    async def body(_: object) -> None:
        nonlocal here
        here += 1
        if here == count:
            everybody.set()
        await everybody.wait()

    return body


def flat(count: int, body: Body, *, parallel: bool = True, limit: int | None = None) -> TaskTree:
    """Return a root with `count` children."""
    builder = TreeBuilder("root", parallel=parallel, config=TreeTaskConfig(max_concurrency=limit))
    for number in range(count):
        builder.add_child(f"node{number}", task=body)
    return builder.build()


def chain(count: int) -> TaskTree:
    """Return a tree in which every node has one child."""
    builder = TreeBuilder("root")
    for number in range(count):
        builder.add_node(f"node{number}", task=noop)
    return builder.build()


def balanced(width: int, depth: int) -> TaskTree:
    """Return a tree in which every node above the leaves has `width` children."""
    builder = TreeBuilder("root")

    def grow(above: str, level: int) -> None:
        for number in range(width):
            name = f"{above}.{number}"
            if level == depth:
                builder.add_child(name, task=noop)
            else:
                builder.add_node(name, task=noop)
                grow(name, level + 1)
                builder.up()

    grow("root", 1)
    return builder.build()


def layers(count: int) -> TaskTree:
    """Return a flat tree in which every node depends on two before it."""
    builder = TreeBuilder("root")
    for number in range(count):
        needed = {number - 1, number - 100} if number >= 100 else set[int]()
        builder.add_child(f"node{number}", task=noop, depends_on=[f"node{other}" for other in sorted(needed)])
    return builder.build()


@dataclass(frozen=True)
class Row:
    """One line of the table: how many nodes, our side, the other side, and the goal for each loop."""

    name: str
    count: int
    tree: Callable[[], TaskTree]
    #: The bodies of a bare task group, or another tree of ours.
    floor: Callable[[], Body | TaskTree]
    goals: dict[str, float]


def rows() -> Iterator[Row]:
    """Yield the lines of the table."""
    n = 10_000
    yield Row("flat 10k", n, lambda: flat(n, noop), lambda: noop, {"asyncio": 0.12, "trio": 0.15})
    m = 100_000
    yield Row("flat 100k", m, lambda: flat(m, noop), lambda: noop, {"asyncio": 0.12, "trio": 0.15})
    yield Row(
        "max_concurrency=100, sleep(0), 10k",
        n,
        lambda: flat(n, pause, limit=100),
        lambda: noop,
        {"asyncio": 0.22, "trio": 0.32},
    )
    yield Row(
        "all suspended at once, 10k",
        n,
        lambda: flat(n, meeting(n)),
        lambda: meeting(n),
        {"asyncio": 0.9, "trio": 2.2},
    )
    yield Row("sequential 10k", n, lambda: flat(n, noop, parallel=False), lambda: noop, {"asyncio": 0.10, "trio": 0.10})
    yield Row("balanced, 11,111 nodes", 11_110, lambda: balanced(10, 4), lambda: noop, {"asyncio": 0.15, "trio": 0.15})
    both = {"asyncio": 1.5, "trio": 1.5}
    yield Row("chain 10k, to our flat 10k", n, lambda: chain(n), lambda: flat(n, noop), both)
    yield Row("two dependencies each, 10k, to our flat", n, lambda: layers(n), lambda: flat(n, noop), both)


def run_tree(make: Callable[[], TaskTree], backend: str, *, observed: bool) -> Prepare:
    """Return a measurement of running a tree."""

    def prepare() -> Callable[[], object]:
        executor = AsyncExecutor(make(), on_update=(lambda _: None) if observed else None)
        return lambda: anyio.run(executor.run, backend=backend)

    return prepare


def run_bare(make: Callable[[], Body | TaskTree], count: int, backend: str) -> Prepare:
    """Return a measurement of the same bodies in a bare task group, or of another tree."""

    def prepare() -> Callable[[], object]:
        body = make()
        if isinstance(body, TaskTree):
            tree = body
            return run_tree(lambda: tree, backend, observed=False)()

        async def main() -> None:
            async with anyio.create_task_group() as group:
                for _ in range(count):
                    group.start_soon(body, None)

        return lambda: anyio.run(main, backend=backend)

    return prepare


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--backend", choices=("asyncio", "trio"), action="append")
    options.add_argument("--pairs", type=int, default=9)
    options.add_argument("--only", default="", metavar="WORD")
    chosen = options.parse_args()
    print(f"Python {platform.python_version()}, anyio {anyio_version()}, {chosen.pairs} pairs; ratio (quartiles)")
    print(f"{'':42}{'no observer':>24}{'on_update':>24}{'goal':>8}{'us/node':>9}")
    for backend in chosen.backend or ("asyncio", "trio"):
        for row in rows():
            if chosen.only in row.name:
                print_row(row, backend, chosen.pairs)


def print_row(row: Row, backend: str, pairs: int) -> None:
    """Measure one line and print it."""
    floor = run_bare(row.floor, row.count, backend)
    alone = ratio(run_tree(row.tree, backend, observed=False), floor, pairs)
    watched = ratio(run_tree(row.tree, backend, observed=True), floor, pairs)
    goal = row.goals[backend]
    missed = "" if max(alone.middle, watched.middle) <= goal else "  missed"
    figures = "".join(f"{f'{one.middle:.3f} ({one.low:.3f}-{one.high:.3f})':>24}" for one in (alone, watched))
    print(f"{f'{backend}: {row.name}':42}{figures}{goal:>8}{alone.ours / row.count * 1e6:>9.2f}{missed}", flush=True)


def anyio_version() -> str:
    """Return the version of anyio that is measured against."""
    from importlib.metadata import version

    return version("anyio")


if __name__ == "__main__":
    main()
