"""Progress, data and lines of logs that bodies set while they run, from threads as well."""

from __future__ import annotations

import threading

import anyio
import anyio.to_thread
import pytest

from tests.engine.support import node_of, ok, sleeps, statuses, turns
from tests.properties.recount import check_counters
from treetask import AsyncExecutor, Event, LogExtended, StatusChanged, TaskNode, TaskTree, TreeBuilder

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]


async def test_progress_from_a_thread_is_read_back_at_once_and_counted_soon() -> None:
    """The thread sees what it set; the counters move on the loop, and are right at every moment."""
    seen: list[tuple[int, int] | None] = []

    def work(node: TaskNode) -> None:
        for done in range(100):
            node.progress = (done, 100)
            seen.append(node.progress)

    def check(tree: TaskTree) -> None:
        check_counters(tree, tree.root)

    tree = TreeBuilder("root").add_child("work", task=work).add_child("other", task=ok).build()
    await AsyncExecutor(tree, on_update=check).run()

    assert seen == [(done, 100) for done in range(100)]
    assert node_of(tree, "work").progress == (99, 100)
    check_counters(tree, tree.root)
    assert tree.get_progress_stats()["total"] == 101


async def test_progress_set_in_the_last_moment_of_a_thread_is_kept() -> None:
    """A run does not end before what its threads said is counted."""

    def work(node: TaskNode) -> None:
        node.progress = (7, 10)

    tree = TaskTree(TaskNode("root", task_fn=work))
    await AsyncExecutor(tree).run()

    assert (tree.root.progress, tree.late_progress) == ((7, 10), {})
    assert tree.get_progress_stats()["current"] == 10
    check_counters(tree, tree.root)


async def test_progress_of_another_node_from_a_thread() -> None:
    """A thread may speak for any node of the tree, one that has ended included."""

    def speak(node: TaskNode) -> None:
        node_of(tree, "group").progress = (1, 4)
        node_of(tree, "before").progress = (2, 2)

    tree = (
        TreeBuilder("root", parallel=False)
        .add_child("before", task=ok)
        .add_node("group")
        .add_child("speaks", task=speak)
        .build()
    )
    await AsyncExecutor(tree).run()

    assert (node_of(tree, "group").progress, node_of(tree, "before").progress) == ((1, 4), (2, 2))
    check_counters(tree, node_of(tree, "group"))


async def test_progress_from_many_threads_at_once() -> None:
    """The last one set is the one that stays; nothing is counted twice."""
    barrier = threading.Barrier(4)

    def work(node: TaskNode) -> None:
        barrier.wait()
        for done in range(200):
            node.progress = (done, 200)

    builder = TreeBuilder("root")
    for number in range(4):
        builder.add_child(f"{number}", task=work)
    tree = builder.build()
    tree.config.max_threads = 4
    await AsyncExecutor(tree).run()

    assert {node.progress for node in tree.root.children} == {(199, 200)}
    assert tree.get_progress_stats()["total"] == 800
    check_counters(tree, tree.root)


async def test_progress_from_a_thread_of_a_node_that_was_discarded() -> None:
    """A node that a retry has taken out of the tree may still be spoken for; nobody counts it."""
    handed = threading.Event()
    late: list[TaskNode] = []

    async def add(node: TaskNode) -> None:
        child = node.add_child(TaskNode(f"child {node.retry_count}"))
        if not node.retry_count:
            late.append(child)
            raise OSError("not yet")
        handed.set()
        await anyio.sleep(1)

    def speak(node: TaskNode) -> None:
        handed.wait()
        late[0].progress = (1, 2)

    tree = TreeBuilder("root").add_child("adds", task=add).add_child("speaks", task=speak).build()
    await AsyncExecutor(tree).run()

    assert late[0].progress == (1, 2)
    check_counters(tree, tree.root)


async def test_progress_set_from_outside_of_any_body() -> None:
    """Whoever holds the tree may set it while it runs, on the loop or off it."""
    tree = TreeBuilder("root").add_child("runs", task=sleeps(5)).build()
    runs = node_of(tree, "runs")

    def speak() -> None:
        runs.progress = (2, 4)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(AsyncExecutor(tree).run)
        await turns()
        runs.progress = (1, 4)
        assert tree.get_progress_stats()["current"] == 1
        await anyio.to_thread.run_sync(speak)
        await turns()
        assert tree.get_progress_stats()["current"] == 2

    assert statuses(tree) == {"root": "done", "runs": "done"}


async def test_data_of_a_node_is_shared_by_its_body_and_its_neighbours() -> None:
    """`data` is a plain dict, for any thread; a dict that a body returns is merged in at its end."""

    def write(node: TaskNode) -> dict[str, int]:
        node.data["written"] = 1
        node_of(tree, "reads").data["from a thread"] = 2
        return {"returned": 3}

    async def read(node: TaskNode) -> dict[str, int]:
        return {**node_of(tree, "writes").data, **node.data}

    tree = TreeBuilder("root", parallel=False).add_child("writes", task=write).add_child("reads", task=read).build()
    await AsyncExecutor(tree).run()

    assert node_of(tree, "reads").result == {"written": 1, "returned": 3, "from a thread": 2}


async def test_progress_out_of_range_is_refused_in_the_body() -> None:
    """A mistake in a body's own numbers is that body's failure, from a thread too."""
    refused: list[str] = []

    def set_wrong(node: TaskNode) -> None:
        for wrong in ((-1, 2), (1, float("inf"))):
            try:
                node.progress = wrong  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
            except ValueError as error:
                refused.append(str(error))

    tree = TreeBuilder("root").add_child("wrong", task=set_wrong).build()
    await AsyncExecutor(tree).run()

    expected = "expected (current, total), two numbers from 0"
    assert refused == [
        f"node 'wrong': progress is (-1, 2); {expected}",
        f"node 'wrong': progress is (1, inf); {expected}",
    ]


async def test_lines_from_threads_reach_the_log_and_observers_before_the_end() -> None:
    """In their order, from the body's own thread and for other nodes; nobody but the loop changes the tree."""

    def work(node: TaskNode) -> None:
        for number in range(100):
            tree.extend_log(node, b"line %d\n" % number)
            tree.extend_log(tree.root, b"of the root\n")

    heard: list[str] = []

    class Observer:
        def on_event(self, event: Event) -> None:
            if isinstance(event, LogExtended) and event.node is not tree.root:
                heard.extend(event.lines)
            elif isinstance(event, StatusChanged) and event.node is not tree.root:
                heard.append(str(event.new))

    tree = TreeBuilder("root").add_child("work", task=work).build()
    executor = AsyncExecutor(tree)
    executor.subscribe(Observer())
    await executor.run()

    lines = [f"line {number}" for number in range(100)]
    assert heard == ["working", *lines, "done"]
    assert (node_of(tree, "work").log, tree.root.log) == (lines, ["of the root"] * 100)
