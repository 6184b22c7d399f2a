"""What is refused before anything runs, with the fix in the message."""

from __future__ import annotations

import re

import anyio
import pytest

from tests.engine.support import forever, ok, statuses, until
from tests.sentences import exactly
from treetask import (
    AsyncExecutor,
    DependencyCycleError,
    DuplicateNodeError,
    NodeOwnedError,
    TaskNode,
    TaskStatus,
    TaskTree,
    TreeBuilder,
    TreeRunningError,
    TreeTaskConfig,
    UnknownDependencyError,
)

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("max_concurrency", 0, "max_concurrency is 0; expected at least 1; None means no limit"),
        ("max_threads", 0, "max_threads is 0; expected at least 1; None means min(32, CPUs + 4)"),
        ("max_retries", -1, "max_retries is -1; expected at least 0"),
        ("global_timeout", -1, "global_timeout is -1; expected a finite number of seconds from 0; None means no limit"),
        ("on_failure", "stop", "on_failure is 'stop'; expected one of 'cancel', 'finish', 'continue'"),
    ],
)
async def test_option_of_the_config_out_of_range_is_refused(option: str, value: object, message: str) -> None:
    """The config may be changed until the run starts, and is checked then; nothing has run."""
    tree = TreeBuilder("root").add_child("a", task=ok).build()
    setattr(tree.config, option, value)

    with pytest.raises(ValueError, match=exactly(f"TreeTaskConfig: {message}")):
        await AsyncExecutor(tree).run()
    assert statuses(tree) == {"root": "pending", "a": "pending"}


async def test_max_concurrency_of_zero_is_refused_where_it_is_given() -> None:
    """An executor's own config is checked like the tree's."""
    tree = TreeBuilder("root").add_child("a", task=ok).build()

    with pytest.raises(ValueError, match=r"max_concurrency is 0; expected at least 1"):
        await AsyncExecutor(tree, config=TreeTaskConfig(max_concurrency=0)).run()


async def test_dependency_on_an_unknown_id_is_refused() -> None:
    """The message names the nearest id that there is."""
    builder = TreeBuilder("root").add_child("fetch", task=ok).add_child("load", task=ok, depends_on=["fetsh"])

    with pytest.raises(
        UnknownDependencyError, match=exactly("task 'load' depends on unknown task 'fetsh' (did you mean 'fetch'?)")
    ):
        builder.build()


async def test_dependency_on_itself_is_refused() -> None:
    """The shortest of all cycles is printed as one."""
    builder = TreeBuilder("root").add_child("a", task=ok, depends_on=["a"])

    message = "'a' depends on itself: a -> a; remove one of these dependencies"
    with pytest.raises(DependencyCycleError, match=exactly(message)):
        builder.build()


async def test_dependency_on_an_ancestor_is_refused() -> None:
    """A group ends after its children, so none of them can wait for its end."""
    builder = TreeBuilder("root").add_node("group").add_child("a", task=ok, depends_on=["group"])

    with pytest.raises(DependencyCycleError, match=r"^'a' depends on itself: a -> group -> a; 'group' ends after its "):
        builder.build()


async def test_cycle_of_dependencies_is_refused() -> None:
    """The cycle is printed from one end to the other."""
    builder = (
        TreeBuilder("root")
        .add_child("a", depends_on=["b"])
        .add_child("b", depends_on=["c"])
        .add_child("c", depends_on=["a"])
    )

    message = "'a' depends on itself: a -> b -> c -> a; remove one of these dependencies"
    with pytest.raises(DependencyCycleError, match=exactly(message)):
        builder.build()


async def test_dependency_on_a_later_sibling_of_a_sequence_is_refused() -> None:
    """A sequence starts its nodes in order, so an earlier one cannot wait for a later one."""
    builder = TreeBuilder("root", parallel=False).add_child("a", depends_on=["b"]).add_child("b")

    with pytest.raises(DependencyCycleError, match=r"^'a' depends on itself: a -> b -> a; .*'root' is sequential"):
        builder.build()


async def test_cycle_across_two_sequences_is_refused() -> None:
    """Two sequences that wait for each other's later nodes never start."""
    builder = (
        TreeBuilder("root")
        .add_node("left", parallel=False)
        .add_child("left 1", depends_on=["right 2"])
        .add_child("left 2")
        .up()
        .add_node("right", parallel=False)
        .add_child("right 1", depends_on=["left 2"])
        .add_child("right 2")
    )

    with pytest.raises(DependencyCycleError, match=r"^'left 1' depends on itself: left 1 -> right 2 -> right 1 -> "):
        builder.build()


