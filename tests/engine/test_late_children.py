"""Nodes that are added while the tree runs: where they start, when they are refused, from which thread."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import anyio
import anyio.to_thread
import pytest

from tests.engine.support import Log, ended, fail, fails_after, forever, node_of, ok, sleeps, statuses, turns
from treetask import (
    JOIN,
    AsyncExecutor,
    DependencyCycleError,
    DuplicateNodeError,
    FinishedParentError,
    NodeOwnedError,
    OptionalDependency,
    Registry,
    TaskNode,
    TaskTree,
    TreeBuilder,
    TreeRunningError,
    TreeTaskConfig,
    UnknownDependencyError,
    optional,
)

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]


async def test_child_added_by_a_body_starts_after_it() -> None:
    """It is indexed and counted at once; `register_node` is harmless."""
    log = Log()

    async def add(node: TaskNode) -> None:
        log.append("body begins")
        child = node.add_child(TaskNode("late", task_fn=log.body()))
        tree.register_node(child)
        assert tree.find("late") is child
        assert tree.get_stats()["total"] == 3
        await anyio.sleep(5)
        log.append("body ends")

    tree = TreeBuilder("root").add_child("adds", task=add).build()
    await AsyncExecutor(tree).run()

    assert log == ["body begins", "body ends", "late begins", "late ends"]
    assert statuses(tree) == {"root": "done", "adds": "done", "late": "done"}


async def test_child_added_to_a_parallel_parent_whose_children_run_starts_now() -> None:
    """Its siblings may be half way."""
    log = Log()

    async def add(node: TaskNode) -> None:
        await anyio.sleep(2)
        node_of(tree, "group").add_child(TaskNode("late", task_fn=log.body(1)))

    tree = (
        TreeBuilder("root")
        .add_node("group")
        .add_child("slow", task=log.body(9))
        .up()
        .add_child("adds", task=add)
        .build()
    )
    await AsyncExecutor(tree).run()

    assert log == ["slow begins", "late begins", "late ends", "slow ends"]
    assert tree.get_stats()["done"] == 5


async def test_child_added_to_a_sequential_parent_goes_to_the_end() -> None:
    """It runs when all that were there before have ended."""
    log = Log()

    async def add(node: TaskNode) -> None:
        await anyio.sleep(1)
        for name in ("late 1", "late 2"):
            node_of(tree, "sequence").add_child(TaskNode(name, task_fn=log.body(1)))

    tree = (
        TreeBuilder("root")
        .add_node("sequence", parallel=False)
        .add_child("first", task=log.body(2))
        .add_child("second", task=log.body(2))
        .up()
        .add_child("adds", task=add)
        .build()
    )
    await AsyncExecutor(tree).run()

    names = [line.removesuffix(" begins") for line in log if line.endswith("begins")]
    assert names == ["first", "second", "late 1", "late 2"]


async def test_child_added_to_a_finished_parent_is_refused() -> None:
    """The error names both and says when it would have been right; nothing has changed."""
    refused: list[str] = []

    async def add(node: TaskNode) -> None:
        child = TaskNode("late", task_fn=ok)
        with pytest.raises(FinishedParentError) as error:
            node_of(tree, "finished").add_child(child)
        refused.append(str(error.value))
        assert (child.parent, len(tree)) == (None, 3)

    tree = TreeBuilder("root", parallel=False).add_child("finished", task=ok).add_child("adds", task=add).build()
    await AsyncExecutor(tree).run()

    message = "its parent 'finished' is already done; add it before the parent ends, or to a node that still runs"
    assert refused == [f"node 'late' cannot be added: {message}"]


async def test_child_added_to_a_node_that_has_not_begun_waits_with_it() -> None:
    """It is there when the node's turn comes."""
    log = Log()

    async def add(node: TaskNode) -> None:
        node_of(tree, "later").add_child(TaskNode("late", task_fn=log.body()))

    tree = TreeBuilder("root", parallel=False).add_child("adds", task=add).add_child("later", task=log.body()).build()
    await AsyncExecutor(tree).run()

    assert log == ["later begins", "later ends", "late begins", "late ends"]


async def test_whole_branch_is_added_at_once() -> None:
    """A node brings what is below it, dependencies among them included."""
    log = Log()

    async def add(node: TaskNode) -> None:
        branch = TaskNode("branch", parallel=False)
        branch.add_child(TaskNode("b1", task_fn=log.body()))
        inner = branch.add_child(TaskNode("inner"))
        inner.add_child(TaskNode("b3", task_fn=log.body(), depends_on=["b2"]))
        inner.add_child(TaskNode("b2", task_fn=log.body(1)))
        node.add_child(branch)

    tree = TreeBuilder("root").add_child("adds", task=add).build()
    await AsyncExecutor(tree).run()

    assert [line.removesuffix(" begins") for line in log if line.endswith("begins")] == ["b1", "b2", "b3"]
    assert tree.get_stats()["done"] == len(tree) == 7


