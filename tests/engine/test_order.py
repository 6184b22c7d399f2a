"""What runs when, and what is counted, while all goes well."""

from __future__ import annotations

import anyio
import pytest

from tests.engine.support import Log, node_of, ok, sleeps, statuses
from treetask import AsyncExecutor, Limit, StatusError, TaskNode, TaskTree, TreeBuilder, TreeTaskConfig
from treetask.testing import Recorder, VirtualClock

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]


async def record(tree: TaskTree) -> Recorder:
    """Return what was told of a run that ends well."""
    recorder = Recorder()
    executor = AsyncExecutor(tree)
    executor.subscribe(recorder)
    assert await executor.run() is tree
    return recorder


async def test_tree_of_one_bare_node_is_done() -> None:
    """A root without a body and without children has nothing to wait for."""
    tree = TreeBuilder("root").build()
    await AsyncExecutor(tree).run()

    assert statuses(tree) == {"root": "done"}


async def test_tree_of_one_body_is_run() -> None:
    """The root may be the only task there is."""
    tree = TaskTree(TaskNode("root", task_fn=sleeps(1)))
    await AsyncExecutor(tree).run()

    assert (statuses(tree), tree.root.elapsed) == ({"root": "done"}, 1)


async def test_parallel_children_run_at_the_same_time(virtual_clock: VirtualClock) -> None:
    """Three that take 1, 2 and 3 seconds take 3 together."""
    builder = TreeBuilder("root")
    for seconds in (3, 1, 2):
        builder.add_child(f"sleeps {seconds}", task=sleeps(seconds))

    recorder = await record(builder.build())

    assert recorder.starts == ["root", "sleeps 3", "sleeps 1", "sleeps 2"]
    assert recorder.ends == ["sleeps 1", "sleeps 2", "sleeps 3", "root"]
    assert virtual_clock.now() == 3


async def test_sequential_children_run_one_after_another(virtual_clock: VirtualClock) -> None:
    """Each starts when the one before it, with all below it, has ended."""
    log = Log()
    tree = (
        TreeBuilder("root", parallel=False)
        .add_child("first", task=log.body(3))
        .add_node("second", task=log.body(1))
        .add_child("below", task=log.body(5))
        .up()
        .add_child("third", task=log.body(1))
        .build()
    )

    await AsyncExecutor(tree).run()

    expected = [f"{name} {what}" for name in ("first", "second", "below", "third") for what in ("begins", "ends")]
    assert log == expected
    assert virtual_clock.now() == 10


async def test_body_ends_before_its_children_begin() -> None:
    """What a body has prepared is there for its children, and the node is at work until they are down."""
    log = Log()
    tree = TreeBuilder("root").add_node("parent", task=log.body(2)).add_child("child", task=log.body(1)).build()

    recorder = await record(tree)

    assert log == ["parent begins", "parent ends", "child begins", "child ends"]
    assert recorder.ends == ["child", "parent", "root"]
    assert node_of(tree, "parent").elapsed == 3


async def test_dependency_means_the_end_of_the_subtree() -> None:
    """Who depends on a group waits for the last node below it, not for its body."""
    log = Log()
    tree = (
        TreeBuilder("root")
        .add_child("waits", task=log.body(), depends_on=["group"])
        .add_node("group", task=log.body(1))
        .add_child("slow", task=log.body(5))
        .build()
    )

    await AsyncExecutor(tree).run()

    assert log[-3:] == ["slow ends", "waits begins", "waits ends"]


async def test_dependencies_across_groups_are_met() -> None:
    """Nodes of different groups wait for each other, to and fro."""
    log = Log()
    tree = (
        TreeBuilder("root")
        .add_node("left")
        .add_child("left 1", task=log.body(1))
        .add_child("left 2", task=log.body(1), depends_on=["right 1"])
        .up()
        .add_node("right")
        .add_child("right 1", task=log.body(1), depends_on=["left 1"])
        .add_child("right 2", task=log.body(1), depends_on=["left 2", "left 1"])
        .build()
    )

    await AsyncExecutor(tree).run()

    assert [line for line in log if line.endswith("begins")] == [
        f"{name} begins" for name in ("left 1", "right 1", "left 2", "right 2")
    ]


async def test_sequence_waits_for_a_dependency_of_its_first_node() -> None:
    """A sequential child that still waits holds up those behind it, and nobody else."""
    log = Log()
    tree = (
        TreeBuilder("root")
        .add_node("sequence", parallel=False)
        .add_child("waits", task=log.body(), depends_on=["slow"])
        .add_child("behind", task=log.body())
        .up()
        .add_child("slow", task=log.body(9))
        .build()
    )

    await AsyncExecutor(tree).run()

    assert [line for line in log if line.endswith("begins")] == ["slow begins", "waits begins", "behind begins"]


async def test_ready_nodes_start_in_the_order_of_declaration() -> None:
    """With one slot, whatever became ready when, the earlier declared one goes first."""
    log = Log()
    tree = (
        TreeBuilder("root", config=TreeTaskConfig(max_concurrency=1))
        .add_child("a", task=log.body(), depends_on=["d"])
        .add_node("b")
        .add_child("b1", task=log.body())
        .up()
        .add_child("c", task=log.body())
        .add_child("d", task=log.body())
        .add_child("e", task=log.body())
        .build()
    )

    await AsyncExecutor(tree).run()

    assert [line.removesuffix(" begins") for line in log if line.endswith("begins")] == ["b1", "c", "d", "a", "e"]


