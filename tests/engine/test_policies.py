"""What a failure means for the rest of the tree, as whole tables of statuses."""

from __future__ import annotations

from typing import Literal, TypeAlias

import anyio
import pytest

from tests.engine.support import Log, ended, fail, fails_after, node_of, ok, reasons, sleeps, statuses
from treetask import AsyncExecutor, TaskNode, TreeBuilder, TreeCancelled, TreeFailed, TreeTaskConfig
from treetask.testing import Recorder, VirtualClock

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]

Policy: TypeAlias = Literal["cancel", "finish", "continue"]
POLICIES: list[Policy] = ["cancel", "finish", "continue"]


def a_tree_with(policy: Policy | None, *, of_config: Policy = "cancel") -> TreeBuilder:
    """Return a group in which a node fails after a second: beside it some run, one waits, some depend on others."""
    return (
        TreeBuilder("root", config=TreeTaskConfig(max_retries=0, max_concurrency=4, on_failure=of_config))
        .add_node("group", on_failure=policy)
        .add_child("fails", task=fails_after(1))
        .add_child("quick", task=ok)
        .add_node("runs", task=sleeps(2))
        .add_child("below", task=ok)
        .up()
        .add_child("slow", task=sleeps(3))
        .add_child("also slow", task=sleeps(3))
        .add_child("waits", task=ok, depends_on=["runs"])
        .add_child("needs it", task=ok, depends_on=["fails"])
        .up()
        .add_child("after", task=ok, depends_on=["group"])
    )


async def test_policy_cancel_stops_running_siblings_and_starts_no_more(virtual_clock: VirtualClock) -> None:
    """Siblings end as cancelled, not as timed out or failed; what needs the failed one is skipped; at once."""
    tree = a_tree_with("cancel").build()

    assert isinstance(await ended(tree), TreeFailed)

    assert statuses(tree) == {
        "root": "failed",
        "group": "failed",
        "fails": "failed",
        "quick": "done",
        "runs": "cancelled",
        "below": "cancelled",
        "slow": "cancelled",
        "also slow": "cancelled",
        "waits": "cancelled",
        "needs it": "skipped",
        "after": "skipped",
    }
    assert reasons(tree) == {
        "root": "'group' failed",
        "group": "'fails' failed",
        "runs": "'fails' failed",
        "below": "its parent 'runs' was cancelled",
        "slow": "'fails' failed",
        "also slow": "'fails' failed",
        "waits": "'fails' failed",
        "needs it": "'fails' failed",
        "after": "'group' failed",
    }
    assert virtual_clock.now() == 1


async def test_policy_finish_lets_what_runs_finish_with_its_subtree(virtual_clock: VirtualClock) -> None:
    """What had begun goes on to its end, with the nodes below it; nothing else starts."""
    tree = a_tree_with("finish").build()

    assert isinstance(await ended(tree), TreeFailed)

    assert statuses(tree) == {
        "root": "failed",
        "group": "failed",
        "fails": "failed",
        "quick": "done",
        "runs": "done",
        "below": "done",
        "slow": "done",
        "also slow": "done",
        "waits": "cancelled",
        "needs it": "skipped",
        "after": "skipped",
    }
    assert virtual_clock.now() == 3


async def test_policy_continue_runs_everything_independent(virtual_clock: VirtualClock) -> None:
    """Only what needs the failed one does not run."""
    tree = a_tree_with("continue").build()

    assert isinstance(await ended(tree), TreeFailed)

    assert statuses(tree) == {
        "root": "failed",
        "group": "failed",
        "fails": "failed",
        "quick": "done",
        "runs": "done",
        "below": "done",
        "slow": "done",
        "also slow": "done",
        "waits": "done",
        "needs it": "skipped",
        "after": "skipped",
    }


@pytest.mark.parametrize("policy", POLICIES)
async def test_group_takes_the_policy_of_what_is_above_it(policy: Policy) -> None:
    """A group that states no policy has its parent's, and the root the config's."""
    by_itself, by_config = a_tree_with(policy).build(), a_tree_with(None, of_config=policy).build()

    await ended(by_itself)
    await ended(by_config)

    assert statuses(by_itself) == statuses(by_config)


async def test_policy_of_a_group_is_its_own_affair() -> None:
    """A group that goes on after failures fails in the end, and then its parent's policy applies."""
    log = Log()
    tree = (
        TreeBuilder("root", config=TreeTaskConfig(max_retries=0))
        .add_node("group", on_failure="continue")
        .add_child("fails", task=fail)
        .add_child("independent", task=log.body(5))
        .up()
        .add_child("beside", task=log.body(9))
        .build()
    )

    await ended(tree)

    assert log == ["independent begins", "beside begins", "independent ends", "beside is cancelled"]
    assert statuses(tree) == {
        "root": "failed",
        "group": "failed",
        "fails": "failed",
        "independent": "done",
        "beside": "cancelled",
    }


@pytest.mark.parametrize(("policy", "behind"), [("cancel", "cancelled"), ("finish", "cancelled"), ("continue", "done")])
async def test_failure_in_a_sequence(policy: Policy, behind: str) -> None:
    """The rest of a sequence runs only where the policy says that it goes on."""
    tree = (
        TreeBuilder("root", parallel=False, config=TreeTaskConfig(max_retries=0, on_failure=policy))
        .add_child("first", task=ok)
        .add_child("fails", task=fail)
        .add_child("behind", task=ok)
        .add_node("last")
        .add_child("below", task=ok)
        .build()
    )

    await ended(tree)

    assert statuses(tree) == {
        "root": "failed",
        "first": "done",
        "fails": "failed",
        "behind": behind,
        "last": behind,
        "below": behind,
    }


