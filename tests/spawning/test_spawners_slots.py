"""Bodies that yield their children hold no slot while they wait, and hand over no more than they may."""

from __future__ import annotations

import anyio
import pytest

from tests.spawning.spawned import plain, run, work
from treetask import JOIN, AsyncExecutor, Child, Registry, Return, Spawns, SyncSpawns, TaskNode, TreeTaskConfig

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]


async def sleep_a_second() -> None:
    """Take a second."""
    await anyio.sleep(1)


@pytest.mark.parametrize(("max_concurrency", "max_threads"), [(1, 1), (1, 4), (None, 1)])
@pytest.mark.parametrize("depth", [1, 5])
async def test_one_slot_or_one_thread_never_deadlocks(
    max_concurrency: int | None, max_threads: int, depth: int
) -> None:
    """Who waits, at a yield or in an await, holds neither; at any depth, in threads as on the loop."""
    registry = Registry("r")

    @registry.task
    async def on_loop(depth: int) -> Spawns[int]:
        children = yield [plain.child(depth), *([in_thread.child(depth - 1)] if depth else [])]
        yield Return(sum([await child for child in children]))

    @registry.group(static=False, parallel=False)
    def in_thread(depth: int) -> SyncSpawns[int]:
        children = yield [plain.child(depth), *([on_loop.child(depth - 1)] if depth else [])]
        results = yield JOIN
        assert len(results) == len(children)
        return sum(results)

    config = TreeTaskConfig(max_concurrency=max_concurrency, max_threads=max_threads)
    tree = on_loop.build(depth, config=config)

    assert await run(tree) == sum(range(depth + 1))


async def test_nested_tree_completes_with_one_slot() -> None:
    """Row 1: parents with bodies, three levels of them, one slot: all of it runs."""
    registry = Registry("r")
    running: list[str] = []
    most: list[int] = []

    async def occupy(node: TaskNode) -> None:
        running.append(node.id)
        most.append(len(running))
        await anyio.sleep(1)
        running.remove(node.id)

    @registry.group
    async def outer(node: TaskNode) -> None:
        await occupy(node)

    @outer.group
    async def middle(node: TaskNode) -> None:
        await occupy(node)

    @middle.task
    async def inner(node: TaskNode) -> None:
        await occupy(node)

    @outer.task
    async def other(node: TaskNode) -> None:
        await occupy(node)

    tree = registry.build(TreeTaskConfig(max_concurrency=1))
    await AsyncExecutor(tree).run()

    assert tree.get_stats()["done"] == 5
    assert max(most) == 1


async def test_slots_are_never_exceeded_by_parents_that_come_back() -> None:
    """A body that goes on after a wait has a slot again, counted like all others."""
    registry = Registry("r")
    running: set[str] = set()
    most: list[int] = []

    class Slot:
        def __init__(self, node: TaskNode) -> None:
            self.id = node.id

        def __enter__(self) -> None:
            running.add(self.id)
            most.append(len(running))

        def __exit__(self, *_: object) -> None:
            running.discard(self.id)

    @registry.task
    async def leaf(node: TaskNode, number: int) -> None:
        with Slot(node):
            await anyio.sleep(1)

    @registry.task
    async def parent(node: TaskNode, number: int) -> Spawns[None]:
        for first in (0, 3):
            with Slot(node):
                await anyio.sleep(1)
            yield [leaf.child(number) for number in range(first, first + 3)]
            yield JOIN

    @registry.group(static=False)
    async def top() -> Spawns[None]:
        yield [parent.child(number) for number in range(4)]

    tree = top.build(config=TreeTaskConfig(max_concurrency=3))
    await AsyncExecutor(tree).run()

    assert tree.get_stats()["done"] == 1 + 4 + 24
    assert max(most) == 3


