"""What a node costs the engine: whole runs, beside the same number of bodies in a bare anyio task group.

The bodies of the task group are the same where they all wait at once, and no-op ones otherwise, which is the harder
comparison. What depth and dependencies cost is compared with a flat tree of ours. Each row is measured without an
observer and with one `on_update`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import anyio

from benchmarks.measure import Figure, Prepare, Row, in_turn, ratio, seconds
from benchmarks.trees import Body, adding, balanced, chain, declared, flat, layers, meeting, noop, pause, yielding
from treetask import AsyncExecutor, TaskTree


@dataclass(frozen=True)
class Work:
    """A tree to run, of how many nodes, and the goals on asyncio and on trio."""

    name: str
    count: int
    tree: Callable[[], TaskTree]
    goals: tuple[float, float]
    #: The body of the task group.
    body: Callable[[], Body] = lambda: noop
    #: Whether a flat tree of ours takes the place of the task group.
    is_to_flat: bool = False


def works() -> Iterator[Work]:
    """Yield what is run."""
    n, m = 10_000, 100_000
    yield Work("flat, 10k no-op bodies", n, lambda: flat(n), (0.12, 0.15))
    yield Work("flat, 100k no-op bodies", m, lambda: flat(m), (0.12, 0.15))
    yield Work("flat, 10k sleep(0), max_concurrency=100", n, lambda: flat(n, pause, limit=100), (0.22, 0.32))
    yield Work("10k bodies, all waiting at once", n, lambda: flat(n, meeting(n)), (0.9, 2.2), lambda: meeting(n))
    yield Work("sequential, 10k", n, lambda: flat(n, parallel=False), (0.10, 0.10))
    yield Work("balanced tree, 11,110 nodes", 11_110, lambda: balanced(10, 4), (0.15, 0.15))
    yield Work("chain, 10k deep", n, lambda: chain(n), (1.5, 1.5), is_to_flat=True)
    yield Work("two dependencies each, 10k", n, lambda: layers(n), (1.5, 1.5), is_to_flat=True)
    yield Work("flat, 10k declared by decorator", n, lambda: declared(n), (1.02, 1.02), is_to_flat=True)
    yield Work("one body adds 10k by add_child", n, lambda: adding(n), (0.2, 0.2))
    yield Work("one body spawns 10k by yield", n, lambda: yielding(n), (0.3, 0.3))


def rows(loop: str) -> Iterator[Row]:
    """Yield the lines of the table: each piece of work without an observer, then with one."""
    for work in works():
        unit = "x our flat tree" if work.is_to_flat else "x bare task group"
        goal = work.goals[loop == "trio"]
        for observed in (False, True):
            name = f"{work.name}, on_update" if observed else work.name
            yield Row(loop, name, unit, goal, measurement(work, loop, observed=observed), is_long=work.count > 20_000)


def measurement(work: Work, loop: str, *, observed: bool) -> Callable[[int], Figure]:
    """Return what measures one line."""
    ours = run(work.tree, loop, observed=observed)
    other = run(lambda: flat(work.count), loop) if work.is_to_flat else run_bare(work.body, work.count, loop)

    def measure(pairs: int) -> Figure:
        return ratio(
            in_turn(lambda: seconds(ours), lambda: seconds(other), pairs),
            lambda mine, _: f"{mine / work.count * 1e6:.1f} us a node",
        )

    return measure


def run(make: Callable[[], TaskTree], loop: str, *, observed: bool = False) -> Prepare:
    """Return the work of running a tree."""

    def prepare() -> Callable[[], object]:
        executor = AsyncExecutor(make(), on_update=(lambda _: None) if observed else None)
        return lambda: anyio.run(executor.run, backend=loop)

    return prepare


def run_bare(make: Callable[[], Body], count: int, loop: str) -> Prepare:
    """Return the work of running that many bodies in a bare task group."""

    def prepare() -> Callable[[], object]:
        body = make()

        async def main() -> None:
            async with anyio.create_task_group() as group:
                for _ in range(count):
                    group.start_soon(body, None)

        return lambda: anyio.run(main, backend=loop)

    return prepare
