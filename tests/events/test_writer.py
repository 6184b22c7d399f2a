"""What a run tells in lines: each event once and in order, with what a reader needs who has nothing else."""

from __future__ import annotations

import json
import sys

import anyio
import pytest

from tests.engine.support import fail, ok, sleeps
from tests.events.told import told, told_bytes
from tests.sentences import exactly
from treetask import AsyncExecutor, Retry, Secret, TaskNode, TaskStatus, TaskTree, TreeBuilder, TreeTaskError
from treetask.events import (
    EndLine,
    EventWriter,
    Fault,
    LogLine,
    MessageLine,
    NodeLine,
    ProgressLine,
    RemovalLine,
    StartLine,
    StatusLine,
    encoded,
    lines_of,
)
from treetask.model import RunEnded

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]


async def test_whole_run() -> None:
    """First the tree as it is, parents before children, then what happens to it, on the clock of the run."""
    tree = TreeBuilder("root", "Root").add_child("a", task=sleeps(2)).add_child("b", task=ok, depends_on=["a"]).build()
    tree.root.children[1].name = "B"

    lines = await told(tree)

    assert lines == [
        StartLine(seq=1, at=0, wall=1_000, version=1, root="root", name="Root"),
        NodeLine(seq=2, at=0, wall=1_000, node="root", name="Root", has_body=False),
        NodeLine(seq=3, at=0, wall=1_000, node="a", name="a", parent="root", max_retries=3),
        NodeLine(seq=4, at=0, wall=1_000, node="b", name="B", parent="root", depends_on=("a",), max_retries=3),
        StatusLine(seq=5, at=0, wall=1_000, node="root", attempt=1, old="pending", new="working"),
        StatusLine(seq=6, at=0, wall=1_000, node="a", attempt=1, old="pending", new="working"),
        StatusLine(seq=7, at=2, wall=1_000, node="a", attempt=1, old="working", new="done"),
        StatusLine(seq=8, at=2, wall=1_000, node="b", attempt=1, old="pending", new="working"),
        StatusLine(seq=9, at=2, wall=1_000, node="b", attempt=1, old="working", new="done"),
        StatusLine(seq=10, at=2, wall=1_000, node="root", attempt=1, old="working", new="done"),
        EndLine(seq=11, at=2, wall=1_000, status="done", elapsed=2, counts={"done": 2}),
    ]


async def test_failure_tells_each_exception_of_a_group_where_it_was_raised() -> None:
    """Those of groups in groups, and what caused them; a node that failed because of one below it says so."""

    async def break_twice(node: TaskNode) -> None:
        errors: list[Exception] = []
        for error in (ValueError("one"), OSError()):
            try:
                raise error from KeyError("cause")
            except (ValueError, OSError) as raised:
                errors.append(raised)
        raise ExceptionGroup("both", [errors[0], ExceptionGroup("inner", errors[1:])])

    tree = TreeBuilder("root").add_child("breaks", task=break_twice, max_retries=0).build()
    failed = [line for line in await told(tree) if isinstance(line, StatusLine) and line.new == "failed"]

    assert [(line.node, line.failed_below, line.reason) for line in failed] == [
        ("breaks", False, None),
        ("root", True, "'breaks' failed"),
    ]
    one, two = failed[0].faults
    assert (one.kind, one.message, one.causes) == ("ValueError", "one", (Fault(kind="KeyError", message="'cause'"),))
    assert [(frame.function, frame.source) for frame in one.frames] == [
        ("break_twice", 'raise error from KeyError("cause")')
    ]
    assert (two.kind, two.message) == ("OSError", "")
    assert failed[1].faults == ()


async def test_attempt_that_is_repeated_at_once_tells_what_it_raised() -> None:
    """With its own number; the one after it begins with the next. A group that its child failed is repeated as such."""

    async def fail_once(node: TaskNode) -> None:
        if not node.retry_count:
            raise OSError("not yet")

    tree = TreeBuilder("root").add_child("flaky", task=fail_once, max_retries=1).build()
    flaky = [line for line in await told(tree) if isinstance(line, StatusLine) and line.node == "flaky"]

    assert [(line.attempt, line.new, [fault.message for fault in line.faults]) for line in flaky] == [
        (1, "working", []),
        (1, "retrying", ["not yet"]),
        (2, "working", []),
        (2, "done", []),
    ]


async def test_group_that_is_repeated_because_of_a_child() -> None:
    """What failed below it is told of the child; that has begun anew by the time that the group's attempt is told."""
    tree = TreeBuilder("root").build()
    group = tree.root.add_child(TaskNode("group", max_retries=1))
    group.add_child(TaskNode("child", task_fn=fail, max_retries=0))

    lines = await told(tree)

    assert [(line.new, line.failed_below, line.reason) for line in lines if isinstance(line, StatusLine)][3:6] == [
        ("failed", False, None),
        ("retrying", True, "'child' failed"),
        ("pending", False, None),
    ]