@pytest.mark.parametrize("policy", POLICIES)
async def test_dependent_of_a_failed_node_is_skipped_and_never_runs(policy: Policy) -> None:
    """Whatever the policy; the reason names the dependency, and what depends on the skipped one is skipped as well."""
    log = Log()
    tree = (
        TreeBuilder("root", config=TreeTaskConfig(max_retries=0, on_failure=policy))
        .add_child("fails", task=fail)
        .add_child("first", task=log.body(), depends_on=["fails"])
        .add_child("second", task=log.body(), depends_on=["first"])
        .build()
    )

    await ended(tree)

    assert log == []
    assert statuses(tree) == {"root": "failed", "fails": "failed", "first": "skipped", "second": "skipped"}
    assert reasons(tree) == {"root": "'fails' failed", "first": "'fails' failed", "second": "'first' was skipped"}


async def test_dependency_on_a_node_below_a_skipped_one_is_resolved() -> None:
    """A node that was never reached counts as skipped for those that wait for it."""
    tree = (
        TreeBuilder("root", on_failure="continue", config=TreeTaskConfig(max_retries=0))
        .add_child("fails", task=fail)
        .add_node("skipped", depends_on=["fails"])
        .add_child("never reached", task=ok)
        .up()
        .add_child("waits", task=ok, depends_on=["never reached"])
        .build()
    )

    await ended(tree)

    assert statuses(tree) == {
        "root": "failed",
        "fails": "failed",
        "skipped": "skipped",
        "never reached": "skipped",
        "waits": "skipped",
    }


async def test_children_of_a_failed_body_are_skipped() -> None:
    """They were to run after it."""
    tree = (
        TreeBuilder("root", on_failure="continue", config=TreeTaskConfig(max_retries=0))
        .add_node("parent", task=fail)
        .add_child("child", task=ok)
        .up()
        .add_child("waits", task=ok, depends_on=["child"])
        .build()
    )

    await ended(tree)

    assert statuses(tree) == {"root": "failed", "parent": "failed", "child": "skipped", "waits": "skipped"}
    assert reasons(tree)["child"] == "its parent 'parent' failed"


async def test_group_with_a_cancelled_child_is_cancelled() -> None:
    """Failed before cancelled before done; a skipped child decides nothing."""

    async def stop(node: TaskNode) -> None:
        node_of(tree, "stopped").cancel("by hand")

    tree = (
        TreeBuilder("root", on_failure="continue")
        .add_node("group")
        .add_child("stopped", task=sleeps(9))
        .add_child("goes on", task=sleeps(5))
        .add_child("needs it", task=ok, depends_on=["stopped"])
        .up()
        .add_node("skips")
        .add_child("needs it too", task=ok, depends_on=["stopped"])
        .up()
        .add_child("stops", task=stop)
        .build()
    )

    assert isinstance(await ended(tree), TreeCancelled)

    assert statuses(tree) == {
        "root": "cancelled",
        "group": "cancelled",
        "stopped": "cancelled",
        "goes on": "done",
        "needs it": "skipped",
        "skips": "done",
        "needs it too": "skipped",
        "stops": "done",
    }


async def test_node_cancelled_before_its_group_began_counts() -> None:
    """A group whose child was cancelled is cancelled, though that happened before its own body ran."""

    async def stop(node: TaskNode) -> None:
        node_of(tree, "stopped").cancel("by hand")
        await anyio.sleep(1)

    tree = (
        TreeBuilder("root", parallel=False)
        .add_child("stops", task=stop)
        .add_node("group", task=ok)
        .add_child("stopped", task=ok)
        .add_child("other", task=ok)
        .build()
    )

    assert isinstance(await ended(tree), TreeCancelled)

    assert statuses(tree) == {
        "root": "cancelled",
        "stops": "done",
        "group": "cancelled",
        "stopped": "cancelled",
        "other": "done",
    }


async def test_two_failures_at_once_are_both_failures() -> None:
    """The second one ends in the same turn, before anybody can stop it."""
    tree = TreeBuilder("root", config=TreeTaskConfig(max_retries=0))
    tree.add_child("a", task=fails_after(1)).add_child("b", task=fails_after(1))

    error = await ended(tree.build())

    assert isinstance(error, TreeFailed)
    assert {str(leaf) for leaf in error.exceptions} <= {"a is broken", "b is broken"}


async def test_nothing_begins_in_the_same_moment_after_a_failure() -> None:
    """Groups without a body begin at once; not those whose sibling's condition has just failed."""

    def broken(node: TaskNode) -> bool:
        raise OSError("broken condition")

    tree = (
        TreeBuilder("root")
        .add_child("asks", task=ok, when=broken)
        .add_node("group")
        .add_child("below", task=ok)
        .build()
    )
    executor, recorder = AsyncExecutor(tree), Recorder()
    executor.subscribe(recorder)
    await ended(executor)

    assert recorder.starts == ["root"]
    assert statuses(tree) == {"root": "failed", "asks": "failed", "group": "cancelled", "below": "cancelled"}
