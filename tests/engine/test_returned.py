"""Bodies that return what is still to run: nobody would run it, so it is no result, and they fail by name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Literal

import pytest

from tests.engine.support import ended
from treetask import Registry, Return, Spawns, SyncSpawns, Task, TaskNode, TreeBuilder, TreeFailed

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock"), pytest.mark.filterwarnings("error")]

NOT_AWAITED = "'r/body' returned a call of 'fetch' that nobody awaits; write: await fetch(...)"
NOT_BEGUN = (
    "'r/body' returned a generator ('numbers') that nobody goes through; "
    "return what it gives: list(...); if that is children, the body has to yield them itself"
)
NOT_BEGUN_ASYNC = (
    "'r/body' returned an async generator ('pages') that nobody goes through; "
    "return what it gives: [each async for each in ...]"
)


async def fetch() -> int:
    """Be forgotten."""
    raise AssertionError


def numbers() -> Iterator[int]:
    """Be forgotten as well."""
    yield 1


async def pages() -> AsyncIterator[int]:
    """Be forgotten, too."""
    yield 1


CASES = pytest.mark.parametrize(
    ("make", "message"), [(fetch, NOT_AWAITED), (numbers, NOT_BEGUN), (pages, NOT_BEGUN_ASYNC)]
)
#: In a thread, a coroutine that is returned is awaited.
CASES_IN_THREAD = pytest.mark.parametrize(("make", "message"), [(numbers, NOT_BEGUN), (pages, NOT_BEGUN_ASYNC)])


async def check(body: Task[..., Any], message: str) -> None:
    """Run a body to its failure."""
    error = await ended(body.build())

    assert isinstance(error, TreeFailed)
    assert [(type(leaf), str(leaf)) for leaf in error.exceptions] == [(TypeError, message)]


@CASES
async def test_async_body_that_returns_what_is_still_to_run(make: Callable[[], object], message: str) -> None:
    """Most often an `await` was forgotten; nothing warns beside the failure."""
    registry = Registry("r")

    @registry.task
    async def body() -> object:
        return make()

    await check(body, message)


@CASES
async def test_spawner_whose_result_is_still_to_run(make: Callable[[], object], message: str) -> None:
    """The same for what is handed to Return."""
    registry = Registry("r")

    @registry.group
    async def body() -> Spawns[object]:
        yield Return(make())

    await check(body, message)


@CASES
async def test_plain_spawner_whose_result_is_still_to_run(make: Callable[[], object], message: str) -> None:
    """And for what one in threads returns."""
    registry = Registry("r")

    @registry.group
    def body() -> SyncSpawns[object]:
        yield []
        return make()

    await check(body, message)


@pytest.mark.parametrize("backend", ["thread", "inline"])
@CASES_IN_THREAD
async def test_plain_body_that_returns_what_is_still_to_run(
    backend: Literal["thread", "inline"], make: Callable[[], object], message: str
) -> None:
    """One that returns a generator does not spawn."""
    registry = Registry("r")

    @registry.task(backend=backend)
    def body() -> object:
        return make()

    await check(body, message)


@pytest.mark.parametrize("backend", ["thread", "inline"])
async def test_plain_body_that_returns_a_coroutine_has_it_awaited(backend: Literal["thread", "inline"]) -> None:
    """It may be a lambda around an async function; what that returns is looked at again."""
    registry = Registry("r")

    async def answer() -> int:
        return 42

    async def forgetful() -> object:
        return fetch()

    @registry.task(backend=backend)
    def around() -> object:
        return answer()

    @registry.task(backend=backend)
    def body() -> object:
        return forgetful()

    assert (await around.run()).value == 42
    await check(body, NOT_AWAITED)


async def test_body_that_failed_so_may_be_repeated() -> None:
    """It is an ordinary failure of that attempt."""
    attempts: list[int] = []

    async def body(node: TaskNode) -> object:
        attempts.append(node.retry_count)
        return fetch() if len(attempts) == 1 else "done"

    tree = TreeBuilder("root").add_child("body", task=body, max_retries=1).build()
    assert await ended(tree) is None
    assert tree.collect_results() == {"body": "done"}
