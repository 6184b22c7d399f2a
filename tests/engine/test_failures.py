"""What `run()` raises: one flat group of what the bodies raised, each leaf naming its node."""

from __future__ import annotations

import asyncio
import os
import sys
import traceback
from typing import Any

import anyio
import pytest

from tests.engine.support import ended, fail, fails_after, node_of, ok, statuses
from tests.sentences import exactly
from treetask import (
    AsyncExecutor,
    ExecutionResult,
    StrayCancellationError,
    TaskNode,
    TreeBuilder,
    TreeFailed,
    TreeTaskConfig,
    TreeTaskError,
)

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]

KEEP_GOING = TreeTaskConfig(max_retries=0, on_failure="continue")


def notes(error: BaseException) -> list[str]:
    """Return the notes of an error, on Python 3.10 too."""
    return list(getattr(error, "__notes__", ()))


async def test_tree_failed_is_flat_and_each_leaf_names_its_node() -> None:
    """However deep the nodes are; `result` has the whole tree."""
    tree = (
        TreeBuilder("root", config=KEEP_GOING)
        .add_child("a", task=fail)
        .add_node("group")
        .add_node("inner")
        .add_child("b", task=fail)
        .build()
    )

    with pytest.raises(TreeFailed, match=r"^'root' failed, 2 errors") as failed:
        await AsyncExecutor(tree).run()

    assert [(type(leaf), str(leaf), notes(leaf)) for leaf in failed.value.exceptions] == [
        (OSError, "a is broken", ["in task 'a'"]),
        (OSError, "b is broken", ["in task 'b'"]),
    ]
    assert isinstance(failed.value, TreeTaskError)
    assert isinstance(failed.value.result, ExecutionResult)
    assert failed.value.result.success is False
    assert [node.id for node in failed.value.result.failed_nodes] == ["root", "a", "group", "inner", "b"]


async def test_groups_of_a_body_are_flattened() -> None:
    """A body's own groups, at any depth, become leaves of the one group, all naming that body."""

    async def fail_twice(node: TaskNode) -> None:
        raise ExceptionGroup("outer", [OSError("one"), ExceptionGroup("inner", [KeyError("two"), OSError("three")])])

    tree = TreeBuilder("root", config=KEEP_GOING).add_child("a", task=fail_twice).build()
    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert [(type(leaf), leaf.args, notes(leaf)) for leaf in error.exceptions] == [
        (OSError, ("one",), ["in task 'a'"]),
        (KeyError, ("two",), ["in task 'a'"]),
        (OSError, ("three",), ["in task 'a'"]),
    ]


async def test_failure_in_a_task_group_of_a_body_is_that_bodys_failure() -> None:
    """A sub-task's error comes out as a leaf; the siblings that its group cancelled are no leaves."""

    async def run_group(node: TaskNode) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.sleep_forever)
            tasks.start_soon(fail, node)

    tree = TreeBuilder("root", config=KEEP_GOING).add_child("a", task=run_group).build()
    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert [str(leaf) for leaf in error.exceptions] == ["a is broken"]
    assert statuses(tree) == {"root": "failed", "a": "failed"}


async def test_failed_node_keeps_the_exception_and_its_message() -> None:
    """The object itself, with a traceback that begins in the user's code."""
    tree = TreeBuilder("root", config=KEEP_GOING).add_child("a", task=fails_after(1)).build()
    await ended(tree)

    node = node_of(tree, "a")
    assert (type(node.exception), node.error) == (OSError, "a is broken")
    assert node.exception is not None
    frames = [frame.name for frame in traceback.extract_tb(node.exception.__traceback__)]
    assert frames == ["sleep_and_fail"]


async def test_folder_named_like_an_event_loop_is_the_users_all_the_same() -> None:
    """Only the libraries' own files are left out of a traceback."""
    source = "async def body(node):\n    raise OSError('broken')\n"
    names: dict[str, Any] = {}
    exec(compile(source, f"{os.sep}home{os.sep}asyncio{os.sep}app.py", "exec"), names)
    tree = TreeBuilder("root").add_child("a", task=names["body"]).build()

    await ended(tree)

    node = node_of(tree, "a")
    assert node.exception is not None
    assert [frame.name for frame in traceback.extract_tb(node.exception.__traceback__)] == ["body"]


async def test_error_without_a_message_is_named_by_its_type() -> None:
    """`raise ValueError` says at least that."""

    async def fail_silently(node: TaskNode) -> None:
        raise ValueError

    tree = TreeBuilder("root", config=KEEP_GOING).add_child("a", task=fail_silently).build()
    await ended(tree)

    assert node_of(tree, "a").error == "ValueError"


async def test_same_exception_object_is_one_leaf() -> None:
    """Two bodies that raise one object make one leaf with two notes."""
    shared = OSError("shared")

    async def fail_shared(node: TaskNode) -> None:
        raise shared

    tree = (
        TreeBuilder("root", config=KEEP_GOING).add_child("a", task=fail_shared).add_child("b", task=fail_shared).build()
    )
    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert error.exceptions == (shared,)
    assert notes(shared) == ["in task 'a'", "in task 'b'"]


async def test_split_of_tree_failed_keeps_the_result() -> None:
    """`except*` hands on groups of the same kind, with the result."""
    tree = TreeBuilder("root", config=KEEP_GOING).add_child("a", task=fail).build()
    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    matching, rest = error.split(OSError)
    assert isinstance(matching, TreeFailed)
    assert (matching.result, rest) == (error.result, None)


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("retries", [0, 3])
async def test_interruption_in_a_body_ends_the_run_and_is_raised(
    interruption: type[BaseException], retries: int
) -> None:
    """It is no failure to be retried or handled; the rest is stopped in order, then it comes out as it was."""
    cleaned: list[str] = []
    attempts: list[int] = []

    async def clean_up(node: TaskNode) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            cleaned.append(node.id)

    async def interrupt(node: TaskNode) -> None:
        attempts.append(node.retry_count)
        await anyio.sleep(1)
        raise interruption("stop")

    tree = (
        TreeBuilder("root", on_failure="continue")
        .add_child("a", task=clean_up)
        .add_child("b", task=interrupt, max_retries=retries)
        .add_child("c", task=ok, depends_on=["a"])
        .build()
    )

    with pytest.raises(interruption, match=exactly("stop")):
        await AsyncExecutor(tree).run()

    assert (cleaned, attempts) == (["a"], [0])
    assert statuses(tree) == {"root": "cancelled", "a": "cancelled", "b": "failed", "c": "cancelled"}
    assert tree.is_running is False


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_body_that_awaits_something_cancelled_has_failed() -> None:
    """A future that somebody has cancelled is no cancellation of the body, nor of the run; the message says so."""

    async def await_cancelled(node: TaskNode) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    tree = TreeBuilder("root", config=KEEP_GOING).add_child("a", task=await_cancelled).add_child("b", task=ok).build()

    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert [type(leaf) for leaf in error.exceptions] == [StrayCancellationError]
    assert statuses(tree) == {"root": "failed", "a": "failed", "b": "done"}
    assert node_of(tree, "a").error == (
        "the body of 'a' ended as cancelled, though nothing stopped it: what it awaited was cancelled (a task, a "
        "future), or it raised the cancellation itself; catch that where it is awaited"
    )
