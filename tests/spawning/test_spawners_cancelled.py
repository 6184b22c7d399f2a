"""How deadlines and cancels reach a body that yields children, and when it cleans up."""

from __future__ import annotations

import math

import anyio
import pytest

from tests.engine.failing import broken, forever, leaves_of
from tests.engine.support import Log, ended, node_of, statuses
from tests.spawning.spawned import work
from treetask import (
    JOIN,
    AsyncExecutor,
    Child,
    Registry,
    Return,
    SpawnError,
    Spawns,
    SyncSpawns,
    TaskFailed,
    TaskNode,
    TreeCancelled,
    TreeFailed,
    TreeTaskConfig,
)
from treetask.display import failure_summary
from treetask.testing import VirtualClock

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]


async def test_deadline_around_a_yield_ends_the_child_and_claims_it(virtual_clock: VirtualClock) -> None:
    """`with fail_after(1): yield child` works: the child is down before the `TimeoutError` is raised."""
    registry = Registry("r")
    log: list[tuple[str, float]] = []

    @registry.task
    async def slow(number: int) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(2)
            log.append(("child is down", anyio.current_time()))

    @registry.group(parallel=False, static=False)
    async def parent() -> Spawns[str]:
        try:
            with anyio.fail_after(5):
                yield slow.child(1)
        except TimeoutError:
            log.append(("body goes on", anyio.current_time()))
        yield work.child(1)
        yield Return("in the end")

    tree = parent.build()
    await AsyncExecutor(tree).run()

    assert log == [("child is down", 7), ("body goes on", 7)]
    assert (tree.root.result, virtual_clock.now()) == ("in the end", 8)
    assert statuses(tree) == {"r/parent": "done", "r/parent/slow[1]": "cancelled", "r/parent/work[1]": "done"}


async def test_deadline_around_a_join_ends_all_children() -> None:
    """What a scope of the body's own stops is the body's responsibility: the group is green."""
    registry = Registry("r")

    @registry.group(static=False)
    async def parent() -> Spawns[str]:
        yield [forever.child(1), forever.child(2), work.child(1)]
        with anyio.move_on_after(5):
            yield JOIN
        yield Return("moved on")

    tree = parent.build()
    await AsyncExecutor(tree).run()

    assert tree.root.result == "moved on"
    assert {node.status for node in tree.root.children} == {"cancelled", "done"}


async def test_deadline_around_an_await_of_a_child_leaves_the_child_alone(virtual_clock: VirtualClock) -> None:
    """Who gives up waiting has not stopped what was waited for."""
    registry = Registry("r")

    @registry.task(static=False)
    async def parent(node: TaskNode) -> str:
        child = node.spawn(work, 9)
        with anyio.move_on_after(5):
            await child
        return "gave up"

    tree = parent.build()
    await AsyncExecutor(tree).run()

    assert statuses(tree) == {"r/parent": "done", "r/parent/work[9]": "done"}
    assert virtual_clock.now() == 9


@pytest.mark.parametrize("parallel", [True, False])
async def test_task_group_around_a_yield(parallel: bool) -> None:
    """The body's own tasks run while it is suspended at a yield, and its group ends when it leaves it."""
    registry = Registry("r")
    beats: list[float] = []

    async def beat() -> None:
        for _ in range(3):
            await anyio.sleep(1)
            beats.append(anyio.current_time())

    @registry.group(parallel=parallel, static=False)
    async def parent() -> Spawns[float]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(beat)
            child: Child[float] = yield work.child(9)
            yield JOIN
            yield Return(child.result)

    tree = parent.build(config=TreeTaskConfig(max_concurrency=1))
    await AsyncExecutor(tree).run()

    assert (beats, tree.root.result) == ([1, 2, 3], 9)


async def test_failure_in_a_task_group_around_a_yield_ends_the_child() -> None:
    """The group's cancellation is the body's own scope: the child is stopped and claimed, the error is the body's."""
    registry = Registry("r")

    async def fail() -> None:
        await anyio.sleep(1)
        raise OSError("beside the child")

    @registry.group(parallel=False, static=False)
    async def parent() -> Spawns[None]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(fail)
            yield forever.child(1)

    tree = parent.build()
    error = await ended(tree)

    assert leaves_of(error) == ["beside the child"]
    assert statuses(tree) == {"r/parent": "failed", "r/parent/forever[1]": "cancelled"}


async def cancelled_after(seconds: float, executor: AsyncExecutor) -> None:
    """Run a tree and cancel it after a while."""

    async def cancel() -> None:
        await anyio.sleep(seconds)
        executor.cancel("enough")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(cancel)
        assert isinstance(await ended(executor), TreeCancelled)


@pytest.mark.parametrize("place", ["at a yield", "at a JOIN", "in an await of a child", "in a foreign await"])
@pytest.mark.parametrize("parallel", [True, False])
async def test_cancel_reaches_a_suspended_body_after_its_children(place: str, parallel: bool) -> None:
    """Children first, waited for under a shield; then it is thrown in where the body is, and `finally` runs."""
    registry = Registry("r")
    log = Log()

    @registry.task
    async def child(node: TaskNode, number: int) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(2)
            log.append(f"child is down at {anyio.current_time():g}")

    @registry.group(parallel=parallel, static=False)
    async def parent(node: TaskNode) -> Spawns[None]:
        try:
            if place == "at a yield":
                yield child.child(1)
                yield JOIN
            elif place == "at a JOIN":
                _ = node.spawn(child, 1)
                yield JOIN
            elif place == "in an await of a child":
                await node.spawn(child, 1)
            else:
                _ = node.spawn(child, 1)
                await anyio.sleep(math.inf)
        except anyio.get_cancelled_exc_class():
            log.append("cancelled")
            raise
        finally:
            log.append(f"finally at {anyio.current_time():g}")

    tree = parent.build()
    await cancelled_after(5, AsyncExecutor(tree))

    assert log == ["child is down at 7", "cancelled", "finally at 7"]
    assert statuses(tree) == {"r/parent": "cancelled", "r/parent/child[1]": "cancelled"}


