"""Conditions: the last word on whether a node that could start does."""

from __future__ import annotations

from collections.abc import Awaitable, Generator
from typing import Any

import pytest

from tests.engine.support import Log, ended, fail, ok, statuses
from tests.sentences import exactly
from treetask import TaskNode, TreeBuilder, TreeFailed, TreeTaskConfig

pytestmark = pytest.mark.anyio


def no(node: TaskNode) -> bool:
    """Never."""
    return False


def breaks(node: TaskNode) -> bool:
    """Fail to answer."""
    raise LookupError(f"{node.id} cannot tell")


async def test_condition_that_raises_fails_its_node() -> None:
    """The node fails with that error and never runs; what is below it and what needs it is skipped."""
    log = Log()
    tree = (
        TreeBuilder("root", config=TreeTaskConfig(on_failure="continue"))
        .add_child("one", task=log.body(), when=breaks)
        .add_child("needs", task=log.body(), depends_on=["one"])
        .add_node("group", when=breaks)
        .add_child("below", task=log.body())
        .build()
    )

    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert [(type(leaf), str(leaf)) for leaf in error.exceptions] == [
        (LookupError, "one cannot tell"),
        (LookupError, "group cannot tell"),
    ]
    assert statuses(tree) == {
        "root": "failed",
        "one": "failed",
        "needs": "skipped",
        "group": "failed",
        "below": "skipped",
    }
    assert log == []


async def test_condition_that_raises_is_not_retried() -> None:
    """Retries are for bodies; the policy of the parent applies at once."""
    asked = Log()

    def breaks_once(node: TaskNode) -> bool:
        asked.append(node.id)
        raise LookupError("no")

    tree = TreeBuilder("root").add_child("one", task=ok, when=breaks_once, max_retries=5).build()

    await ended(tree)

    assert (asked, tree.root.children[0].retry_count) == (["one"], 0)


async def test_condition_that_is_false_skips_its_node_with_all_below() -> None:
    """The reason says so; the rest goes on, a sequence with the next one."""
    log = Log()
    tree = (
        TreeBuilder("root", parallel=False)
        .add_node("group", when=no)
        .add_child("below", task=log.body())
        .up()
        .add_child("next", task=log.body())
        .build()
    )

    assert await ended(tree) is None

    assert statuses(tree) == {"root": "done", "group": "skipped", "below": "skipped", "next": "done"}
    assert (tree.root.children[0].reason, log) == ("its condition was false", ["next begins", "next ends"])


async def test_condition_is_asked_when_nothing_else_holds_the_node_back() -> None:
    """After its dependencies and before its slot: it may look at what they left behind."""

    async def gives(node: TaskNode) -> int:
        return 7

    def is_seven(node: TaskNode) -> bool:
        first = node.parent.children[0] if node.parent is not None else node
        return bool(first.result == 7)

    tree = (
        TreeBuilder("root", config=TreeTaskConfig(max_concurrency=1))
        .add_child("first", task=gives)
        .add_child("second", task=ok, depends_on=["first"], when=is_seven)
        .build()
    )

    assert await ended(tree) is None

    assert statuses(tree) == {"root": "done", "first": "done", "second": "done"}


async def test_condition_of_a_skipped_node_is_not_asked() -> None:
    """What cannot start anyway has no say."""
    tree = TreeBuilder("root").add_child("a", task=fail, max_retries=0).add_child("b", when=breaks, depends_on=["a"])

    error = await ended(tree.build())

    assert isinstance(error, TreeFailed)
    assert [str(leaf) for leaf in error.exceptions] == ["a is broken"]


async def test_condition_that_cannot_answer_at_once_is_refused() -> None:
    """An async function is always true as an answer: refused where it is seen, else the node fails."""
    message = f"node 'a': when is {ok!r}; expected a plain function that takes the node and answers at once"
    with pytest.raises(TypeError, match=exactly(message)):
        TreeBuilder("root").add_child("a", when=ok)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    class Later(Awaitable[bool]):
        def __await__(self) -> Generator[None, None, bool]:
            yield
            return True

        def __repr__(self) -> str:
            return "<later>"

    later: Any = Later()
    tree = TreeBuilder("root").add_child("a", task=ok, when=lambda _: later).build()

    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert [str(leaf) for leaf in error.exceptions] == ["the condition of 'a' returned <later>; expected True or False"]