async def test_results_are_kept_and_dicts_merged() -> None:
    """A body's result is the node's; one that is a dict is merged into the node's data too."""

    async def answer(node: TaskNode) -> dict[str, int]:
        return {"answer": 42}

    async def text(node: TaskNode) -> str:
        return "text"

    tree = TreeBuilder("root").add_child("dict", task=answer, data={"kept": 1}).add_child("text", task=text).build()
    await AsyncExecutor(tree).run()

    assert tree.collect_results() == {"dict": {"answer": 42}, "text": "text"}
    assert node_of(tree, "dict").data == {"kept": 1, "answer": 42}
    assert node_of(tree, "text").data == {}


async def test_quarter_of_the_progress_when_one_of_four_is_done() -> None:
    """Nodes that do work count one unit each, groups count none, and all of it is done in the end."""
    seen: list[tuple[int, int]] = []

    async def look(node: TaskNode) -> None:
        await anyio.sleep(1)
        stats = tree.get_progress_stats()
        seen.append((stats["current"], stats["total"]))

    tree = (
        TreeBuilder("root", parallel=False)
        .add_node("phase 1")
        .add_child("task 1", task=ok)
        .up()
        .add_node("phase 2", parallel=False)
        .add_child("task 2", task=look)
        .add_child("task 3", task=look)
        .add_child("task 4", task=look)
        .build()
    )
    await AsyncExecutor(tree).run()

    stats = tree.get_progress_stats()
    assert seen == [(1, 4), (2, 4), (3, 4)]
    assert (stats["current"], stats["total"]) == (4, 4)


async def test_progress_of_a_body_counts_while_it_runs() -> None:
    """A body's own units add to the others' single ones, and count in full when it has ended."""
    seen: list[dict[str, int]] = []

    async def work(node: TaskNode) -> None:
        for done in (1, 2):
            node.progress = (done, 10)
            seen.append(tree.get_progress_stats())

    tree = TreeBuilder("root").add_child("work", task=work).add_child("after", task=ok, depends_on=["work"]).build()
    await AsyncExecutor(tree).run()

    assert [(stats["current"], stats["total"]) for stats in seen] == [(1, 11), (2, 11)]
    assert node_of(tree, "work").progress == (2, 10)
    assert tree.get_progress_stats()["current"] == 11


async def test_status_is_the_engines_while_it_runs() -> None:
    """A body that assigns a status is told that it may not."""
    refused: list[str] = []

    async def meddle(node: TaskNode) -> None:
        try:
            node.status = "done"
        except StatusError as error:
            refused.append(str(error))

    tree = TreeBuilder("root").add_child("meddles", task=meddle).build()
    await AsyncExecutor(tree).run()

    assert refused == [
        "node 'meddles' cannot go from working to done: the tree runs, and only the engine may change a status then"
    ]


async def test_tree_can_run_again_after_a_reset() -> None:
    """A finished tree that was reset runs like a new one, with another executor."""
    log = Log()
    tree = TreeBuilder("root").add_child("a", task=log.body()).add_child("b", task=log.body()).build()
    await AsyncExecutor(tree).run()
    tree.reset()
    assert statuses(tree) == {"root": "pending", "a": "pending", "b": "pending"}

    await AsyncExecutor(tree).run()

    assert log.count("a begins") == 2
    assert tree.get_stats()["done"] == 3


async def test_reset_takes_out_what_bodies_added() -> None:
    """They add it again; what was added by hand between runs stays."""

    async def add(node: TaskNode) -> None:
        below = TaskNode("added", task_fn=ok)
        below.add_child(TaskNode("below", task_fn=ok))
        node.add_child(below)

    tree = TreeBuilder("root").add_child("adds", task=add).build()
    tree.root.add_child(TaskNode("before", task_fn=ok))
    await AsyncExecutor(tree).run()
    assert tree.ids() == ["root", "adds", "before", "added", "below"]

    tree.reset()
    tree.root.add_child(TaskNode("after", task_fn=ok))
    assert tree.ids() == ["root", "adds", "before", "after"]

    await AsyncExecutor(tree).run()
    tree.reset()
    assert tree.ids() == ["root", "adds", "before", "after"]


async def test_body_that_starts_last_lets_the_clock_be_looked_at(virtual_clock: VirtualClock) -> None:
    """Who waits for a limit's next second starts then, though a long body was found to start meanwhile."""
    limit = Limit("api", per_second=1)
    tree = (
        TreeBuilder("root")
        .add_child("first", task=ok, limits=[limit])
        .add_child("second", task=ok, limits=[limit], depends_on=["first"])
        .add_child("long", task=sleeps(60), depends_on=["first"])
        .build()
    )
    recorder = await record(tree)

    assert recorder.ends == ["first", "second", "long", "root"]
    assert node_of(tree, "second").started_at == 1


async def test_first_cost_that_is_known_orders_those_that_were_there_before() -> None:
    """Theirs is unknown and counts as the median, also where priorities have ordered them so far."""

    async def add(node: TaskNode) -> None:
        tree.root.add_child(TaskNode("late", task_fn=ok, cost=1))

    tree = (
        TreeBuilder("root", config=TreeTaskConfig(max_concurrency=1))
        .add_child("adds", task=add, priority=0)
        .add_child("prepares", task=ok)
        .add_child("works", task=ok, depends_on=["prepares"])
        .build()
    )
    recorder = await record(tree)

    assert recorder.starts == ["root", "adds", "prepares", "works", "late"]
