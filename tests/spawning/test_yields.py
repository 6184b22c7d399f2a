"""What a body may yield, under parents of both kinds and from bodies of both kinds."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from typing import Any

import anyio
import pytest

from tests.engine.support import cancelled_after, statuses
from tests.spawning.spawned import plain, run, work
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
    TaskTree,
    TreeTaskConfig,
    UnkeyedArgumentError,
)
from treetask.testing import VirtualClock

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]

both_parents = pytest.mark.parametrize("parallel", [True, False], ids=["parallel", "sequential"])
both_bodies = pytest.mark.parametrize("threaded", [False, True], ids=["async", "sync"])

EXPECTED = "expected a child (task.child(...)), an iterable of children, JOIN or Return(value)"


def answers(*values: Callable[[], object], parallel: bool, threaded: bool) -> tuple[TaskTree, list[object]]:
    """Return a tree whose body yields some values, and what comes back: an error as its text."""
    registry = Registry("r")
    seen: list[object] = []

    @registry.group(id="parent", parallel=parallel, static=False)
    async def in_loop() -> AsyncGenerator[Any, Any]:
        for value in values:
            try:
                seen.append((yield value()))
            except Exception as error:  # noqa: BLE001 - whatever is thrown in is what comes back
                seen.append(f"{type(error).__name__}: {error}")

    @registry.group(id="parent in threads", name="parent", parallel=parallel, static=False)
    def in_threads() -> Generator[Any, Any, None]:
        for value in values:
            try:
                seen.append((yield value()))
            except Exception as error:  # noqa: BLE001 - whatever is thrown in is what comes back
                seen.append(f"{type(error).__name__}: {error}")

    return (in_threads if threaded else in_loop).build(), seen


async def never_run(number: int) -> None:
    """Be called by mistake."""


class TestTable:
    @both_parents
    @both_bodies
    async def test_child_comes_back_as_itself(self, parallel: bool, threaded: bool) -> None:
        """The yield evaluates to the same `Child`."""
        child = work.child(1)
        tree, seen = answers(lambda: child, parallel=parallel, threaded=threaded)
        await AsyncExecutor(tree).run()

        assert seen == [child]
        assert child.result == 1

    @both_parents
    @both_bodies
    async def test_iterable_comes_back_as_a_list(self, parallel: bool, threaded: bool) -> None:
        """Of the same children; under a sequence all of them have run by then."""
        children = [work.child(seconds) for seconds in (1, 2)]
        ends: list[list[str]] = []

        def look() -> object:
            ends.append([child.node.status for child in children])
            return []

        tree, seen = answers(lambda: iter(children), look, parallel=parallel, threaded=threaded)
        await AsyncExecutor(tree).run()

        assert seen == [children, []]
        assert parallel or ends == [["done", "done"]]

    @both_parents
    @both_bodies
    @pytest.mark.parametrize("value", [JOIN, None], ids=["JOIN", "bare"])
    async def test_join_comes_back_with_the_results(self, value: object, parallel: bool, threaded: bool) -> None:
        """Of all children so far, in their order; a bare yield is the same."""
        children = [work.child(seconds) for seconds in (2, 1)]
        tree, seen = answers(lambda: children, lambda: value, parallel=parallel, threaded=threaded)
        await AsyncExecutor(tree).run()

        assert seen == [children, [2, 1]]

    @both_parents
    async def test_return_is_the_result(self, parallel: bool) -> None:
        """The body goes on to clean up, and no yield may follow, whatever it is."""
        child = work.child(1)
        tree, seen = answers(
            lambda: Return(7), lambda: child, lambda: JOIN, lambda: Return(8), parallel=parallel, threaded=False
        )
        await AsyncExecutor(tree).run()

        assert tree.root.result == 7
        assert seen == [None, *["SpawnError: 'r/parent' yielded after Return: only clean-up may follow it"] * 3]

    @both_parents
    @both_bodies
    async def test_coroutine_is_closed_and_refused_by_name(self, parallel: bool, threaded: bool) -> None:
        """By itself and among children; none is left that was never awaited."""
        coroutines = [never_run(1), never_run(2)]
        child = work.child(1)
        tree, seen = answers(
            lambda: coroutines[0], lambda: [child, coroutines[1]], parallel=parallel, threaded=threaded
        )
        await AsyncExecutor(tree).run()

        parent = tree.root.id
        assert seen == [
            f"TypeError: '{parent}': you yielded a call of 'never_run'; write: yield never_run.child(...)",
            f"TypeError: '{parent}' yielded an iterable with {coroutines[1]!r}; expected task.child(...) only",
        ]
        assert [inspect.getcoroutinestate(coroutine) for coroutine in coroutines] == [inspect.CORO_CLOSED] * 2
        assert child.result == 1

    @both_parents
    @both_bodies
    async def test_anything_else_is_refused_at_that_yield(self, parallel: bool, threaded: bool) -> None:
        """A `TypeError` that says what was yielded and what may be; the body goes on."""
        child = work.child(1)
        tree, seen = answers(
            lambda: 42, lambda: {"a": 1}, lambda: [42], lambda: child, parallel=parallel, threaded=threaded
        )
        await AsyncExecutor(tree).run()

        parent = tree.root.id
        assert seen == [
            f"TypeError: '{parent}' yielded 42; {EXPECTED}",
            f"TypeError: '{parent}' yielded {{'a': 1}}; {EXPECTED}",
            f"TypeError: '{parent}' yielded an iterable with 42; expected task.child(...) only",
            child,
        ]

    @both_parents
    @both_bodies
    async def test_what_an_iterable_raises_is_thrown_in_at_that_yield(self, parallel: bool, threaded: bool) -> None:
        """The children before it are there."""

        def some() -> Iterator[Child[float]]:
            yield work.child(1)
            raise OSError("no more")

        tree, seen = answers(some, parallel=parallel, threaded=threaded)
        await AsyncExecutor(tree).run()

        assert seen == ["OSError: no more"]
        assert [node.result for node in tree.root.children] == [1]


class TestKeys:
    @both_parents
    @both_bodies
    async def test_second_child_of_a_key_is_an_error_at_its_yield(self, parallel: bool, threaded: bool) -> None:
        """Also within one iterable; the key is named, and the first child is not touched."""
        tree, seen = answers(
            lambda: [work.child(1), work.child(1)], lambda: work.child(1), parallel=parallel, threaded=threaded
        )
        await AsyncExecutor(tree).run()

        parent = tree.root.id
        refusal = (
            f"DuplicateChildError: '{parent}' already has a child 'work[1]'; spawn it once, or tell the two apart: "
            ".child(...).keyed('...')"
        )
        assert seen == [refusal] * 2
        assert statuses(tree) == {parent: "done", f"{parent}/work[1]": "done"}

    @both_parents
    @both_bodies
    async def test_argument_that_makes_no_key_is_refused_at_the_yield(self, parallel: bool, threaded: bool) -> None:
        """With the fix, which works."""
        registry = Registry("other")

        @registry.task
        async def take(node: TaskNode, things: list[int]) -> int:
            return sum(things)

        tree, seen = answers(
            lambda: take.child([1, 2]), lambda: take.child([1, 2]).keyed("it"), parallel=parallel, threaded=threaded
        )
        await AsyncExecutor(tree).run()

        assert seen[0] == (
            f"{UnkeyedArgumentError.__name__}: take.child(): argument 1 is a list, which cannot be part of the child's "
            "key; name the child: take.child(...).keyed('...')"
        )
        assert [(node.id, node.result) for node in tree.root.children] == [(f"{tree.root.id}/take[it]", 3)]

    async def test_injected_argument_is_no_part_of_the_key(self) -> None:
        """Only what was given to `child()` is."""
        registry = Registry("r")

        @registry.task
        async def extract() -> str:
            return "raw"

        @registry.task(static=False)
        async def load(number: int, raw: str = extract.output) -> str:
            return f"{raw} {number}"

        @registry.group(depends_on=[extract])
        async def parent() -> Spawns[str]:
            yield (child := load.child(1))
            yield Return(await child)

        result = await registry.run()

        assert result[parent] == "raw 1"
        assert [node.name for node in parent.nodes_in(result.tree)[0].children] == ["load[1]"]


class TestWaits:
    async def test_deadline_around_a_yield_ends_that_child_alone(self, virtual_clock: VirtualClock) -> None:
        """A child that was there before, by `node.spawn`, has its whole time; who comes next, too."""
        registry = Registry("r")

        @registry.group(parallel=False, static=False)
        async def parent(node: TaskNode) -> Spawns[str]:
            first = node.spawn(work, 2)
            await anyio.sleep(1)
            try:
                with anyio.fail_after(5):
                    yield work.child(99)
            except TimeoutError:
                yield work.child(3)
            yield Return(f"{first.result} at {anyio.current_time():g}")

        tree = parent.build()

        assert await run(tree) == "2 at 9"
        assert statuses(tree) == {
            "r/parent": "done",
            "r/parent/work[2]": "done",
            "r/parent/work[99]": "cancelled",
            "r/parent/work[3]": "done",
        }

    async def test_deadline_around_a_yield_that_waits_for_the_queue_ends_no_child(self) -> None:
        """Under a parallel parent a yield waits for the queue alone: the others go on, this child never was."""
        registry = Registry("r")

        @registry.group(max_queued=1, max_parallel=1, static=False)
        async def parent() -> Spawns[str]:
            yield work.child(9)
            try:
                with anyio.fail_after(5):
                    yield work.child(8)
                    yield work.child(7)
            except TimeoutError:
                yield Return("in time")

        tree = parent.build()

        assert await run(tree) == "in time"
        assert statuses(tree) == {"r/parent": "done", "r/parent/work[9]": "done", "r/parent/work[8]": "done"}

    @both_parents
    async def test_deadline_and_task_group_around_a_yield(self, parallel: bool) -> None:
        """One in the other, each left in its order, while the children and the body's own tasks run."""
        registry = Registry("r")
        beats: list[float] = []

        async def beat() -> None:
            while True:
                await anyio.sleep(1)
                beats.append(anyio.current_time())

        @registry.group(parallel=parallel, static=False)
        async def parent() -> Spawns[list[float]]:
            with anyio.move_on_after(3.5):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(beat)
                    yield work.child(99)
                    yield JOIN
            yield work.child(1)
            yield Return((yield JOIN))

        tree = parent.build()

        assert await run(tree) == [1]
        assert beats == [1, 2, 3]
        assert statuses(tree) == {"r/parent": "done", "r/parent/work[99]": "cancelled", "r/parent/work[1]": "done"}

    async def test_cancel_of_a_body_that_waits_for_the_queue(self) -> None:
        """Children first, then the cancellation is thrown in at the yield."""
        registry = Registry("r")
        log: list[str] = []

        @registry.group(max_queued=1, max_parallel=1, static=False)
        async def parent(node: TaskNode) -> Spawns[None]:
            try:
                for number in range(100, 109):
                    yield work.child(number)
            except anyio.get_cancelled_exc_class():
                log.append("cancelled")
                raise
            finally:
                log.extend(child.status for child in node.children)

        await cancelled_after(5, parent.build())

        assert log == ["cancelled", "cancelled", "cancelled"]

    async def test_cancel_of_a_body_in_its_own_finally(self) -> None:
        """What it spawned is down already; the clean-up is cancelled where it waits, and ends by itself."""
        registry = Registry("r")
        log: list[str] = []

        @registry.group(static=False)
        async def parent() -> Spawns[None]:
            try:
                yield work.child(1)
                yield JOIN
            finally:
                try:
                    await anyio.sleep(99)
                except anyio.get_cancelled_exc_class():
                    log.append(f"cancelled at {anyio.current_time():g}")
                    raise

        tree = parent.build()
        await cancelled_after(5, tree)

        assert log == ["cancelled at 5"]
        assert statuses(tree) == {"r/parent": "cancelled", "r/parent/work[1]": "done"}

    @both_parents
    @pytest.mark.parametrize("value", [lambda: work.child(2), lambda: [work.child(2)], lambda: JOIN, lambda: Return(1)])
    async def test_yield_during_clean_up_is_an_error(self, value: Callable[[], Any], parallel: bool) -> None:
        """Whatever is yielded by a body that is being stopped."""
        registry = Registry("r")
        errors: list[str] = []

        @registry.group(parallel=parallel, static=False)
        async def parent() -> Spawns[Any]:
            try:
                yield work.child(99)
                yield JOIN
            finally:
                try:
                    yield value()
                except SpawnError as error:
                    errors.append(str(error))

        tree = parent.build()
        await cancelled_after(5, tree)

        assert errors == ["'r/parent' is being stopped: nothing may be yielded while it cleans up"]
        assert statuses(tree) == {"r/parent": "cancelled", "r/parent/work[99]": "cancelled"}

    @both_parents
    async def test_failure_never_reaches_a_foreign_await(self, parallel: bool) -> None:
        """A body that awaits something of its own is told when it comes back to the engine, not before."""
        registry = Registry("r")
        log: list[str] = []

        @registry.task(static=False, max_retries=0)
        async def broken() -> None:
            raise OSError("broken")

        @registry.group(parallel=parallel, static=False)
        async def parent(node: TaskNode) -> Spawns[str]:
            _ = node.spawn(broken)
            await anyio.sleep(5)
            log.append(f"slept until {anyio.current_time():g}")
            try:
                yield JOIN
            except TaskFailed as failed:
                yield Return(str(failed))

        tree = parent.build()

        assert await run(tree) == "child 'r/parent/broken' failed: broken"
        assert log == ["slept until 5"]

    async def test_spawned_child_starts_while_the_body_goes_on(self) -> None:
        """`node.spawn` queues at once; nobody has to await it."""
        registry = Registry("r")

        @registry.task(static=False)
        async def parent(node: TaskNode) -> str:
            child = node.spawn(work, 2)
            await anyio.sleep(3)
            return f"{child.node.status} at {child.node.ended_at}"

        assert await run(parent.build()) == "done at 2.0"


