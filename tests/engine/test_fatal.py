"""KeyboardInterrupt, SystemExit and their like, wherever a user's function raises them: the run is cancelled in order.

What always runs does so, every node has ended, and the error is raised as it was.
"""

from __future__ import annotations

from collections.abc import Callable

import anyio
import pytest

from tests.engine.support import sleeps, statuses
from treetask import AsyncExecutor, Event, Registry, Retry, RunEnded, TaskNode, TreeBuilder

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]


def leave(_: object) -> bool:
    """What an impatient callback does."""
    raise SystemExit(3)


def leave_for_good(_: object) -> None:
    """The same, as callbacks are typed."""
    leave(_)


class Leaver:
    """An observer that leaves, at the end of the run or at once."""

    def __init__(self, *, at_the_end: bool) -> None:
        self.at_the_end = at_the_end

    def on_event(self, event: Event, /) -> None:
        if isinstance(event, RunEnded) == self.at_the_end:
            raise SystemExit(3)


def a_tree() -> TreeBuilder:
    """Return a tree with a body that has to be cancelled and one that always runs."""
    return TreeBuilder("root").add_child("long", task=sleeps(100)).add_child("tidy", task=sleeps(1), always=True)


def with_on_update() -> AsyncExecutor:
    """Leave from one callback."""
    return AsyncExecutor(a_tree().build(), on_update=leave_for_good)


def with_on_node_start() -> AsyncExecutor:
    """Leave from another."""
    return AsyncExecutor(a_tree().build(), on_node_start=leave_for_good)


def with_observer(*, at_the_end: bool) -> AsyncExecutor:
    """Leave from an observer."""
    executor = AsyncExecutor(a_tree().build())
    executor.subscribe(Leaver(at_the_end=at_the_end))
    return executor


def with_condition() -> AsyncExecutor:
    """Leave from a condition."""
    return AsyncExecutor(a_tree().add_child("asked", task=sleeps(1), when=leave).build())


def with_retry() -> AsyncExecutor:
    """Leave when asked whether an error is worth another attempt."""

    async def fail(node: TaskNode) -> None:
        raise OSError("down")

    return AsyncExecutor(a_tree().add_child("flaky", task=fail, retry=Retry(on=leave)).build())


@pytest.mark.parametrize(
    "make",
    [
        with_on_update,
        with_on_node_start,
        lambda: with_observer(at_the_end=False),
        with_condition,
        with_retry,
    ],
    ids=["on_update", "on_node_start", "observer", "when", "Retry.on"],
)
async def test_error_that_is_no_exception_ends_the_run_in_order(make: Callable[[], AsyncExecutor]) -> None:
    """What runs is cancelled, clean-ups run, and it is raised as it is."""
    executor = make()
    with anyio.fail_after(50), pytest.raises(SystemExit, match=r"^3$"):
        await executor.run()

    ended = statuses(executor.tree)
    assert (ended["long"], ended["tidy"]) == ("cancelled", "done")
    assert executor.tree.root.is_done()


async def test_observer_that_leaves_at_the_very_end() -> None:
    """When all is done already, it is raised all the same."""
    executor = AsyncExecutor(TreeBuilder("root").add_child("a", task=sleeps(1)).build())
    executor.subscribe(Leaver(at_the_end=True))
    with pytest.raises(SystemExit, match=r"^3$"):
        await executor.run()

    assert statuses(executor.tree) == {"root": "done", "a": "done"}


async def test_retry_that_leaves_while_somebody_waits_for_the_child() -> None:
    """The body that waits is cancelled as any other."""
    tree = Registry("r")

    @tree.task(static=False, retry=Retry(on=leave))
    async def fetch() -> None:
        raise OSError("down")

    @tree.task
    async def crawl(node: TaskNode) -> None:
        await node.spawn(fetch)

    built = tree.build()
    with anyio.fail_after(50), pytest.raises(SystemExit, match=r"^3$"):
        await AsyncExecutor(built).run()

    assert built.root.is_done()