async def test_cancel_while_a_body_cleans_up_after_a_failure() -> None:
    """A `finally` that is running when the cancel comes is cancelled where it waits."""
    registry = Registry("r")
    log = Log()

    @registry.group(parallel=False, static=False)
    async def parent() -> Spawns[None]:
        try:
            yield broken.child(1)
        finally:
            try:
                await anyio.sleep(99)
            finally:
                log.append(f"cleaned up at {anyio.current_time():g}")

    tree = parent.build()
    executor = AsyncExecutor(tree)
    await cancelled_after(5, executor)

    assert log == ["cleaned up at 5"]
    assert statuses(tree) == {"r/parent": "cancelled", "r/parent/broken[1]": "failed"}


async def test_yield_of_a_child_during_clean_up_is_an_error() -> None:
    """Nothing new is started by a body that is being stopped."""
    registry = Registry("r")
    errors: list[str] = []

    @registry.group(parallel=False, static=False)
    async def parent() -> Spawns[None]:
        try:
            yield forever.child(1)
        finally:
            try:
                yield work.child(1)
            except SpawnError as error:
                errors.append(str(error))

    tree = parent.build()
    await cancelled_after(5, AsyncExecutor(tree))

    assert errors == ["'r/parent' is being stopped: nothing may be yielded while it cleans up"]
    assert statuses(tree) == {"r/parent": "cancelled", "r/parent/forever[1]": "cancelled"}


async def test_sync_spawner_is_closed_when_it_is_cancelled() -> None:
    """A plain generator knows no cancellation: its `finally` runs, in a thread, when its children are down."""
    registry = Registry("r")
    log = Log()

    @registry.group(parallel=False, static=False)
    def parent() -> SyncSpawns[None]:
        try:
            yield forever.child(1)
        finally:
            log.append(f"finally, child {node_of(tree, 'r/parent/forever[1]').status}")

    tree = parent.build()
    await cancelled_after(5, AsyncExecutor(tree))

    assert log == ["finally, child cancelled"]
    assert statuses(tree) == {"r/parent": "cancelled", "r/parent/forever[1]": "cancelled"}


@pytest.mark.parametrize("place", ["at a yield", "in a foreign await"])
async def test_timeout_of_a_spawner_bounds_its_waits(place: str, virtual_clock: VirtualClock) -> None:
    """Waits at yields included; children are down before the body is stopped."""
    registry = Registry("r")
    log = Log()

    @registry.group(timeout=5, static=False)
    async def parent() -> Spawns[None]:
        try:
            yield forever.child(1)
            if place == "at a yield":
                yield JOIN
            await anyio.sleep_forever()
        finally:
            log.append(f"finally, child {node_of(tree, 'r/parent/forever[1]').status}")

    tree = parent.build()
    error = await ended(tree)

    assert leaves_of(error) == ["'r/parent' timed out after 5 s"]
    assert log == ["finally, child cancelled"]
    assert statuses(tree) == {"r/parent": "timed_out", "r/parent/forever[1]": "cancelled"}
    assert virtual_clock.now() == 5


async def test_shielded_await_of_a_child_in_clean_up_comes_to_an_end() -> None:
    """Where the cancellation cannot reach the body, it hears how the child ended instead."""
    registry = Registry("r")
    log = Log()

    @registry.task(static=False)
    async def parent(node: TaskNode) -> None:
        children = [node.spawn(forever, number) for number in range(2)]
        try:
            with anyio.CancelScope(shield=True):
                for child in children:
                    await child
        except TaskFailed as error:
            log.append(str(error))
        await anyio.sleep(1)

    tree = parent.build()
    await cancelled_after(5, AsyncExecutor(tree))

    assert log == ["child 'r/parent/forever[0]' was cancelled"]
    assert tree.get_stats()["cancelled"] == 3


async def test_cancelled_child_is_told_by_the_body_that_asked_for_it() -> None:
    """Where no child failed, what that body let pass is all there is to tell; those above it add nothing."""
    registry = Registry("r")

    @registry.task(static=False)
    async def parent(node: TaskNode) -> None:
        await node.spawn(forever, 0)

    @registry.task
    async def grandparent(node: TaskNode) -> None:
        await node.spawn(parent)

    tree = registry.build()
    errors: list[object] = []

    async def run() -> None:
        errors.append(await ended(tree))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        await anyio.sleep(1)
        node_of(tree, "r/grandparent/parent/forever[0]").cancel()

    (error,) = errors
    assert leaves_of(error) == ["child 'r/grandparent/parent/forever[0]' was cancelled"]
    assert isinstance(error, TreeFailed)
    assert getattr(error.exceptions[0], "__notes__", []) == ["in task 'r/grandparent/parent'"]
    summary = "\n".join(failure_summary(tree))
    assert "TaskFailed: child 'r/grandparent/parent/forever[0]' was cancelled" in summary
    assert "failed (1 of 1)" in summary