async def test_what_an_attempt_added_leaves_with_it() -> None:
    """Each node is added and removed as often as it was, in the order of the run."""

    async def add_and_fail(node: TaskNode) -> None:
        node.add_child(TaskNode("added", task_fn=ok))
        if not node.retry_count:
            raise OSError("not yet")

    tree = TreeBuilder("root").add_child("adds", task=add_and_fail, max_retries=1).build()
    lines = [line for line in await told(tree) if isinstance(line, (NodeLine, RemovalLine)) and line.node == "added"]

    assert [(type(line), getattr(line, "parent", None)) for line in lines] == [
        (NodeLine, "adds"),
        (RemovalLine, None),
        (NodeLine, "adds"),
    ]


async def test_progress_is_told_ten_times_a_second_and_at_the_end() -> None:
    """A body that tells it a hundred times as often makes no more lines; the last one is never left out."""

    async def count(node: TaskNode) -> None:
        for number in range(1_001):
            node.progress = (number, 1_000)
            await anyio.sleep(0.001)

    tree = TreeBuilder("root").add_child("counts", task=count).build()
    lines = [line for line in await told(tree) if isinstance(line, (ProgressLine, StatusLine)) and line.node != "root"]
    progress = [line for line in lines if isinstance(line, ProgressLine)]

    assert 10 <= len(progress) <= 12
    told_ends = [line.progress for line in (progress[0], progress[-1])]
    assert told_ends == [(0, 1_000), (1_000, 1_000)]
    assert lines[-2] is progress[-1]
    assert {line.attempt for line in progress} == {1}


async def test_what_an_attempt_puts_out_says_which() -> None:
    """Its progress and its lines, though the next attempt is counted by the time that they are told."""

    async def fail_once(node: TaskNode) -> None:
        node.progress = (node.retry_count, 2)
        tree.extend_log(node, b"here\n")
        if not node.retry_count:
            raise OSError("not yet")

    tree = TreeBuilder("root").add_child("flaky", task=fail_once, max_retries=1).build()
    lines = [line for line in await told(tree) if isinstance(line, (ProgressLine, LogLine))]

    assert [(type(line), line.attempt) for line in lines] == [
        (ProgressLine, 1),
        (LogLine, 1),
        (LogLine, 2),
        (ProgressLine, 2),  # at the end, since the last one was told so shortly before
    ]


async def test_node_that_an_earlier_run_has_done_comes_in_so() -> None:
    """Its times are seconds of this run, before it began."""
    tree = TreeBuilder("root").add_child("did", task=ok).add_child("does", task=ok).build()
    did = tree.root.children[0]
    did.status = TaskStatus.WORKING
    tree.move(did, TaskStatus.DONE, 0)
    did.started_at, did.ended_at, did.retry_count = -7.5, -5.0, 2

    lines = [line for line in await told(tree) if isinstance(line, NodeLine)]

    assert [(line.status, line.started_at, line.ended_at, line.attempt) for line in lines[1:]] == [
        ("done", -7.5, -5.0, 3),
        ("pending", None, None, 0),
    ]


async def test_folded_children_are_told_and_counted() -> None:
    """They leave the tree when they are done, and nothing says that they are gone: they count."""

    async def spawn(node: TaskNode) -> None:
        for number in range(3):
            node.add_child(TaskNode(f"{number}", task_fn=ok))

    tree = TreeBuilder("root").add_child("rolls", task=spawn, keep_done="rollup").build()
    lines = await told(tree)

    assert len(tree) == 2
    assert sum(isinstance(line, NodeLine) for line in lines) == 5
    assert not any(isinstance(line, RemovalLine) for line in lines)
    assert isinstance(lines[-1], EndLine)
    assert lines[-1].counts == {"done": 3}


async def test_no_line_is_a_command_of_a_build() -> None:
    """GitHub Actions obeys the sign of its older commands anywhere in a line; a reader finds the text as it was."""
    line = StartLine(seq=1, at=0.0, wall=0.0, version=1, root="##[error]", name="###[group]\\##[a]")
    data = encoded(line)

    assert b"##[" not in data
    assert json.loads(data)["root"] == "##[error]"
    assert json.loads(data)["name"] == "###[group]\\##[a]"


async def test_hostile_text_is_told_whole_and_harmless() -> None:
    """What a terminal obeys is written in escapes, what no encoding has in Python's; it is one line all the same."""
    name = "evil \x1b[31m \u009b1m \u202e \u2028 \x7f 👍 é"

    async def shout(node: TaskNode) -> None:
        raise OSError(f"{name}\ud800\n")

    tree = TreeBuilder("root").add_child("evil", name, task=shout, max_retries=0).build()
    written = await told_bytes(tree)

    for line in written:
        assert line.decode("utf-8").splitlines(keepends=True) == [line.decode("utf-8")]
        assert not set(line.decode("utf-8")) & set("\x1b\u009b\u202e\u2028\x7f")
    lines = [json.loads(line) for line in written]
    assert lines[2]["name"] == name
    assert "👍 é" in written[2].decode("utf-8")
    assert next(line for line in lines if line.get("new") == "failed")["faults"][0]["message"] == f"{name}\\ud800\n"


