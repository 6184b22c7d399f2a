"""Lines for a pipe or a file: what is told of a run, and what is not."""

from __future__ import annotations

import io
import time

import pytest

from tests.display.trees import HandEngine, chain, flat, nightly, pipeline, work
from treetask.display._plain import PlainLog
from treetask.display._terminal import Terminal
from treetask.display._theme import theme_for
from treetask.model import TaskNode, TaskTree, TreeTaskConfig

NOON = time.mktime((2026, 11, 22, 12, 0, 0, 0, 0, -1))


class Log:
    """A plain log of a tree that is driven by hand, from noon on."""

    def __init__(self, hand: HandEngine, encoding: str | None = None, *, run: int | None = None) -> None:
        self.hand = hand
        self.output = io.StringIO()
        theme = theme_for(TreeTaskConfig(), encoding)
        self.log = PlainLog(Terminal(self.output), theme, lambda: run, wall=lambda: NOON + hand.time)

    def look(self, depth: int | None = 2) -> list[str]:
        """Let the log look at the tree and return the lines that it wrote for it."""
        start = self.output.tell()
        self.log.take(self.hand.tree, depth, self.hand.time)
        self.log.show(self.hand.time)
        return self.output.getvalue()[start:].splitlines()


def test_small_run_is_told_node_by_node() -> None:
    """The start, each end with its time, the end of the whole with its counts."""
    hand = pipeline()
    log = Log(hand)
    assert log.look() == []
    hand.move("working", "pipeline", "phase1", "task1", "task2")
    assert log.look() == ["12:00:00 My Pipeline  started: 4 tasks known"]
    hand.time = 1.0
    hand.move("done", "task2")
    hand.time = 2.5
    hand.move("done", "task1", "phase1")
    assert log.look() == [
        "12:00:02 Phase 1 › Task 2  done in 1.0s",
        "12:00:02 Phase 1 › Task 1  done in 2.5s",
        "12:00:02 Phase 1  done 2/2 in 2.5s",
    ]
    hand.move("working", "phase2", "task3")
    assert log.look() == []
    hand.time = 75.0
    hand.move("done", "task3")
    hand.move("working", "task4")
    hand.move("done", "task4", "phase2", "pipeline")
    assert log.look() == [
        "12:01:15 Phase 2 › Task 3  done in 1m 12s",
        "12:01:15 Phase 2 › Task 4  done in 0.0s",
        "12:01:15 Phase 2  done 2/2 in 1m 12s",
        "12:01:15 My Pipeline  done 4/4 in 1m 15s",
    ]
    assert log.look() == []


def test_large_groups_are_told_by_their_progress() -> None:
    """At 5 % and at most once a second, or after 5 seconds; not each of thousands."""
    hand = flat(1000)
    log = Log(hand)
    tasks = [f"t{number}" for number in range(1000)]
    hand.move("working", "root", *tasks)
    log.look()
    told: list[str] = []
    for number, task in enumerate(tasks[:400]):
        hand.time = number / 100  # 10 tasks are 1 %
        hand.move("done", task)
        told += log.look()

    assert told == [
        "12:00:01 root  101/1,000 (10%)",
        "12:00:02 root  201/1,000 (20%)",
        "12:00:03 root  301/1,000 (30%)",
    ]
    hand.time = 8.5
    hand.move("done", "t400", "t401", "t410", "t411", "t412", "t413", "t414", "t415", "t416", "t417", "t418", "t419")
    assert log.look() == ["12:00:08 root  412/1,000 (41%)"]


def test_failures_are_told_at_any_depth() -> None:
    """A failure is a line with its path, attempts and message, once."""
    hand = nightly()
    log = Log(hand)
    hand.move("working", "nightly", "crawl", "p7")
    log.look()
    page = hand.tree.find("p7")
    assert page is not None
    page.retry_count = 2
    page.exception = OSError("503 Service Unavailable")
    hand.time = 31.0
    hand.fail("p7", "503 Service Unavailable\n<html>")

    assert log.look() == [
        "12:00:31 crawl › fetch[7.html]  failed after 3 attempts in 31.0s: OSError: 503 Service Unavailable"
    ]
    hand.move("failed", "crawl", "nightly")
    assert log.look() == [
        "12:00:31 crawl  failed in 31.0s",
        "12:00:31 nightly  failed in 31.0s: 5,002 waiting, 1 failed",
    ]


def test_failures_are_told_with_the_last_lines_of_their_log() -> None:
    """Below the failure, each under the other; a log of what went well is nobody's affair."""
    hand = flat(2)
    log = Log(hand, "ascii")
    hand.move("working", "root", "t0", "t1")
    log.look()
    for node in hand.tree.root.children:
        hand.tree.extend_log(node, b"".join(b"line %d\n" % number for number in range(6)))
    hand.fail("t0", "boom")
    hand.move("done", "t1")

    assert log.look() == [
        "12:00:00 t0  failed in 0.0s: boom",
        *(f"         | line {number}" for number in range(1, 6)),
        "12:00:00 t1  done in 0.0s",
    ]


def test_failure_is_told_once_though_its_group_opens_later() -> None:
    """What is shown of a tree may change; what was said stays said."""
    hand = flat(2)
    log = Log(hand)
    hand.move("working", "root", "t0", "t1")
    log.look(0)
    hand.fail("t0", "boom")
    assert log.look(0) == ["12:00:00 t0  failed in 0.0s: boom"]
    assert log.look(2) == []


