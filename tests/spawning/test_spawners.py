"""Bodies that yield their children: what each yield means, and when it comes back."""

from __future__ import annotations

import threading

import anyio
import pytest

from tests.engine.support import ended, statuses, turns
from tests.spawning.spawned import plain, run, work
from treetask import JOIN, AsyncExecutor, Child, Registry, Return, SpawnError, Spawns, SyncSpawns, TaskNode, TreeFailed
from treetask.testing import Recorder, VirtualClock

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]


async def test_parallel_parent_resumes_at_once(virtual_clock: VirtualClock) -> None:
    """The yield evaluates to the same `Child`, which is queued and runs beside the others."""
    registry = Registry("r")
    times: list[float] = []

    @registry.task
    async def parent(count: int) -> Spawns[None]:
        for seconds in range(count):
            child = work.child(seconds)
            yielded = yield child
            assert yielded is child
            times.append(virtual_clock.now())

    tree = parent.build(3)
    await AsyncExecutor(tree).run()

    assert times == [0, 0, 0]
    assert virtual_clock.now() == 2
    assert statuses(tree) == {"r/parent": "done", **{f"r/parent/work[{n}]": "done" for n in range(3)}}


async def test_sequential_parent_resumes_when_the_child_has_ended(virtual_clock: VirtualClock) -> None:
    """Each yield waits for its child; an iterable is run one after another."""
    registry = Registry("r")
    times: list[float] = []

    @registry.group(parallel=False, static=False)
    async def parent() -> Spawns[list[float]]:
        first = yield work.child(1)
        times.append(virtual_clock.now())
        rest = yield [work.child(2), work.child(3)]
        times.append(virtual_clock.now())
        yield Return([child.result for child in (first, *rest)])

    assert await run(parent.build()) == [1, 2, 3]
    assert times == [1, 6]


async def test_iterable_of_children_comes_back_as_a_list() -> None:
    """Any iterable: a list, a tuple, a generator."""
    registry = Registry("r")

    @registry.task
    async def parent(count: int) -> Spawns[list[float]]:
        children: list[Child[float]] = yield (work.child(seconds) for seconds in range(count))
        assert type(children) is list
        nothing = yield ()
        assert nothing == []
        yield Return([await child for child in children])

    assert await run(parent.build(3)) == [0, 1, 2]


async def test_join_returns_the_results_of_all_children() -> None:
    """Static children are let go, all so far are waited for; a bare yield is the same."""
    registry = Registry("r")
    seen: list[object] = []

    @registry.group
    async def parent() -> Spawns[None]:
        yield work.child(2)
        seen.append((yield JOIN))
        yield work.child(3)
        seen.append((yield))  # type: ignore[misc]  # pyright: ignore[reportReturnType]

    @parent.task
    async def static() -> str:
        return "static"

    await AsyncExecutor(registry.build()).run()

    assert seen == [["static", 2], ["static", 2, 3]]


async def test_static_children_run_after_a_body_without_a_join() -> None:
    """As under any other parent."""
    registry = Registry("r")
    log: list[str] = []

    @registry.group
    async def parent() -> Spawns[None]:
        yield work.child(1)
        await anyio.sleep(5)
        log.append("body ends")

    @parent.task
    async def static() -> None:
        log.append("static runs")

    await AsyncExecutor(registry.build()).run()

    assert log == ["body ends", "static runs"]


async def test_return_is_the_result_and_only_clean_up_may_follow() -> None:
    """Code after it runs; a yield after it is refused there."""
    registry = Registry("r")
    log: list[str] = []

    @registry.task
    async def cleans_up(number: int) -> Spawns[int]:
        yield Return(number)
        log.append("cleaned up")

    @registry.task
    async def goes_on(number: int) -> Spawns[int]:
        yield Return(number)
        yield work.child(1)

    assert await run(cleans_up.build(7)) == 7
    assert log == ["cleaned up"]
    error = await ended(goes_on.build(7))

    assert isinstance(error, TreeFailed)
    assert [(type(leaf), str(leaf)) for leaf in error.exceptions] == [
        (SpawnError, "'r/goes_on' yielded after Return: only clean-up may follow it")
    ]