async def test_secrets_are_not_told() -> None:
    """Nothing of what a body was given or has returned is in the lines."""

    async def hold(node: TaskNode) -> str:
        return f"the {node.data['token'].reveal()}"

    tree = TreeBuilder("root").add_child("holds", task=hold).build()
    tree.root.children[0].data["token"] = Secret("swordfish")

    assert b"swordfish" not in b"".join(await told_bytes(tree))


async def test_long_message_is_cut() -> None:
    """And says how much of it is left out."""

    async def shout(node: TaskNode) -> None:
        raise OSError("x" * 1_000_000)

    lines = await told(TreeBuilder("root").add_child("shouts", task=shout, max_retries=0).build())
    (message,) = (fault.message for line in lines if isinstance(line, StatusLine) for fault in line.faults)

    assert message == "x" * 16_384 + "… 983,616 more characters"


async def test_group_of_very_many_exceptions_is_cut() -> None:
    """A hundred of them are told, and how many more there were."""

    async def break_often(node: TaskNode) -> None:
        raise ExceptionGroup("all", [OSError(str(number)) for number in range(number_of_errors)])

    for number_of_errors, last in ((100, ("OSError", "99")), (103, ("", "3 more exceptions"))):
        tree = TreeBuilder("root").add_child("breaks", task=break_often, max_retries=0).build()
        (line,) = [line for line in await told(tree) if isinstance(line, StatusLine) and line.faults]
        assert len(line.faults) == 100 + (number_of_errors > 100)
        assert (line.faults[-1].kind, line.faults[-1].message) == last


@pytest.mark.parametrize(("attempts", "most"), [(3, 2), (1, 0), (None, None)])
async def test_most_retries_of_a_retry(attempts: int | None, most: int | None) -> None:
    """One less than its attempts; without a bound there is none."""
    retry = Retry(on=OSError, attempts=attempts)
    tree = TreeBuilder("root").add_child("a", task=ok, retry=retry).build()
    assert [line.max_retries for line in await told(tree) if isinstance(line, NodeLine)] == [0, most]


async def test_lines_of_nobody_knows_whom() -> None:
    """Those that came before the run began come after its first lines, and the end is the last line whatever comes."""
    written: list[bytes] = []
    writer = EventWriter(written.append, target="app:tree", run=lambda: 7)
    writer.unattributed(["early"])
    executor = AsyncExecutor(TreeBuilder("root").build())
    executor.subscribe(writer)
    await executor.run()
    writer.unattributed(["late"])
    writer.message(["nothing to add"])
    writer.close()
    writer.close()

    lines = [json.loads(line) for line in written]
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert (lines[0]["run"], lines[0]["target"]) == (7, "app:tree")
    assert [(line["event"], line.get("lines")) for line in lines[2:3] + lines[-3:]] == [
        ("log_extended", ["early"]),
        ("log_extended", ["late"]),
        ("message", ["nothing to add"]),
        ("run_ended", None),
    ]
    assert LogLine.__struct_config__.tag == "log_extended"
    assert MessageLine.__struct_config__.tag == "message"


def test_subscribed_too_late_is_refused() -> None:
    """Lines without a beginning are no use to anybody."""
    tree = TaskTree(TaskNode("root"))
    with pytest.raises(
        TreeTaskError, match=exactly("EventWriter was subscribed when the run had begun; subscribe it before")
    ):
        EventWriter(print).on_event(RunEnded(tree, 1.0))


async def test_what_is_said_in_the_midst_of_a_line_comes_after_it() -> None:
    """As what a finalizer prints, on the very thread that writes: no number is given twice, and none is out of turn."""
    written: list[bytes] = []

    def wall() -> float:
        if len(written) == 3:  # while the fourth line is made
            writer.unattributed(["finalized"])
        return 1_000.0

    writer = EventWriter(written.append, wall=wall)
    executor = AsyncExecutor(TreeBuilder("root").add_child("a", task=ok).build())
    executor.subscribe(writer)
    await executor.run()
    writer.close()

    lines = list(lines_of(written, "events"))
    assert [line.seq for line in lines] == list(range(1, len(lines) + 1))
    assert isinstance(lines[4], LogLine)
    assert lines[4].lines == ("finalized",)


async def test_no_lines_before_the_run_are_no_event() -> None:
    """Nothing was put out: nothing is told."""
    written: list[bytes] = []
    writer = EventWriter(written.append)
    writer.unattributed([])
    executor = AsyncExecutor(TreeBuilder("root").build())
    executor.subscribe(writer)
    await executor.run()

    assert not [line for line in lines_of(written, "events") if isinstance(line, LogLine)]
