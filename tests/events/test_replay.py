"""A run that happens again in a tree: what shows trees sees what it saw then."""

from __future__ import annotations

import sys

import anyio
import pytest

from tests.engine.support import ok
from tests.events.told import told
from tests.sentences import exactly
from treetask import TaskNode, TaskStatus, TreeBuilder, TreeTaskError
from treetask.display import failure_summary
from treetask.events import Line, NodeLine, RemovalLine, Replay, StartLine, StatusLine, story_of
from treetask.model import NodeDict

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]


async def test_tree_ends_as_it_did() -> None:
    """Statuses, times, attempts, progress, logs and reasons, in the same places; and what went wrong reads the same."""

    async def fail_often(node: TaskNode) -> None:
        await anyio.sleep(1)
        node.progress = (node.retry_count, 2)
        raise OSError(f"503 in attempt {node.retry_count + 1}\nUnavailable") from KeyError("cause")

    async def add(node: TaskNode) -> None:
        node.add_child(TaskNode(f"added {node.retry_count}", task_fn=ok))
        await anyio.sleep(2)
        if not node.retry_count:
            raise ValueError("not yet")

    tree = (
        TreeBuilder("root")
        .add_child("fails", task=fail_often, max_retries=2)
        .add_child("adds", task=add, max_retries=1)
        .add_child("needs", task=ok, depends_on=["fails"])
        .build()
    )
    tree.config.on_failure = "continue"
    lines = await told(tree)
    replay = Replay(lambda: 100.0)
    for line in lines:
        replay.hear(line)

    again = replay.tree
    assert again is not None
    ignored = ("depends_on", "parallel")

    def known(node: NodeDict) -> dict[str, object]:
        return {key: value for key, value in node.items() if key not in ignored}

    assert [known(node) for node in again.to_dict()["nodes"]] == [known(node) for node in tree.to_dict()["nodes"]]
    assert again.get_stats() == tree.get_stats()
    assert again.get_progress_stats() == tree.get_progress_stats()
    assert failure_summary(again) == failure_summary(tree)
    assert "  OSError: 503 in attempt 3" in failure_summary(again)
    assert story_of(lines).counts == {
        status: n for status, n in again.get_leaf_stats().items() if n and status != "total"
    }


async def test_what_waits_says_for_what() -> None:
    """While the run goes on, as the engine would have said it; the time of what runs is that of the replay."""

    async def work(node: TaskNode) -> None:
        await anyio.sleep(5)

    tree = TreeBuilder("root").add_child("a", task=work).add_child("b", task=ok, depends_on=["a"]).build()
    lines = await told(tree)
    now = 0.0
    replay = Replay(lambda: now)
    for line in lines[:6]:
        replay.hear(line)
    now = 3.0

    assert replay.tree is not None
    a, b = replay.tree.root.children
    assert (a.status, a.elapsed, b.reason) == (TaskStatus.WORKING, 3.0, "waits for 'a'")
    for line in lines[6:]:
        replay.hear(line)
    assert not replay.tree.is_running


async def test_what_waits_for_many_names_three() -> None:
    """The others are counted."""
    builder = TreeBuilder("root")
    for name in "abcde":
        builder.add_child(name, task=ok)
    tree = builder.add_child("all", task=ok, depends_on=list("abcde")).build()
    replay = Replay(lambda: 0.0)
    for line in (await told(tree))[:9]:
        replay.hear(line)

    assert replay.tree is not None
    waiting = replay.tree.find("all")
    assert waiting is not None
    assert waiting.reason == "waits for 'a', 'b', 'c' and 2 more"


async def test_group_of_exceptions_reads_the_same() -> None:
    """Each one that was in it, and one alone as such."""

    async def break_twice(node: TaskNode) -> None:
        raise ExceptionGroup("both", [ValueError("one"), OSError("two")])

    async def break_once(node: TaskNode) -> None:
        raise ValueError("three")

    tree = (
        TreeBuilder("root")
        .add_child("a", task=break_twice, max_retries=0)
        .add_child("b", task=break_once, max_retries=0)
        .build()
    )
    tree.config.on_failure = "continue"
    replay = Replay(lambda: 0.0)
    for line in await told(tree):
        replay.hear(line)

    assert replay.tree is not None
    assert failure_summary(replay.tree) == failure_summary(tree)
    a, b = replay.tree.root.children
    assert isinstance(a.exception, ExceptionGroup)
    assert (type(b.exception).__name__, str(b.exception)) == ("ValueError", "three")


START = StartLine(seq=1, at=0, wall=0, version=1, root="r", name="r")
ROOT = NodeLine(seq=2, at=0, wall=0, node="r", name="r")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            StatusLine(seq=3, at=0, wall=0, node="x", attempt=1, old="pending", new="working"),
            "it is about node 'x', which none before it has added",
        ),
        (
            StatusLine(seq=3, at=0, wall=0, node="r", attempt=1, old="pending", new="retrying"),
            "node 'r' cannot go from pending to retrying: there is no such change",
        ),
        (
            StatusLine(seq=3, at=0, wall=0, node="r", attempt=1, old="pending", new="dreaming"),
            "'dreaming' is not a valid TaskStatus",
        ),
        (
            NodeLine(seq=3, at=0, wall=0, node="", name="", parent="r"),
            "a node's id is ''; expected a string that is not empty",
        ),
        (NodeLine(seq=3, at=0, wall=0, node="s", name="s"), "it adds a second root, 's'"),
        (RemovalLine(seq=3, at=0, wall=0, node="r"), "the root cannot be removed"),
    ],
)
def test_line_that_does_not_fit_is_refused(line: Line, message: str) -> None:
    """By its number, with what is wrong."""
    replay = Replay(lambda: 0.0)
    replay.hear(START)
    replay.hear(ROOT)
    with pytest.raises(TreeTaskError, match=exactly(f"the event of seq 3 does not fit: {message}")):
        replay.hear(line)
