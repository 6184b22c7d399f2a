"""Bodies that yield their children: what each yield means, and when it comes back (R19, R20, R22 to R26)."""

from __future__ import annotations

import threading

import anyio
import pytest

from tests.engine.support import ended, node_of, statuses, turns, until
from treetask import (
    JOIN,
    AsyncExecutor,
    Child,
    DependencyCycleError,
    DuplicateChildError,
    Registry,
    Return,
    SpawnError,
    Spawns,
    SyncSpawns,
    TaskNode,
    TaskTree,
    TreeFailed,
    TreeTaskConfig,
    TreeTaskError,
)
from treetask.testing import Recorder, VirtualClock

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]

leaves = Registry("leaves")


@leaves.task
async def work(seconds: float, key: str = "") -> float:
    """Take some time and return it."""
    await anyio.sleep(seconds)
    return seconds


@leaves.task
def plain(number: int) -> int:
    """Return the number, from a thread."""
    return number


@leaves.task
async def broken(seconds: float = 0, key: str = "") -> None:
    """Fail, after a while."""
    await anyio.sleep(seconds)
    raise OSError("broken")


async def sleep_a_second() -> None:
    """Take a second."""
    await anyio.sleep(1)


async def run(tree: TaskTree) -> object:
    """Run a tree and return the root's result."""
    await AsyncExecutor(tree).run()
    return tree.root.result


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


@pytest.mark.parametrize("parallel", [True, False])
async def test_call_instead_of_a_child_is_refused_with_the_fix(parallel: bool) -> None:
    """A coroutine that was yielded is closed, and the message says what to write."""
    registry = Registry("r")

    @registry.group(parallel=parallel, static=False)
    async def parent() -> Spawns[None]:
        yield work(1)  # type: ignore[misc]  # pyright: ignore[reportReturnType]

    error = await ended(parent.build())

    assert isinstance(error, TreeFailed)
    assert [(type(leaf), str(leaf)) for leaf in error.exceptions] == [
        (TypeError, "'r/parent': you yielded a call of 'work'; write: yield work.child(...)")
    ]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            42,
            "'r/parent' yielded 42; expected a child (task.child(...)), an iterable of children, JOIN or Return(value)",
        ),
        (
            "",
            "'r/parent' yielded ''; expected a child (task.child(...)), an iterable of children, JOIN or Return(value)",
        ),
        ([42], "'r/parent' yielded an iterable with 42; expected task.child(...) only"),
    ],
)
async def test_anything_else_is_refused_at_that_yield(value: object, message: str) -> None:
    """It is thrown in there, so the body's own `try` sees it."""
    registry = Registry("r")
    seen: list[str] = []

    @registry.group(static=False)
    async def parent() -> Spawns[str]:
        try:
            yield value  # type: ignore[misc]  # pyright: ignore[reportReturnType]
        except TypeError as error:
            seen.append(str(error))
        yield Return("went on")

    assert await run(parent.build()) == "went on"
    assert seen == [message]


async def test_duplicate_child_is_refused_at_its_yield() -> None:
    """The message names the key and the way out; the first child is not touched."""
    registry = Registry("r")
    seen: list[str] = []

    @registry.group(static=False)
    async def parent() -> Spawns[None]:
        yield work.child(1)
        try:
            yield work.child(1)
        except DuplicateChildError as error:
            seen.append(str(error))
        yield work.child(1).keyed("again")

    tree = parent.build()
    await AsyncExecutor(tree).run()

    message = "spawn it once, or tell the two apart: .child(...).keyed('...')"
    assert seen == [f"'r/parent' already has a child 'work[1]'; {message}"]
    assert tree.ids() == ["r/parent", "r/parent/work[1]", "r/parent/work[again]"]


async def test_child_that_was_started_is_refused() -> None:
    """A child is one node."""
    registry = Registry("r")
    seen: list[str] = []

    @registry.group(static=False)
    async def parent() -> Spawns[None]:
        child = yield work.child(1)
        try:
            yield child
        except SpawnError as error:
            seen.append(str(error))

    await AsyncExecutor(parent.build()).run()

    assert seen == ["child 'r/parent/work[1]' was started before; make a second one with .child(...)"]


async def test_spawned_child_can_be_awaited() -> None:
    """`node.spawn` queues at once, like a yield, and the child's result is typed."""
    registry = Registry("r")

    @registry.task(static=False)
    async def parent(node: TaskNode) -> float:
        slow, quick = node.spawn(work, 2), node.spawn(work, 1)
        return await quick - await slow

    assert await run(parent.build()) == -1


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