async def test_spawner_without_a_result_has_none() -> None:
    """Running off the end is fine."""
    registry = Registry("r")

    @registry.task
    async def parent(count: int) -> Spawns[None]:
        for seconds in range(count):
            yield work.child(seconds)

    assert await run(parent.build(0)) is None


async def test_children_of_children_of_children() -> None:
    """Spawners may spawn spawners."""
    registry = Registry("r")

    @registry.task
    async def fold(depth: int) -> Spawns[int]:
        if not depth:
            yield Return(1)
            return
        left = yield fold.child(depth - 1).keyed("left")
        right = yield fold.child(depth - 1).keyed("right")
        yield Return(await left + await right)

    assert await run(fold.build(6)) == 64


async def test_sync_spawner_steps_in_threads() -> None:
    """A plain generator: each step is a call in some worker thread; what it returns is the result."""
    registry = Registry("r")

    @registry.group(static=False)
    def parent() -> SyncSpawns[list[int]]:
        assert threading.current_thread() is not threading.main_thread()
        children = yield [plain.child(number) for number in range(3)]
        results = yield JOIN
        assert results == [child.result for child in children]
        return sorted(results)

    assert await run(parent.build()) == [0, 1, 2]


async def test_retry_of_a_spawner_starts_from_the_top() -> None:
    """Children that still run are cancelled, and the body may spawn the same keys again, after a JOIN too."""
    registry = Registry("r")

    @registry.group(max_retries=1, static=False)
    async def parent(node: TaskNode) -> Spawns[None]:
        yield work.child(1)
        yield JOIN
        yield work.child(2)
        yield work.child(99)
        if not node.retry_count:
            raise OSError("not yet")
        yield JOIN

    tree = parent.build()
    executor, recorder = AsyncExecutor(tree), Recorder()
    executor.subscribe(recorder)
    await executor.run()

    assert statuses(tree) == {"r/parent": "done", **{f"r/parent/work[{n}]": "done" for n in (1, 2, 99)}}
    assert recorder.starts.count("r/parent") == 2
    assert tree.get_stats()["total"] == 4


async def test_sequential_spawner_with_static_children() -> None:
    """Spawned children run at their yields, static ones at the JOIN or after the body, in order."""
    registry = Registry("r")
    log: list[str] = []

    @registry.group(parallel=False)
    async def parent() -> Spawns[None]:
        yield tell.child("spawned 1")
        yield JOIN
        yield tell.child("spawned 2")

    @parent.task
    async def tell(what: str) -> None:
        log.append(what)

    @parent.task
    async def static1() -> None:
        log.append("static 1")

    @parent.task
    async def static2() -> None:
        log.append("static 2")

    await AsyncExecutor(registry.build()).run()

    assert log == ["spawned 1", "static 1", "static 2", "spawned 2"]


async def test_spawner_that_is_through_is_not_touched_again() -> None:
    """Children that end after their spawner wake nobody."""
    registry = Registry("r")

    @registry.group(static=False)
    async def parent() -> Spawns[None]:
        yield work.child(5)

    tree = parent.build()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(AsyncExecutor(tree).run)
        await turns()
        assert statuses(tree) == {"r/parent": "working", "r/parent/work[5]": "working"}

    assert tree.get_stats()["done"] == 2


async def test_message_of_a_keyword_key() -> None:
    """Ids tell positional and keyword arguments apart."""
    registry = Registry("r")

    @registry.group(static=False)
    async def parent() -> Spawns[None]:
        yield work.child(1, key="x")

    tree = parent.build()
    await AsyncExecutor(tree).run()

    assert tree.ids() == ["r/parent", "r/parent/work[1,key=x]"]