def test_many_failures_at_once_are_counted() -> None:
    """Twenty are told, the rest is a number."""
    hand = flat(100)
    log = Log(hand)
    tasks = [f"t{number}" for number in range(100)]
    hand.move("working", "root", *tasks)
    log.look()
    for task in tasks:
        hand.fail(task, "boom")

    lines = log.look()
    assert len(lines) == 21
    assert lines[0] == "12:00:00 t0  failed in 0.0s: boom"
    assert lines[-1] == "12:00:00 80 more failed"
    assert log.look() == []


def test_failures_without_end_stay_calm() -> None:
    """A hundred are told one by one; then their number, every five seconds, and at the end."""
    hand = flat(300, "nightly")
    log = Log(hand, run=7)
    hand.move("working", "nightly", *(f"t{number}" for number in range(300)))
    assert log.look() == ["12:00:00 nightly  started: 300 tasks known, run 7"]
    for number in range(160):
        hand.time = number / 10
        hand.fail(f"t{number}", "boom")
        log.look()
    told = log.output.getvalue().splitlines()
    assert sum("failed in" in line for line in told) == 100
    assert [line for line in told if "more" in line] == ["12:00:10 1 more failed", "12:00:15 50 more failed"]
    hand.move("failed", "nightly")
    assert log.look()[0] == "12:00:15 9 more failed"


def test_wide_and_deep_tree_stays_calm() -> None:
    """Small groups of small groups are many nodes all the same; what has no line of its own is in a number."""
    root = TaskNode("root")
    for one in range(20):
        for two in range(20):
            for three in range(20):
                path = f"{one}/{two}/{three}"
                _below(_below(root, f"{one}"), f"{one}/{two}").add_child(TaskNode(path, task_fn=work))
    hand = HandEngine(TaskTree(root))
    log = Log(hand)
    nodes = [node.id for node in hand.tree.walk()]
    hand.move("working", *nodes)
    log.look(None)
    hand.time = 1.0
    hand.move("done", *reversed(nodes))

    told = log.look(None)
    assert len(told) < 500
    assert told[-1] == "12:00:01 root  done 8,000/8,000 in 1.0s"


def _below(parent: TaskNode, node_id: str) -> TaskNode:
    """The child of that id; a new one where there is none."""
    return next((child for child in parent.children if child.id == node_id), None) or parent.add_child(
        TaskNode(node_id)
    )


def test_retries_skips_and_cancels_are_told() -> None:
    """An attempt that is repeated, and what never ran, with the reason."""
    hand = pipeline()
    log = Log(hand)
    hand.move("working", "pipeline", "phase1", "task1", "task2")
    log.look()
    task1, task2, phase2 = (hand.tree.find(node_id) for node_id in ("task1", "task2", "phase2"))
    assert task1 is not None
    assert task2 is not None
    assert phase2 is not None
    task1.retry_count = 1
    task1.error = "connection reset"
    hand.move("retrying", "task1")
    assert log.look() == ["12:00:00 Phase 1 › Task 1  retry 1/3: connection reset"]
    hand.move("working", "task1")
    task2.reason = "a sibling failed"
    phase2.reason = "Phase 1 failed"
    hand.move("timed_out", "task1")
    hand.move("cancelled", "task2")
    hand.move("skipped", "phase2")
    assert log.look() == [
        "12:00:00 Phase 1 › Task 1  timed out after 2 attempts in 0.0s: connection reset",
        "12:00:00 Phase 1 › Task 2  cancelled in 0.0s: a sibling failed",
        "12:00:00 Phase 2  skipped: Phase 1 failed",
    ]


def test_silence_is_broken_every_half_minute() -> None:
    """A heartbeat names what has run longest, and goes on while nobody looks at the tree."""
    hand = nightly()
    log = Log(hand)
    hand.move("working", "nightly", "crawl", "p7")
    log.look()
    for now, expected in [
        (29.9, []),
        (30.0, ["12:00:30 still running: 0/5,003, longest crawl › fetch[7.html] 30.0s"]),
        (59.0, []),
        (60.0, ["12:01:00 still running: 0/5,003, longest crawl › fetch[7.html] 1m 00s"]),
    ]:
        hand.time = now
        start = log.output.tell()
        log.log.show(now)
        assert log.output.getvalue()[start:].splitlines() == expected


def test_path_of_a_deep_node_is_its_end() -> None:
    """The last names of a path that is too long for a line."""
    hand = chain(100)
    log = Log(hand)
    hand.move("working", *(f"n{number}" for number in range(100)))
    log.look()
    hand.fail("n99", "boom")

    assert log.look() == ["12:00:00 … › n95 › n96 › n97 › n98 › n99  failed in 0.0s: boom"]


def test_lines_are_safe_and_encodable() -> None:
    """Names and errors cannot begin a line of their own; what the output cannot encode is escaped."""
    hand = flat(1, "nächtlich")
    hand.tree.root.children[0].name = "a\n12:00:00 forged"
    log = Log(hand, "ascii")
    hand.move("working", "nächtlich", "t0")
    assert log.look() == [r"12:00:00 n\xe4chtlich  started: 1 task known"]
    hand.fail("t0", "\x1b[31m日本")
    assert log.look() == [r"12:00:00 a\n12:00:00 forged  failed in 0.0s: \x1b[31m\u65e5\u672c"]


@pytest.mark.parametrize("depth", [0, 1, None])
def test_depth_limits_what_is_told_one_by_one(depth: int | None) -> None:
    """Below the depth a group is told as a whole."""
    hand = pipeline()
    log = Log(hand)
    hand.move("working", "pipeline", "phase1", "task1", "task2")
    log.look(depth)
    hand.move("done", "task1", "task2", "phase1")

    told = [line.split("  ")[0].removeprefix("12:00:00 ") for line in log.look(depth)]
    assert told == {0: [], 1: ["Phase 1"], None: ["Phase 1 › Task 1", "Phase 1 › Task 2", "Phase 1"]}[depth]
