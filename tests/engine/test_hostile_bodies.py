"""Bodies that are wrong, or leave something open: they fail alone (design of the engine)."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Generator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from tests.engine.misbehaving import KEEP_GOING, after
from tests.engine.support import Log, ended, forever, node_of, statuses
from treetask import AsyncExecutor, TaskNode, TreeBuilder, TreeFailed
from treetask.model import BodyKind

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]


async def test_awaitable_that_is_no_coroutine_is_awaited() -> None:
    """A body may be any callable whose result can be awaited."""

    class Later:
        def __await__(self) -> Generator[Any, None, str]:
            yield from anyio.sleep(1).__await__()
            return "later"

    class Body:
        async def __call__(self, node: TaskNode) -> str:
            return await Later()

    class Liar:
        """Says that it is async, and returns something else to be awaited."""

        kind = BodyKind.ASYNC

        def __call__(self, node: TaskNode) -> Awaitable[str]:
            return Later()

    tree = TreeBuilder("root").add_child("body", task=Body()).add_child("liar", task=Liar()).build()
    await AsyncExecutor(tree).run()

    assert tree.collect_results() == {"body": "later", "liar": "later"}


async def test_body_that_returns_nothing_to_await_fails_alone() -> None:
    """A callable that says it is async and is not, fails with a message; the next ones run."""

    class Liar:
        kind = BodyKind.ASYNC

        def __call__(self, node: TaskNode) -> int:
            return 42

    tree = after(Liar())
    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert [type(leaf) for leaf in error.exceptions] == [TypeError]
    assert node_of(tree, "next 2").status == "done"


async def test_body_with_a_wrong_signature_fails_alone() -> None:
    """A body that takes no node is an ordinary failure."""

    async def takes_nothing() -> None:
        raise AssertionError

    tree = after(takes_nothing)
    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert [type(leaf) for leaf in error.exceptions] == [TypeError]
    assert node_of(tree, "next 2").status == "done"


async def test_exception_of_no_known_kind_is_raised_like_an_interruption() -> None:
    """A `BaseException` of somebody's own ends the run and comes out as it is."""

    class Stop(BaseException):
        pass

    async def stop(node: TaskNode) -> None:
        await anyio.sleep(1)
        raise Stop

    tree = TreeBuilder("root").add_child("stops", task=stop).add_child("runs", task=forever).build()

    with pytest.raises(Stop):
        await AsyncExecutor(tree).run()

    assert statuses(tree) == {"root": "cancelled", "stops": "failed", "runs": "cancelled"}


async def test_async_generator_left_open_by_a_failing_body_is_closed_in_its_own_task() -> None:
    """Row 30: its `finally` runs in the task that ran the body, before anything that comes after the node."""
    log = Log()
    tasks: list[int] = []

    async def numbers() -> AsyncIterator[int]:
        tasks.append(anyio.get_current_task().id)
        try:
            for number in range(3):
                yield number
        finally:
            await anyio.lowlevel.checkpoint()
            tasks.append(anyio.get_current_task().id)
            log.append("closed")

    async def iterate(node: TaskNode) -> None:
        async for number in numbers():
            if number == 1:
                raise OSError("broken half way")

    async def look(node: TaskNode) -> None:
        log.append("next")

    tree = (
        TreeBuilder("root", parallel=False, config=KEEP_GOING)
        .add_child("iterates", task=iterate)
        .add_child("looks", task=look)
        .build()
    )
    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert [str(leaf) for leaf in error.exceptions] == ["broken half way"]
    assert log == ["closed", "next"]
    assert tasks[0] == tasks[1]


async def test_interruption_while_a_generator_is_closed_is_not_swallowed() -> None:
    """Ctrl-C does not care where it hits: it ends the run, though the body had failed before."""

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            raise KeyboardInterrupt

    async def iterate(node: TaskNode) -> None:
        async for _ in numbers():
            raise OSError("broken half way")

    tree = TreeBuilder("root", config=KEEP_GOING).add_child("iterates", task=iterate).add_child("runs", task=forever)
    built = tree.build()

    with pytest.raises(KeyboardInterrupt):
        await AsyncExecutor(built).run()

    assert statuses(built) == {"root": "cancelled", "iterates": "failed", "runs": "cancelled"}


async def test_async_generator_left_open_by_a_cancelled_body_is_closed() -> None:
    """A stop is no reason to leave anything open."""
    log = Log()

    @asynccontextmanager
    async def connection() -> AsyncGenerator[str]:
        try:
            yield "connection"
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(1)
            log.append("closed")

    async def use(node: TaskNode) -> None:
        async with connection():
            await anyio.sleep(math.inf)

    tree = TreeBuilder("root").add_child("uses", task=use).build()
    executor = AsyncExecutor(tree)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, executor)
        await anyio.sleep(1)
        executor.cancel()

    assert log == ["closed"]
