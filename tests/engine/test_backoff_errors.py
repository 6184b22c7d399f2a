"""What is repeated after a while, and what is not: the kinds of failures."""

from __future__ import annotations

import math

import anyio
import pytest

from tests.engine.support import AsyncBody, ended, fail, fails_times, forever, node_of, statuses
from treetask import Registry, Retry, TaskNode, TaskTree, TreeBuilder, TreeFailed, TreeTaskConfig
from treetask.testing import VirtualClock

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]

EXACT = Retry(on=OSError, attempts=4, wait_initial=1, wait_max=100, wait_jitter=0)
"""Waits of 1, 2 and 4 seconds."""


ONCE = TreeTaskConfig(max_retries=0)


async def test_error_of_another_kind_is_final(virtual_clock: VirtualClock) -> None:
    """The node fails at once with it."""
    tree = TreeBuilder("root").add_child("broken", task=fails_times(9, ValueError), retry=EXACT).build()

    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert [repr(leaf) for leaf in error.exceptions] == ["ValueError('attempt 1')"]
    assert (node_of(tree, "broken").retry_count, virtual_clock.now()) == (0, 0)


def notes(error: BaseException) -> list[str]:
    """Return the notes of an exception, on Python 3.10 too."""
    return list(getattr(error, "__notes__", []))


async def test_last_failure_is_what_the_run_raises() -> None:
    """One leaf with one note, though the node has failed four times."""
    tree = TreeBuilder("root").add_child("broken", task=fails_times(9), retry=EXACT).build()

    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert [str(leaf) for leaf in error.exceptions] == ["attempt 4"]
    assert notes(error.exceptions[0]) == ["in task 'broken'"]
    assert statuses(tree) == {"root": "failed", "broken": "failed"}


async def test_error_that_is_raised_again_has_one_note() -> None:
    """Whoever keeps an exception and raises it in each attempt."""
    kept = OSError("kept")

    async def body(node: TaskNode) -> None:
        raise kept

    tree = TreeBuilder("root").add_child("broken", task=body, retry=EXACT).build()
    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert error.exceptions == (kept,)
    assert notes(kept) == ["in task 'broken'"]


async def test_config_repeats_nothing_that_has_a_retry_of_its_own() -> None:
    """The config's number of retries is for nodes that say nothing."""
    retry = Retry(on=ValueError)
    tree = TreeBuilder("root", config=TreeTaskConfig(max_retries=5)).add_child("broken", task=fail, retry=retry).build()
    await ended(tree)

    assert node_of(tree, "broken").retry_count == 0


async def test_attempt_out_of_time_counts_as_a_timeout_error(virtual_clock: VirtualClock) -> None:
    """Also for a group, whose children are stopped for it."""
    retry = Retry(on=TimeoutError, wait_initial=1, wait_jitter=0)
    tree = (
        TreeBuilder("root", config=ONCE, on_failure="continue")
        .add_child("leaf", task=slow_at_first(1), timeout=5, retry=retry)
        .add_node("group", timeout=5, retry=retry)
        .add_child("below", task=slow_at_first(1))
        .up()
        .add_child("of another kind", task=forever, timeout=5, retry=Retry(on=ValueError))
        .build()
    )
    await ended(tree)

    assert statuses(tree) == {
        "root": "failed",
        "leaf": "done",
        "group": "done",
        "below": "done",
        "of another kind": "timed_out",
    }
    assert virtual_clock.now() == 5 + 1 + 1


def slow_at_first(count: int) -> AsyncBody:
    """Return a body that never ends in the first attempts of its node, or of its group, and takes a second then."""

    async def body(node: TaskNode) -> None:
        attempts = max(node.retry_count, 0 if node.parent is None else node.parent.retry_count)
        await anyio.sleep(1 if attempts >= count else math.inf)

    return body


async def test_body_that_lets_a_childs_failure_pass_counts_as_that() -> None:
    """What the child raised decides, not that it was a child."""
    registry = Registry("root")
    attempts: list[str] = []

    @registry.task(static=False)
    async def child(error: str) -> None:
        raise {"OSError": OSError, "ValueError": ValueError}[error]("broken")

    @registry.task(retry=EXACT)
    async def worth_it(node: TaskNode) -> None:
        attempts.append(node.id)
        if node.retry_count < 2:
            await node.spawn(child, "OSError")

    @registry.task(retry=EXACT)
    async def in_vain(node: TaskNode) -> None:
        attempts.append(node.id)
        await node.spawn(child, "ValueError")

    tree = registry.build(TreeTaskConfig(on_failure="continue"))
    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert [repr(leaf) for leaf in error.exceptions] == ["ValueError('broken')"]
    assert sorted(attempts) == ["root/in_vain", *["root/worth_it"] * 3]


async def test_group_is_repeated_if_all_that_failed_is_worth_it() -> None:
    """Under "continue" several children may have failed, or some that were groups themselves."""

    def group(name: str, *errors: type[Exception]) -> TaskNode:
        top = TaskNode(name, retry=EXACT, on_failure="continue")
        for number, error in enumerate(errors):
            inner = top.add_child(TaskNode(f"{name} {number}"))
            inner.add_child(TaskNode(f"{name} {number} body", task_fn=fails_times(9, error)))
        return top

    tree = TaskTree(TaskNode("root", on_failure="continue"), ONCE)
    tree.root.add_child(group("worth it", OSError, ConnectionError))
    tree.root.add_child(group("not both", OSError, ValueError))
    tree.root.add_child(group("none", ValueError))
    await ended(tree)

    retries = {name: node_of(tree, name).retry_count for name in ("worth it", "not both", "none")}
    assert retries == {"worth it": 3, "not both": 0, "none": 0}


async def test_function_that_raises_takes_the_place_of_what_failed() -> None:
    """It is a bug that somebody has to hear of; it is told of its node, and the error that it was asked of with it."""

    def broken(error: Exception) -> bool:
        raise KeyError("status")

    retry = Retry(on=broken)
    tree = (
        TreeBuilder("root", config=TreeTaskConfig(max_retries=0, on_failure="continue"))
        .add_child("leaf", task=fail, retry=retry)
        .add_node("group", retry=retry)
        .add_child("below", task=fail)
        .build()
    )
    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    told = {(*notes(leaf), repr(leaf)) for leaf in error.exceptions}
    assert told == {
        ("in task 'leaf'", "KeyError('status')"),
        ("in task 'group'", "KeyError('status')"),
        ("in task 'below'", "OSError('below is broken')"),
    }
    raised = node_of(tree, "leaf").exception
    assert raised is not None
    assert repr(raised.__context__) == "OSError('leaf is broken')"
