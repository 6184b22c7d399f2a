"""Where a body runs, if its declaration says so."""

from __future__ import annotations

import threading
from collections.abc import Generator
from typing import Literal

import anyio
import pytest

from tests.dsl.sentences import at, exactly
from treetask import Registry, Return, SyncSpawns, TaskFailed, TaskNode, TreeCancelled

pytestmark = pytest.mark.anyio


async def test_plain_function_runs_on_the_event_loop_when_told_to() -> None:
    """For one that is short: no thread is needed, and nothing else runs meanwhile."""
    tree = Registry("t")

    @tree.task(backend="inline")
    def inline() -> str:
        return threading.current_thread().name

    @tree.task(backend="thread")
    def apart(node: TaskNode) -> str:
        return threading.current_thread().name

    result = await tree.run()

    assert result[inline] == threading.current_thread().name
    assert result[apart] != result[inline]
    assert inline() == threading.current_thread().name


async def test_plain_spawner_is_stepped_on_the_event_loop_when_told_to() -> None:
    """What is thrown in at its yields, and its result, are as in threads."""
    tree = Registry("t")
    closed: list[str] = []

    @tree.task(backend="inline")
    def work(number: int) -> int:
        if number == 2:
            raise OSError("two")
        return number

    @tree.group(parallel=False, backend="inline")
    def spawn() -> SyncSpawns[list[object]]:
        seen: list[object] = []
        try:
            for number in range(4):
                try:
                    child = yield work.child(number)
                    seen.append(child.result)
                except TaskFailed as failed:
                    seen.append(str(failed.__cause__))
        finally:
            closed.append(threading.current_thread().name)
        return seen

    assert (await tree.run())[spawn] == [0, 1, "two", 3]
    assert closed == [threading.current_thread().name]


@pytest.mark.parametrize("backend", ["inline", "thread"])
async def test_plain_spawner_may_yield_its_result(backend: Literal["inline", "thread"]) -> None:
    """Wherever it is stepped: clean-up may follow, and what it returns then is not the result."""
    tree = Registry("t")
    closed: list[str] = []

    @tree.group(backend=backend)
    def spawn() -> Generator[Return[str], None, str]:
        yield Return("result")
        closed.append("after it")
        return "something else"

    assert (await spawn.run()).tree.root.result == "result"
    assert closed == ["after it"]


@pytest.mark.parametrize("backend", ["inline", "thread"])
async def test_plain_spawner_hears_of_a_cancel_as_its_end(backend: Literal["inline", "thread"]) -> None:
    """Plain code knows no cancellation: it is closed, wherever it is stepped, when its children have ended."""
    tree = Registry("t")
    seen: list[str] = []

    @tree.task(static=False)
    async def stop(node: TaskNode) -> None:
        assert node.parent is not None
        node.parent.cancel()
        await anyio.sleep_forever()

    @tree.group(parallel=False, backend=backend)
    def spawn() -> SyncSpawns[None]:
        child = stop.child()
        try:
            yield child
        except BaseException as error:
            seen.append(f"{type(error).__name__}, the child {child.node.status}")
            raise

    with pytest.raises(TreeCancelled):
        await tree.run()

    assert seen == ["GeneratorExit, the child cancelled"]


@pytest.mark.parametrize(
    ("backend", "error", "problem"),
    [
        ("process", TypeError, "backend 'process' is not available in this version of TreeTask"),
        ("dask", TypeError, "backend 'dask' is not available in this version of TreeTask"),
        ("thraed", ValueError, "there is no backend 'thraed' (did you mean 'thread'?)"),
        (3, TypeError, "backend is 3; expected 'inline' or 'thread'"),
        ("thread", ValueError, "backend='thread' is for a plain `def`; an `async def` runs on the event loop"),
    ],
)
def test_backend_that_there_is_not_is_refused(backend: str, error: type[Exception], problem: str) -> None:
    """When the task is declared."""
    tree = Registry("t")

    async def work() -> None: ...

    options = {"backend": backend}
    with pytest.raises(error, match=exactly(f"task 't/work' ({at(work)}): {problem}")):
        tree.task(**options)(work)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