async def test_child_added_from_a_thread() -> None:
    """`add_child` off the loop is handed to it, answered, and a refusal raises in the thread."""
    log = Log()
    refused: list[str] = []

    def add(node: TaskNode) -> None:
        node.add_child(TaskNode("late", task_fn=log.body()))
        assert tree.find("late") is not None
        with pytest.raises(DuplicateNodeError) as error:
            node.add_child(TaskNode("late", task_fn=log.body()))
        refused.append(str(error.value))

    tree = TreeBuilder("root").add_child("adds", task=add).build()
    await AsyncExecutor(tree).run()

    assert log == ["late begins", "late ends"]
    assert refused == ["duplicate id 'late': first under 'adds', again under 'adds'; give one of them another id"]


async def test_child_added_from_a_thread_that_is_no_body() -> None:
    """Any thread will do while the tree runs."""
    tree = TreeBuilder("root").add_child("runs", task=sleeps(9)).build()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(AsyncExecutor(tree).run)
        await turns()
        late = TaskNode("late", task_fn=ok)
        await anyio.to_thread.run_sync(tree.root.add_child, late)

    assert statuses(tree) == {"root": "done", "runs": "done", "late": "done"}


async def test_added_node_is_checked_like_a_declared_one() -> None:
    """Duplicate ids, unknown ids, second parents, cycles; each is refused and leaves the tree as it was."""
    errors: list[type[Exception]] = []

    async def add(node: TaskNode) -> None:
        before = (len(tree), tree.get_stats())
        for child in (
            TaskNode("other"),
            TaskNode("late", depends_on=["nobody"]),
            node_of(tree, "other"),
            TaskNode("late", depends_on=["adds"]),
            TaskNode("late", children=[TaskNode("below", depends_on=["waits"])]),
        ):
            with pytest.raises(Exception, match=r".") as error:
                node.add_child(child)
            errors.append(type(error.value))
            assert (len(tree), tree.get_stats()) == before

    tree = (
        TreeBuilder("root")
        .add_child("adds", task=add)
        .add_child("other", task=sleeps(5))
        .add_child("waits", task=ok, depends_on=["adds"])
        .build()
    )
    await AsyncExecutor(tree).run()

    assert errors == [
        DuplicateNodeError,
        UnknownDependencyError,
        NodeOwnedError,
        DependencyCycleError,
        DependencyCycleError,
    ]
    assert tree.get_stats()["done"] == 4


async def test_cycle_closed_by_a_node_added_while_running_is_printed() -> None:
    """Row 6: the message is that of a cycle that was declared."""
    messages: list[str] = []

    async def add(node: TaskNode) -> None:
        with pytest.raises(DependencyCycleError) as error:
            node.add_child(TaskNode("late", depends_on=["waits"]))
        messages.append(str(error.value))

    tree = TreeBuilder("root").add_child("adds", task=add).add_child("waits", task=ok, depends_on=["adds"]).build()
    await AsyncExecutor(tree).run()

    assert len(messages) == 1
    assert messages[0].startswith("'late' depends on itself: late -> waits -> adds -> late; ") or messages[
        0
    ].startswith("'waits' depends on itself: waits -> adds -> late -> waits; ")


@pytest.mark.parametrize("wanted", ["late", optional("late")])
async def test_late_node_that_depends_on_itself_is_refused(wanted: str | OptionalDependency) -> None:
    """In a plain body as in one that yields, with the words that are used before the run."""
    messages: list[str] = []

    def add_to(node: TaskNode) -> None:
        with pytest.raises(DependencyCycleError) as error:
            node.add_child(TaskNode("late", depends_on=[wanted]))
        messages.append(str(error.value))

    async def plain(node: TaskNode) -> None:
        add_to(node)

    async def spawner(node: TaskNode) -> AsyncGenerator[object, Any]:
        add_to(node)
        yield JOIN

    tree = TreeBuilder("root").add_child("plain", task=plain).add_child("spawner", task=spawner).build()
    await AsyncExecutor(tree).run()

    assert messages == ["'late' depends on itself: late -> late; remove one of these dependencies"] * 2
    assert statuses(tree) == {"root": "done", "plain": "done", "spawner": "done"}


async def test_late_node_may_depend_on_any_node_of_the_tree() -> None:
    """On one that is done, one that runs, and one that failed, which skips it."""
    log = Log()

    async def add(node: TaskNode) -> None:
        await anyio.sleep(1)
        for dependency in ("done", "runs", "failed"):
            node.add_child(TaskNode(f"after {dependency}", task_fn=log.body(), depends_on=[dependency]))

    tree = (
        TreeBuilder("root", on_failure="continue", config=TreeTaskConfig(max_retries=0))
        .add_child("done", task=ok)
        .add_child("runs", task=sleeps(5))
        .add_child("failed", task=fail)
        .add_child("adds", task=add)
        .build()
    )
    await ended(tree)

    assert statuses(tree) == {
        "root": "failed",
        "done": "done",
        "runs": "done",
        "failed": "failed",
        "adds": "done",
        "after done": "done",
        "after runs": "done",
        "after failed": "skipped",
    }
    assert node_of(tree, "after failed").reason == "'failed' failed"


