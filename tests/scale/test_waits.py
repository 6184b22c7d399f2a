"""Thousands that wait, or are stopped, at the same time."""

from __future__ import annotations

import anyio
import pytest

from tests.engine.support import ended, fails_times, forever, ok, sleeps, turns
from treetask import AsyncExecutor, Retry, TreeBuilder, TreeTaskConfig
from treetask.testing import VirtualClock

pytestmark = [pytest.mark.slow, pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]


async def test_thousands_wait_at_little_cost(virtual_clock: VirtualClock) -> None:
    """Each for a time of its own; none holds a task of the event loop."""
    builder = TreeBuilder("root", config=TreeTaskConfig(max_retries=0))
    retry = Retry(on=OSError, attempts=4, wait_initial=1, wait_max=5, wait_jitter=1, timeout=60)
    for number in range(1_000):
        builder.add_child(f"{number}", task=fails_times(3), retry=retry)
    tree = builder.build()
    executor, tasks_while_waiting = AsyncExecutor(tree), 0

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(executor.run)
        await anyio.sleep(0.5)
        assert executor._run is not None
        tasks_while_waiting = executor._run._crew._workers
        assert tree.get_stats()["retrying"] == 1_000

    assert (tree.get_stats()["done"], tasks_while_waiting) == (1_001, 0)
    assert 1 + 2 + 4 <= virtual_clock.now() <= 2 + 3 + 5


async def test_thousands_that_are_stopped_share_one_timer() -> None:
    """The earliest is looked at first, and the others then."""
    builder = TreeBuilder("root", config=TreeTaskConfig(max_retries=0, grace=5))
    for number in range(1_000):
        builder.add_child(f"{number}", task=forever, timeout=100)
    executor = AsyncExecutor(builder.build())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, executor)
        await anyio.sleep(1)
        executor.cancel()

    assert executor._run is not None
    assert executor._run._timers._count == 2


async def test_a_thousand_bodies_suspended_at_once() -> None:
    """Each has begun before the first one ends."""
    tree = TreeBuilder("root")
    for number in range(1_000):
        tree.add_child(f"{number}", task=sleeps(5))
    executor = AsyncExecutor(tree.build())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(executor.run)
        await anyio.sleep(1)
        assert executor.tree.get_stats()["working"] == 1_000 + 1

    assert executor.tree.get_stats()["done"] == 1_000 + 1


async def test_cancel_marks_thousands_of_waiting_nodes() -> None:
    """None of them has run; all of them wait for one."""
    builder = TreeBuilder("root")
    for number in range(10_000):
        builder.add_child(f"{number}", task=ok, depends_on=["waits"] if number else [])
    tree = builder.add_child("waits", task=forever).build()
    executor = AsyncExecutor(tree)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, executor)
        await turns()
        executor.cancel()

    assert tree.get_stats()["cancelled"] == 10_001