async def test_max_queued_bounds_the_unstarted_children() -> None:
    """The yield resumes once at most so many are unstarted; static children do not count."""
    registry = Registry("r")
    unstarted: list[int] = []

    @registry.group(max_queued=4)
    async def parent(node: TaskNode) -> Spawns[None]:
        for number in range(20):
            yield work.child(1).keyed(str(number))
            unstarted.append(sum(child.status == "pending" and child.id.endswith("]") for child in node.children))

    for number in range(10):
        parent.task(id=f"static{number}")(sleep_a_second)

    tree = registry.build(TreeTaskConfig(max_concurrency=3))
    await AsyncExecutor(tree).run()

    assert max(unstarted) == 4
    assert tree.get_stats()["done"] == 32


async def test_max_queued_holds_after_a_join() -> None:
    """Static children that a JOIN lets go are no credit for later ones."""
    registry = Registry("r")
    unstarted: list[int] = []

    @registry.group(max_queued=2)
    async def parent(node: TaskNode) -> Spawns[None]:
        yield JOIN
        for number in range(10):
            yield work.child(1).keyed(str(number))
            unstarted.append(sum(child.status == "pending" for child in node.children))

    for number in range(5):
        parent.task(id=f"static{number}")(sleep_a_second)

    await AsyncExecutor(registry.build(TreeTaskConfig(max_concurrency=2))).run()

    assert max(unstarted) == 2


async def test_children_that_wait_for_the_body_do_not_count_as_queued() -> None:
    """`add_child` beside yields: its nodes start after the body, so a yield must not wait for their start."""
    registry = Registry("r")

    @registry.group(max_queued=1, static=False)
    async def parent(node: TaskNode) -> Spawns[None]:
        node.add_child(TaskNode("later"))
        for number in range(3):
            yield work.child(1).keyed(str(number))

    tree = parent.build()
    await AsyncExecutor(tree).run()

    assert tree.get_stats()["done"] == 5


async def test_body_waits_in_a_sub_task() -> None:
    """An await of a child in a task of the body gives the slot up as well."""
    registry = Registry("r")
    results: list[float] = []

    @registry.task(static=False)
    async def parent(node: TaskNode) -> None:
        async def wait_for(child: Child[float]) -> None:
            results.append(await child)

        async with anyio.create_task_group() as tasks:
            for seconds in (1, 2, 3):
                tasks.start_soon(wait_for, node.spawn(work, seconds))

    tree = parent.build(config=TreeTaskConfig(max_concurrency=1))
    await AsyncExecutor(tree).run()

    assert results == [1, 2, 3]


async def test_body_that_waits_in_one_task_goes_on_in_another_without_a_slot() -> None:
    """What the one waits for may need the very slot that the other would take."""
    registry = Registry("r")
    log: list[tuple[str, float]] = []

    @registry.task(static=False)
    async def parent(node: TaskNode) -> None:
        async def wait_for(child: Child[float]) -> None:
            log.append((f"{await child} is back", anyio.current_time()))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait_for, node.spawn(work, 1))
            tasks.start_soon(wait_for, node.spawn(work, 9))

    await AsyncExecutor(parent.build(config=TreeTaskConfig(max_concurrency=1))).run()

    assert log == [("1 is back", 1), ("9 is back", 10)]


async def test_body_that_gives_up_waiting_for_its_slot_gets_it_the_next_time() -> None:
    """A scope of its own may end the wait for the slot; the books stay right."""
    registry = Registry("r")
    log: list[str] = []
    running: list[str] = []

    @registry.task
    async def occupy(node: TaskNode, seconds: float) -> None:
        assert running == []
        running.append(node.id)
        if seconds:
            await anyio.sleep(seconds)
        running.remove(node.id)

    @registry.task(static=False)
    async def parent(node: TaskNode) -> None:
        # The quick one waits for nothing, so the slow one has the slot in the same turn.
        quick, slow = node.spawn(occupy, 0), node.spawn(occupy, 9)
        with anyio.move_on_after(3) as scope:
            await quick
        log.append(f"gave up: {scope.cancelled_caught}")
        await slow
        assert running == []
        last = node.spawn(occupy, 2)
        await anyio.sleep(1)
        assert running == []
        await last

    tree = parent.build(config=TreeTaskConfig(max_concurrency=1))
    await AsyncExecutor(tree).run()

    assert log == ["gave up: True"]
    assert tree.get_stats()["done"] == 4
