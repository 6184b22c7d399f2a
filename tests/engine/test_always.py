"""Nodes that run whatever happened around them: clean-ups and notices."""

from __future__ import annotations

import anyio
import pytest

from tests.engine.support import (
    Log,
    cancelled_after,
    ended,
    fail,
    fails_after,
    forever,
    node_of,
    ok,
    reasons,
    sleeps,
    statuses,
)
from treetask import AsyncExecutor, TaskNode, TreeBuilder, TreeCancelled, TreeFailed, TreeTaskConfig, optional

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]

ONCE = TreeTaskConfig(max_retries=0)


# -- when it goes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parallel", [True, False])
async def test_without_dependencies_it_goes_last(parallel: bool) -> None:
    """Wherever it was declared; under a sequential parent several go in turn."""
    log = Log()
    tree = (
        TreeBuilder("root", parallel=parallel)
        .add_child("cleans up", task=log.body(1), always=True)
        .add_child("a", task=log.body(2))
        .add_child("tells", task=log.body(2), always=True)
        .add_child("b", task=log.body(3))
        .build()
    )
    await AsyncExecutor(tree).run()

    ends = [line for line in log if line.endswith("ends")]
    assert {line.split()[0] for line in log[:4]} == {"a", "b"}
    assert ends[2:] == ["cleans up ends", "tells ends"]
    assert (log[5] == "cleans up ends") is not parallel
    assert set(statuses(tree).values()) == {"done"}


async def test_with_dependencies_it_goes_when_these_have_ended() -> None:
    """However they ended; the rest may still run."""
    log = Log()
    tree = (
        TreeBuilder("root", config=ONCE, on_failure="continue")
        .add_child("cleans up", task=log.body(1), always=True, depends_on=[optional("a")])
        .add_child("a", task=fails_after(1))
        .add_child("b", task=log.body(9))
        .build()
    )
    await ended(tree)

    assert log == ["b begins", "cleans up begins", "cleans up ends", "b ends"]
    assert statuses(tree) == {"root": "failed", "cleans up": "done", "a": "failed", "b": "done"}


async def test_under_a_sequential_parent_it_goes_last_with_dependencies_too() -> None:
    """A sequence is one after another, and what always runs is its end."""
    log = Log()
    tree = (
        TreeBuilder("root", parallel=False)
        .add_child("cleans up", task=log.body(), always=True, depends_on=[optional("a")])
        .add_child("a", task=log.body())
        .add_child("b", task=log.body())
        .build()
    )
    await AsyncExecutor(tree).run()

    assert [line for line in log if line.endswith("begins")] == ["a begins", "b begins", "cleans up begins"]


@pytest.mark.parametrize("policy", ["cancel", "finish", "continue"])
async def test_sibling_that_fails_does_not_keep_it_back(policy: str) -> None:
    """No policy reaches it; the run fails with what the sibling raised, and with nothing else."""
    log = Log()
    tree = (
        TreeBuilder("root", config=TreeTaskConfig(max_retries=0, on_failure=policy))
        .add_child("cleans up", task=log.body(1), always=True)
        .add_child("frees", task=log.body(5), always=True, depends_on=[optional("begun")])
        .add_child("begun", task=ok)
        .add_child("broken", task=fails_after(1))
        .add_child("slow", task=log.body(3))
        .build()
    )
    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert [str(leaf) for leaf in error.exceptions] == ["broken is broken"]
    slow = "cancelled" if policy == "cancel" else "done"
    assert statuses(tree) == {
        "root": "failed",
        "cleans up": "done",
        "frees": "done",
        "begun": "done",
        "broken": "failed",
        "slow": slow,
    }
    assert log[-2:] == ["cleans up begins", "cleans up ends"]
    assert tree.root.reason == "'broken' failed"


async def test_body_of_the_group_that_fails_does_not_keep_it_back() -> None:
    """The other children, which waited for that body, are skipped; what goes last waits for what has a dependency."""
    log = Log()
    tree = (
        TreeBuilder("root", config=ONCE)
        .add_node("group", task=fail)
        .add_child("cleans up", task=log.body(), always=True)
        .add_child("frees", task=log.body(), always=True, depends_on=[optional("work")])
        .add_child("work", task=log.body())
        .build()
    )
    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert [str(leaf) for leaf in error.exceptions] == ["group is broken"]
    assert statuses(tree) == {
        "root": "failed",
        "group": "failed",
        "cleans up": "done",
        "frees": "done",
        "work": "skipped",
    }
    assert log == ["frees begins", "frees ends", "cleans up begins", "cleans up ends"]