@pytest.mark.parametrize(("max_concurrency", "max_threads"), [(1, 1), (1, 4), (None, 1)])
@pytest.mark.parametrize("depth", [1, 5])
async def test_one_slot_or_one_thread_never_deadlocks(
    max_concurrency: int | None, max_threads: int, depth: int
) -> None:
    """R22: who waits, at a yield or in an await, holds neither; at any depth, in threads as on the loop."""
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


async def test_retry_of_a_spawner_starts_from_the_top() -> None:
    """R25: children that still run are cancelled, and the body may spawn the same keys again, after a JOIN too."""
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


async def test_result_of_a_child_before_its_end_is_refused() -> None:
    """`child.result` is for children that are done."""
    registry = Registry("r")
    seen: list[str] = []

    @registry.group(static=False)
    async def parent() -> Spawns[None]:
        child: Child[float] = yield work.child(5)
        try:
            _ = child.result
        except TreeTaskError as error:
            seen.append(str(error))

    await AsyncExecutor(parent.build()).run()

    assert seen == ["child 'r/parent/work[5]' is still pending; await it first"]


async def test_ten_thousand_children_by_yield() -> None:
    """R45: a yield is no walk, and the queue keeps its bound."""
    registry = Registry("r")

    @registry.task
    async def leaf(number: int) -> None:
        pass

    @registry.group(static=False)
    async def parent() -> Spawns[None]:
        for number in range(10_000):
            yield leaf.child(number)

    tree = parent.build()
    await AsyncExecutor(tree).run()

    assert tree.get_stats()["done"] == 10_001


async def test_body_waits_in_a_sub_task() -> None:
    """R22: an await of a child in a task of the body gives the slot up as well."""
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


async def test_awaiting_a_child_outside_of_its_run_waits_no_more() -> None:
    """The handle of a child still has its result when the run is over."""
    registry = Registry("r")
    children: list[Child[float]] = []

    @registry.group(static=False)
    async def parent() -> Spawns[None]:
        children.append((yield work.child(1)))

    await AsyncExecutor(parent.build()).run()

    assert await children[0] == 1


async def test_somebody_else_may_wait_for_a_child() -> None:
    """A body may await the child of another one; it gives its own slot up, not the parent's."""
    registry = Registry("r")
    handed: list[Child[float]] = []

    @registry.task
    async def other() -> float:
        await until(lambda: bool(handed))
        return await handed[0]

    @registry.group
    async def parent() -> Spawns[None]:
        handed.append((yield work.child(5)))

    tree = registry.build(TreeTaskConfig(max_concurrency=2))
    await AsyncExecutor(tree).run()

    assert node_of(tree, "r/other").result == 5


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


def a_registry_of_vain_waits(*, parallel: bool, wait: str) -> Registry:
    """Return a group whose body waits for a child that needs a static child, which starts only after the body."""
    registry = Registry("r")

    @registry.group(parallel=parallel)
    async def crawl(node: TaskNode) -> Spawns[None]:
        if wait == "spawn":
            await node.spawn(fetch, 1)
            return
        if wait == "after a JOIN":
            yield JOIN
        child: Child[int] = yield fetch.child(1)
        if wait == "await":
            await child

    @crawl.task
    async def login() -> str:
        return "token"

    @crawl.task
    async def session(token: str = login.output) -> str:
        return token

    @crawl.task
    async def fetch(number: int, token: str = session.output) -> int:
        return number

    return registry


@pytest.mark.parametrize(("parallel", "wait"), [(False, "yield"), (True, "await"), (True, "spawn")])
async def test_body_that_would_wait_for_itself_is_told(parallel: bool, wait: str) -> None:
    """A child that needs what starts only after the body would be waited for without end; the fix is in the message."""
    tree = a_registry_of_vain_waits(parallel=parallel, wait=wait).build()
    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert [type(leaf) for leaf in error.exceptions] == [DependencyCycleError]
    assert str(error.exceptions[0]) == (
        "'r/crawl/fetch[1]' depends on itself: r/crawl/fetch[1] -> r/crawl/session -> r/crawl -> r/crawl/fetch[1]; "
        "'r/crawl/session' starts after the body of 'r/crawl', which would wait for 'r/crawl/fetch[1]'; "
        "let it go ahead first: yield JOIN"
    )


@pytest.mark.parametrize(("parallel", "wait"), [(True, "yield"), (True, "after a JOIN"), (False, "after a JOIN")])
async def test_child_may_need_a_static_child_that_can_run(parallel: bool, wait: str) -> None:
    """A body that does not wait, or has let its static children go, holds nothing up."""
    tree = a_registry_of_vain_waits(parallel=parallel, wait=wait).build()
    await AsyncExecutor(tree).run()

    assert tree.get_stats()["done"] == 5