async def test_late_child_of_a_stopped_group_is_cancelled() -> None:
    """Where a sibling has failed, nothing new starts."""

    async def add(node: TaskNode) -> None:
        await anyio.sleep(3)
        node_of(tree, "group").add_child(TaskNode("late", task_fn=ok))

    tree = (
        TreeBuilder("root", on_failure="continue", config=TreeTaskConfig(max_retries=0))
        .add_node("group", on_failure="finish")
        .add_child("fails", task=fails_after(1))
        .add_child("slow", task=sleeps(9))
        .up()
        .add_child("adds", task=add)
        .build()
    )
    await ended(tree)

    assert statuses(tree) == {
        "root": "failed",
        "group": "failed",
        "fails": "failed",
        "slow": "done",
        "late": "cancelled",
        "adds": "done",
    }


async def test_late_child_with_a_status_that_has_ended_is_not_run() -> None:
    """A node may come in as done or failed; the group takes it as it is."""

    async def add(node: TaskNode) -> None:
        node_of(tree, "group").add_child(TaskNode("was done", status="done", task_fn=fail))
        node_of(tree, "group").add_child(TaskNode("was cancelled", status="cancelled", task_fn=fail))
        node.add_child(TaskNode("was done too", status="done", task_fn=fail))

    tree = (
        TreeBuilder("root").add_node("group").add_child("runs", task=sleeps(5)).up().add_child("adds", task=add).build()
    )
    await ended(tree)

    assert statuses(tree) == {
        "root": "cancelled",
        "group": "cancelled",
        "runs": "done",
        "was done": "done",
        "was cancelled": "cancelled",
        "adds": "done",
        "was done too": "done",
    }


async def test_tree_with_nodes_that_have_ended_runs_the_rest() -> None:
    """Whoever builds a tree may say of a node that it is done already; who depends on it starts at once."""
    log = Log()
    root = TaskNode("root", parallel=False)
    root.add_child(TaskNode("before", status="done", task_fn=fail))
    root.add_child(TaskNode("runs", task_fn=log.body(), depends_on=["before"]))
    tree = TaskTree(root)
    await AsyncExecutor(tree).run()

    assert log == ["runs begins", "runs ends"]
    assert statuses(tree) == {"root": "done", "before": "done", "runs": "done"}


async def test_children_are_not_removed_while_the_tree_runs() -> None:
    """A body that tries is told so; `node.cancel()` is what it wants."""
    messages: list[str] = []

    async def remove(node: TaskNode) -> None:
        with pytest.raises(TreeRunningError) as error:
            tree.root.remove_child(node_of(tree, "other"))
        messages.append(str(error.value))

    tree = TreeBuilder("root").add_child("removes", task=remove).add_child("other", task=ok).build()
    await AsyncExecutor(tree).run()

    assert messages == ["node 'other' cannot be removed while its tree runs"]
    assert tree.get_stats()["done"] == 3


async def test_late_child_of_a_body_that_is_cancelled_never_runs() -> None:
    """What waited for the body to end waits in vain."""
    log = Log()

    async def add(node: TaskNode) -> None:
        node.add_child(TaskNode("late", task_fn=log.body()))
        await forever(node)

    tree = TreeBuilder("root").add_child("adds", task=add).build()
    executor = AsyncExecutor(tree)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, executor)
        await anyio.sleep(1)
        executor.cancel("enough")

    assert log == []
    assert statuses(tree) == {"root": "cancelled", "adds": "cancelled", "late": "cancelled"}


async def test_child_of_a_body_that_has_failed_does_not_start() -> None:
    """Its siblings are still being stopped; what they were to do together is over."""

    async def clean_up(node: TaskNode) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(5)

    cleans_up = Registry("registry").task(static=False)(clean_up)

    async def spawn_and_fail(node: TaskNode) -> AsyncGenerator[Any, Any]:
        yield JOIN
        yield cleans_up.child()
        await anyio.sleep(1)
        raise OSError("broken")

    async def add(node: TaskNode) -> None:
        await anyio.sleep(3)
        assert node_of(tree, "fails").status == "working"
        node_of(tree, "fails").add_child(TaskNode("late", task_fn=ok))

    tree = (
        TreeBuilder("root", on_failure="continue", config=TreeTaskConfig(max_retries=0))
        .add_child("fails", task=spawn_and_fail)
        .add_child("adds", task=add)
        .build()
    )
    await ended(tree)

    assert (node_of(tree, "late").status, node_of(tree, "late").reason) == ("skipped", "its parent 'fails' failed")


async def test_refused_node_with_a_cost_leaves_nothing_behind() -> None:
    """What it made use of is not looked for: no node that stayed has a cost."""

    async def add(node: TaskNode) -> None:
        with pytest.raises(DependencyCycleError):
            node.add_child(TaskNode("refused", task_fn=ok, cost=3, depends_on=["adds"]))
        node.add_child(TaskNode("late", task_fn=ok, priority=1))

    tree = TreeBuilder("root").add_child("adds", task=add).build()
    await AsyncExecutor(tree).run()

    assert statuses(tree) == {"root": "done", "adds": "done", "late": "done"}