class TestCapacity:
    @both_parents
    async def test_three_levels_of_plain_spawners_in_one_thread_and_one_slot(self, parallel: bool) -> None:
        """A suspended body holds neither, wherever its steps run."""
        registry = Registry("r")

        @registry.group(static=False, parallel=parallel)
        def level(depth: int) -> SyncSpawns[int]:
            first, second = (level if depth else plain), (level if depth else plain)
            yield [first.child(depth - 1).keyed("a"), second.child(depth - 1).keyed("b")]
            results: list[int] = yield JOIN
            return sum(results) if depth else 1

        tree = level.build(2, config=TreeTaskConfig(max_concurrency=1, max_threads=1))

        assert await run(tree) == 4
        assert tree.get_stats()["done"] == 1 + 2 + 4 + 8

    @pytest.mark.slow
    async def test_a_hundred_thousand_children_and_never_more_than_a_hundred_unstarted(self) -> None:
        """`max_queued` bounds them at every moment, however many there are."""
        registry = Registry("r")
        most = 0

        @registry.task(static=False)
        async def nothing(number: int) -> None: ...

        @registry.group(static=False, max_queued=100)
        async def parent() -> Spawns[None]:
            nonlocal most
            for number in range(100_000):
                yield nothing.child(number)
                most = max(most, tree.get_stats()["pending"])

        tree = parent.build(config=TreeTaskConfig(max_concurrency=10))
        await AsyncExecutor(tree).run()

        assert most == 100
        assert tree.get_stats()["done"] == 100_001
