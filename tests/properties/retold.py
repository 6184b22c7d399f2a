"""A run told by its lines: whoever has only these knows how it was."""

from __future__ import annotations

from treetask import TaskNode, TaskTree
from treetask.events import EndLine, Replay, StartLine, lines_of, story_of


def check_retold(tree: TaskTree, began: float, written: list[bytes]) -> None:
    """The lines of a run have no gap, and a replay and the story of them come to what the run has come to."""
    lines = list(lines_of(written, "events"))
    assert isinstance(lines[0], StartLine)
    assert isinstance(lines[-1], EndLine)
    assert [line.seq for line in lines] == list(range(1, len(lines) + 1))

    replay = Replay(lambda: 0.0)
    for line in lines:
        replay.hear(line)
    assert replay.tree is not None
    story = {node.id: node for node in story_of(lines).nodes}
    for node in tree.walk():
        again = replay.tree.find(node.id)
        assert again is not None, f"{node!r} is not told"
        assert state(again, 0.0) == state(node, began)
        told = story[node.id]
        assert (told.status, told.started_at, told.ended_at) == (again.status, again.started_at, again.ended_at)
    if tree.folds is None:
        # What was folded and is not asked for again counts no more, and nobody knows its name.
        assert replay.tree.get_stats() == tree.get_stats()
        assert len(story) == len(tree)


def state(node: TaskNode, began: float) -> tuple[object, ...]:
    """How a node stands, with its times since the run began."""
    # In microseconds, as the lines have them.
    times = [None if at is None else round(at - began, 6) for at in (node.started_at, node.ended_at)]
    return node.status, node.retry_count, None if node.parent is None else node.parent.id, node.progress, times