async def test_tree_made_by_hand_is_checked_when_it_is_run() -> None:
    """A tree that no builder has checked is refused by `run`, before anything starts."""
    root = TaskNode("root", children=[TaskNode("a", task_fn=ok), TaskNode("b", task_fn=ok, depends_on=["c"])])
    tree = TaskTree(root)

    with pytest.raises(UnknownDependencyError, match=re.escape("task 'b' depends on unknown task 'c'")):
        await AsyncExecutor(tree).run()
    assert (tree.is_running, tree.get_stats()["pending"]) == (False, 3)


async def test_duplicate_id_is_refused_and_both_places_named() -> None:
    """An id is unique in its tree."""
    builder = TreeBuilder("root").add_node("left").add_child("a").up().add_node("right")

    message = "duplicate id 'a': first under 'left', again under 'right'; give one of them another id"
    with pytest.raises(DuplicateNodeError, match=exactly(message)):
        builder.add_child("a")


async def test_node_under_two_parents_is_refused() -> None:
    """A node has one parent, and would run once for each otherwise."""
    shared = TaskNode("shared", task_fn=ok)
    TaskNode("first", children=[shared])

    message = (
        "node 'shared' cannot be added to 'second': it is already a child of 'first'; make a second TaskNode instead"
    )
    with pytest.raises(NodeOwnedError, match=exactly(message)):
        TaskNode("second", children=[shared])


async def test_option_that_is_not_built_yet_is_refused_by_name() -> None:
    """What is not there is refused, never accepted and ignored."""
    with pytest.raises(
        TypeError, match=exactly("node 'a': option 'backend' is not available in this version of TreeTask")
    ):
        TreeBuilder("root").add_child("a", task=ok, backend="process")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


async def test_tree_that_runs_cannot_be_run_a_second_time() -> None:
    """One tree, one run at a time: a second executor is refused, and the first goes on."""
    tree = TreeBuilder("root").add_child("a", task=forever).build()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(AsyncExecutor(tree).run)
        await until(lambda: tree.is_running)
        message = "tree 'root' is already running; build a second tree to run it twice"
        with pytest.raises(TreeRunningError, match=exactly(message)):
            await AsyncExecutor(tree).run()
        assert tree.is_running
        tasks.cancel_scope.cancel()


async def test_executor_cannot_run_a_second_time() -> None:
    """An executor is one run: the second is refused, during the first and after it."""
    tree = TreeBuilder("root").add_child("a", task=ok).build()
    executor = AsyncExecutor(tree)
    message = exactly("this executor has run 'root' already; make another one")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(executor.run)
        await anyio.sleep(0)
        await anyio.sleep(0)
        with pytest.raises(TreeRunningError, match=message):
            await executor.run()
    with pytest.raises(TreeRunningError, match=message):
        await executor.run()

    assert statuses(tree) == {"root": "done", "a": "done"}


async def test_finished_tree_is_not_run_again_by_mistake() -> None:
    """A tree that has ended says how to run it again."""
    tree = TreeBuilder("root").add_child("a", task=ok).build()
    await AsyncExecutor(tree).run()

    message = "node 'root' is already done; call tree.reset() before the run"
    with pytest.raises(TreeRunningError, match=exactly(message)):
        await AsyncExecutor(tree).run()


async def test_something_else_than_a_tree_is_refused() -> None:
    """The builder itself is a likely mistake."""
    builder = TreeBuilder("root")

    with pytest.raises(
        TypeError, match=r"^AsyncExecutor runs a TaskTree, not <.*>; TreeBuilder\.build\(\) returns one$"
    ):
        AsyncExecutor(builder)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def test_node_that_says_it_works_is_refused() -> None:
    """A run begins from the beginning: a node that something else has started would never end."""
    tree = TreeBuilder("root").add_child("half", task=ok).build()
    (half,) = tree.root.children
    half.status = TaskStatus.WORKING

    message = "node 'half' is already working; call tree.reset() before the run"
    with pytest.raises(TreeRunningError, match=exactly(message)):
        await AsyncExecutor(tree).run()
