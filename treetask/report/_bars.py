"""When bodies ran, as bars in lanes: attempts that overlap lie in different ones, as few as there can be.

Knows stories; not how bars are drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

from treetask.events import Story, StoryNode
from treetask.model import TaskStatus


@dataclass(frozen=True, slots=True)
class Bar:
    """One attempt of a body. Times are seconds since the run began."""

    #: The place of the node in the story.
    node: int
    #: Of the attempt; counts from 1.
    number: int
    start: float
    end: float
    #: How it ended; `working` where that is not on record.
    status: TaskStatus
    #: Counts from 0.
    lane: int


def bars_of(story: Story) -> list[Bar]:
    """Return the attempts of all bodies in the order in which they began, each in the lowest lane that was free."""
    attempts = sorted(_attempts(story), key=lambda each: (each[2], each[0], each[1]))
    free: list[int] = []
    busy: list[tuple[float, int]] = []
    bars: list[Bar] = []
    for node, number, start, end, status in attempts:
        while busy and busy[0][0] <= start:
            heappush(free, heappop(busy)[1])
        lane = heappop(free) if free else len(busy)
        heappush(busy, (end, lane))
        bars.append(Bar(node, number, start, end, status, lane))
    return bars


def end_of(node: StoryNode, story: Story) -> float | None:
    """Return when a node ended, or the end of what is on record; None if it never began."""
    if node.started_at is None:
        return None
    return max(node.started_at, story.elapsed if node.ended_at is None else node.ended_at)


def parents(story: Story) -> set[int]:
    """Return the places of the nodes that have others below them: their bodies mostly wait for these."""
    return {node.parent for node in story.nodes}


def micros(seconds: float) -> int:
    """Return a time in whole microseconds."""
    return round(seconds * 1e6)


def concurrency(story: Story, bars: Sequence[Bar]) -> list[tuple[float, int]]:
    """Return how many bodies ran from each moment on at which that changed.

    A body that has children below it mostly waits for them, and does not count.
    """
    waits = parents(story)
    changes: dict[float, int] = {}
    for bar in bars:
        if bar.node not in waits:
            changes[bar.start] = changes.get(bar.start, 0) + 1
            changes[bar.end] = changes.get(bar.end, 0) - 1
    curve: list[tuple[float, int]] = []
    running = 0
    for moment in sorted(changes):
        if changes[moment]:
            running += changes[moment]
            curve.append((moment, running))
    return curve


def _attempts(story: Story) -> list[tuple[int, int, float, float, TaskStatus]]:
    found: list[tuple[int, int, float, float, TaskStatus]] = []
    for place, node in enumerate(story.nodes):
        if not node.has_body:
            continue
        for each in node.attempts:
            end = story.elapsed if each.ended_at is None else each.ended_at
            found.append((place, each.number, each.started_at, max(each.started_at, end), each.status))
    return found