@pytest.mark.parametrize("why", ["skipped", "cancelled"])
async def test_group_that_has_not_started_has_nothing_to_clean_up(why: str) -> None:
    """It never runs then, and ends like the rest of its group."""
    log = Log()
    tree = (
        TreeBuilder("root", config=ONCE, parallel=why == "skipped", on_failure="continue")
        .add_child("broken", task=fail if why == "skipped" else forever)
        .add_node("group", depends_on=["broken"])
        .add_child("work", task=log.body())
        .add_child("cleans up", task=log.body(), always=True)
        .build()
    )
    await cancelled_after(1, tree)

    assert log == []
    assert [node_of(tree, name).status for name in ("group", "work", "cleans up")] == [why] * 3


async def test_condition_has_the_last_word() -> None:
    """`when` is asked when all else has ended, and can tell by that whether there is anything to do."""
    asked: list[dict[str, str]] = []

    def is_needed(node: TaskNode) -> bool:
        asked.append(statuses(tree))
        return False

    tree = (
        TreeBuilder("root", config=ONCE)
        .add_child("cleans up", task=fail, always=True, when=is_needed)
        .add_child("work", task=sleeps(1))
        .build()
    )
    await AsyncExecutor(tree).run()

    assert asked == [{"root": "working", "cleans up": "pending", "work": "done"}]
    assert statuses(tree) == {"root": "done", "cleans up": "skipped", "work": "done"}


async def test_child_that_is_added_while_others_clean_up_joins_them() -> None:
    """What always runs is let go at once, when it is time for that already."""
    log = Log()

    async def add(node: TaskNode) -> None:
        tree.root.add_child(TaskNode("late", task_fn=log.body(), always=True))
        await anyio.sleep(1)
        log.append(f"{node.id} ends")

    tree = (
        TreeBuilder("root", config=ONCE)
        .add_child("cleans up", task=add, always=True)
        .add_child("broken", task=fail)
        .build()
    )
    await ended(tree)

    assert log == ["late begins", "late ends", "cleans up ends"]
    assert node_of(tree, "late").status == "done"


async def test_child_that_a_body_adds_waits_for_its_siblings() -> None:
    """Like one that was declared."""
    log = Log()

    async def add(node: TaskNode) -> None:
        node.add_child(TaskNode("cleans up", task_fn=log.body(), always=True))
        node.add_child(TaskNode("work", task_fn=log.body(1)))

    tree = TreeBuilder("root", config=ONCE).add_child("adds", task=add).build()
    await AsyncExecutor(tree).run()

    assert log == ["work begins", "work ends", "cleans up begins", "cleans up ends"]


# -- how it ends -------------------------------------------------------------------------------------------------------


async def test_its_failure_counts_for_its_group() -> None:
    """A run whose clean-up fails has failed; other clean-ups go on."""
    log = Log()
    tree = (
        TreeBuilder("root", config=ONCE)
        .add_child("work", task=ok)
        .add_child("broken", task=fail, always=True)
        .add_child("cleans up", task=log.body(1), always=True)
        .build()
    )
    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert [str(leaf) for leaf in error.exceptions] == ["broken is broken"]
    assert statuses(tree) == {"root": "failed", "work": "done", "broken": "failed", "cleans up": "done"}
    assert reasons(tree) == {"root": "'broken' failed"}


async def test_its_failure_is_told_beside_the_one_before() -> None:
    """Both are leaves of what the run raises."""
    tree = (
        TreeBuilder("root", config=ONCE)
        .add_child("work", task=fails_after(1))
        .add_child("cleans up", task=fail, always=True)
        .build()
    )
    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert [str(leaf) for leaf in error.exceptions] == ["work is broken", "cleans up is broken"]


async def test_allowed_failure_of_a_clean_up_is_none_of_the_group() -> None:
    """The two options work together: try, but never mind."""
    tree = (
        TreeBuilder("root", config=ONCE)
        .add_child("work", task=ok)
        .add_child("cleans up", task=fail, always=True, allow_failure=True)
        .build()
    )
    await AsyncExecutor(tree).run()

    assert statuses(tree) == {"root": "done", "work": "done", "cleans up": "failed"}


async def test_group_that_cleans_up_keeps_its_failure_when_it_is_cancelled() -> None:
    """How it ended was clear before; a group that had done all its work was cancelled."""
    tree = (
        TreeBuilder("root", config=ONCE, on_failure="continue")
        .add_node("failed")
        .add_child("broken", task=fail)
        .add_child("cleans up after it", task=sleeps(3), always=True)
        .up()
        .add_node("well")
        .add_child("work", task=ok)
        .add_child("cleans up", task=sleeps(3), always=True)
        .build()
    )
    error = await cancelled_after(1, tree)

    assert isinstance(error, TreeCancelled)
    assert statuses(tree) == {
        "root": "cancelled",
        "failed": "failed",
        "broken": "failed",
        "cleans up after it": "done",
        "well": "cancelled",
        "work": "done",
        "cleans up": "done",
    }
