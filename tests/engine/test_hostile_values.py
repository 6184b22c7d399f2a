"""Values that raise when they are looked at: the node that has them fails, and the run ends in order."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.engine.support import Log, ended, node_of, ok, statuses
from treetask import AsyncExecutor, Retry, TaskNode, TaskTree, TreeBuilder, TreeFailed, TreeTaskConfig
from treetask.model import NodeKeywords

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]


class Array:
    """An array of several numbers: neither true nor false."""

    def __bool__(self) -> bool:
        raise ValueError("the truth value of an array is ambiguous")


class Mute(OSError):
    """An exception that cannot be shown."""

    def __str__(self) -> str:
        raise LookupError("no words")


class Leaving(OSError):
    """Says nothing and leaves."""

    def __str__(self) -> str:
        raise SystemExit(3)


class Sticky(OSError):
    """An exception that keeps its traceback to itself."""

    def with_traceback(self, tb: object) -> Any:  # noqa: ANN401 - not as its base
        raise LookupError("no traceback")


class Noted(OSError):
    """An exception with notes of its own making."""

    def __init__(self, notes: object) -> None:
        super().__init__("noted")
        self.__notes__ = notes


class NoteOnClass(OSError):
    """An exception whose notes are computed, and cannot be."""

    @property
    def __notes__(self) -> list[str]:
        raise LookupError("no notes")


class Tight(ExceptionGroup[Exception]):
    """A group that cannot be split."""

    def split(self, condition: Any) -> Any:  # noqa: ANN401 - not as its base
        raise LookupError("no split")

    def derive(self, excs: object) -> Any:  # noqa: ANN401 - not as its base
        raise LookupError("no part")


class Keyless(dict[str, int]):
    """A dict that cannot be read."""

    def keys(self) -> Any:  # noqa: ANN401 - not as its base
        raise LookupError("no keys")

    def __iter__(self) -> Iterator[str]:
        raise LookupError("no keys")


def tree_of(log: Log, body: Any, **options: Any) -> TaskTree:  # noqa: ANN401 - as the builder takes them
    """Return a tree in which something always cleans up after a body."""
    return (
        TreeBuilder("root", config=TreeTaskConfig(max_retries=0))
        .add_child("body", task=body, **options)
        .add_child("always", task=log.body(), always=True)
        .build()
    )


async def failed_with(tree: TaskTree, log: Log) -> tuple[str, str | None]:
    """Run a tree whose body fails; return how that ended and with what, when all is seen to have ended in order."""
    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert statuses(tree) == {"root": "failed", "body": "failed", "always": "done"}
    assert log == ["always begins", "always ends"]
    return type(error.exceptions[0]).__name__, node_of(tree, "body").error


async def test_condition_that_is_neither_true_nor_false() -> None:
    """A condition that raises fails the node, also where it is its answer that raises."""
    log = Log()

    def ask(_: TaskNode) -> Array:
        return Array()

    found = await failed_with(tree_of(log, ok, when=ask), log)

    assert found == ("ValueError", "the truth value of an array is ambiguous")


@pytest.mark.parametrize(
    ("raised", "error"),
    [
        (Mute(), "Mute (its text could not be had: LookupError)"),
        (Leaving(), "Leaving (its text could not be had: SystemExit)"),
        (Sticky("sticky"), "sticky"),
        (Noted(None), "noted"),
        (Noted("a text"), "noted"),
        (Noted([Array()]), "noted"),
        (NoteOnClass("computed"), "computed"),
    ],
    ids=[
        "str",
        "str that leaves",
        "with_traceback",
        "None as notes",
        "text as notes",
        "note that is no text",
        "notes that raise",
    ],
)
@pytest.mark.parametrize("where", ["body", "condition", "retry"])
async def test_exception_that_raises_when_it_is_looked_at(raised: OSError, error: str, where: str) -> None:
    """It is told in other words, and is itself what the run raises."""
    log = Log()
    options = NodeKeywords()

    def throw(_: object) -> bool:
        raise raised

    async def body(node: TaskNode) -> None:
        raise raised if where == "body" else ValueError

    if where == "condition":
        options["when"] = throw
    elif where == "retry":
        options["retry"] = Retry(on=throw)

    assert await failed_with(tree_of(log, body, **options), log) == (type(raised).__name__, error)


async def test_group_that_cannot_be_split() -> None:
    """What it consists of is found all the same."""
    log = Log()

    async def body(node: TaskNode) -> None:
        raise Tight("tight", [OSError("a"), OSError("b")])

    assert await failed_with(tree_of(log, body), log) == ("OSError", "tight (2 sub-exceptions)")


@pytest.mark.parametrize("kind", ["async", "thread"])
async def test_result_that_cannot_be_read(kind: str) -> None:
    """A dict goes into the data of its node; one that does not let itself be read fails it."""
    log = Log()

    async def body(node: TaskNode) -> Keyless:
        return Keyless(a=1)

    def in_thread(node: TaskNode) -> Keyless:
        return Keyless(a=1)

    found = await failed_with(tree_of(log, body if kind == "async" else in_thread), log)

    assert found == ("LookupError", "no keys")


async def test_error_that_cannot_be_shown_is_retried() -> None:
    """It is an error like any other."""

    async def body(node: TaskNode) -> int:
        if node.retry_count < 2:
            raise Mute
        return node.retry_count

    tree = TreeBuilder("root").add_child("body", task=body).build()
    await AsyncExecutor(tree).run()

    assert tree.collect_results() == {"body": 2}
