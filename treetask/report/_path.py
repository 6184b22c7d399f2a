"""The critical path of a run: the chain of nodes without which it would have ended sooner.

It is found backwards. Of a node with children the one that ended last has determined its end. What a node waited for
has determined its start: of its dependencies and its siblings, whose slot or turn it may have taken over, the one that
ended last before it began. Where there is none, its parent has, up to then. What lies between is time in which the node
waited for something else: a slot, a limit, a resource.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from treetask.events import Story, StoryNode
from treetask.report._bars import end_of

#: What is shorter is the work of the engine between two nodes.
_SHORTEST: Final = 1e-6


#: The place of a node, and from when to when.
_Stretch: TypeAlias = tuple[int, float, float]


@dataclass(frozen=True, slots=True)
class Step:
    """A stretch of the critical path. Times are seconds since the run began."""

    #: The place of the node in the story.
    node: int
    start: float
    end: float
    #: How long the node had waited before that, though nothing on the path ran.
    waited: float


def critical_path(story: Story) -> list[Step]:
    """Return the steps that led to the end of a run, the first one first; nothing where no node began."""
    steps: list[Step] = []
    for node, start, end in reversed(list(_Search(story).stretches())):
        waited = start - steps[-1].end if steps else 0.0
        steps.append(Step(node, start, end, waited if waited > _SHORTEST else 0.0))
    return steps


class _Search:
    def __init__(self, story: Story) -> None:
        self._nodes: Final = story.nodes
        self._ends: Final = [end_of(node, story) for node in story.nodes]
        self._children: Final = _by_end(story.nodes, self._ends)
        #: Nodes of no duration follow each other at one moment; none is passed twice.
        self._passed: Final[set[int]] = set()
        #: How far back the search has come; what an earlier life of the run has left may lie beside its parent's time.
        self._reached = math.inf

    def stretches(self) -> Iterator[_Stretch]:
        """Yield the nodes on the path with the times in which they were what counted, the last one first."""
        place: int | None = 0 if self._nodes else None
        while place is not None:
            self._passed.add(place)
            start, end = self._nodes[place].started_at, self._ends[place]
            if start is None or end is None:
                return
            end = min(end, self._reached)
            last = self._last_child(place, end)
            if last is None:
                yield from self._stretch(place, min(start, end), end, always=True)
                place = yield from self._up(place)
            else:
                # What a parent did after its last child is its own.
                yield from self._stretch(place, max(start, self._end(last)), end)
                place = last

    def _up(self, place: int) -> Generator[_Stretch, None, int | None]:
        """Return what had ended before a node or, where nothing had, before its parents; yield what these did first."""
        before = self._before(place)
        while before is None:
            parent, start = self._nodes[place].parent, self._nodes[place].started_at
            if parent < 0:
                return None
            begun = self._nodes[parent].started_at
            if begun is not None and start is not None and self._nodes[parent].has_body:
                yield from self._stretch(parent, begun, min(start, self._reached))
            place = parent
            before = self._before(place)
        return before

    def _before(self, place: int) -> int | None:
        """Return what ended last before a node began."""
        node = self._nodes[place]
        start = min(node.started_at or 0.0, self._reached)
        found = [each for each in node.depends_on if each not in self._passed and self._end(each) <= start]
        sibling = None if node.parent < 0 else self._last_child(node.parent, start)
        if sibling is not None:
            found.append(sibling)
        return max(found, key=self._end, default=None)

    def _last_child(self, parent: int, upto: float) -> int | None:
        """Return the child that ended last until then and is not on the path yet."""
        ends, places = self._children.get(parent, ((), ()))
        for number in range(bisect_right(ends, upto) - 1, -1, -1):
            if places[number] not in self._passed:
                return places[number]
        return None

    def _stretch(self, place: int, start: float, end: float, *, always: bool = False) -> Iterator[_Stretch]:
        if always or end - start > _SHORTEST:
            self._reached = start
            yield place, start, end

    def _end(self, place: int) -> float:
        end = self._ends[place]
        return math.inf if end is None else end


def _by_end(nodes: Sequence[StoryNode], ends: Sequence[float | None]) -> dict[int, tuple[list[float], list[int]]]:
    """Return the children that began of each parent, with their ends, in the order of these."""
    below: dict[int, list[tuple[float, int]]] = {}
    for place, node in enumerate(nodes):
        end = ends[place]
        if end is not None:
            below.setdefault(node.parent, []).append((end, place))
    return {
        parent: ([end for end, _ in sorted(each)], [place for _, place in sorted(each)])
        for parent, each in below.items()
    }
