"""What is worth knowing of a run first: its distinct failures and where its time went.

Knows stories; not how they are shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nlargest
from statistics import median
from typing import Final

from treetask.events import Story, StoryNode
from treetask.model import FAILURES
from treetask.report._bars import Bar, parents

#: Rows of a table; whoever wants more of them has the tree.
SLOWEST_SHOWN: Final = 20
#: Distinct failures; the tree has them all.
FAILURES_SHOWN: Final = 100


@dataclass(frozen=True, slots=True)
class Kind:
    """Nodes with bodies whose names are the same up to their arguments. Times are seconds."""

    name: str
    count: int
    failed: int
    total: float
    middle: float
    longest: float


def distinct_failures(story: Story) -> list[list[int]]:
    """Return the places of the nodes that failed of themselves, those together that failed of the same."""
    found: dict[object, list[int]] = {}
    for place, node in enumerate(story.nodes):
        if node.status in FAILURES and not node.failed_below:
            found.setdefault(_sameness(node), []).append(place)
    return list(found.values())


def busy_times(bars: Sequence[Bar]) -> dict[int, float]:
    """Return how long each body ran, in all its attempts and without the waits between them."""
    times: dict[int, float] = {}
    for bar in bars:
        times[bar.node] = times.get(bar.node, 0.0) + bar.end - bar.start
    return times


def slowest(story: Story, times: dict[int, float]) -> list[int]:
    """Return the places of the bodies that ran longest; a body that only waits for its children is none of them."""
    waits = parents(story)
    return nlargest(SLOWEST_SHOWN, (place for place in times if place not in waits), key=lambda place: times[place])


def kinds(story: Story, times: dict[int, float]) -> list[Kind]:
    """Return what is declared once and ran many times, or once, the kind that took the most time first."""
    waits = parents(story)
    found: dict[str, list[int]] = {}
    for place in times:
        if place not in waits:
            found.setdefault(story.nodes[place].name.partition("[")[0], []).append(place)
    every = [
        Kind(
            name=name,
            count=len(places),
            failed=sum(story.nodes[place].status in FAILURES for place in places),
            total=sum(times[place] for place in places),
            middle=median(times[place] for place in places),
            longest=max(times[place] for place in places),
        )
        for name, places in found.items()
    ]
    return nlargest(SLOWEST_SHOWN, every, key=lambda kind: kind.total)


def _sameness(node: StoryNode) -> object:
    if not node.faults:
        return node.status, node.reason
    return tuple(
        (fault.kind, fault.message, tuple((frame.file, frame.line) for frame in fault.frames)) for fault in node.faults
    )
