"""The rows that a person moves through: from one to the next in the order of the screen, any number of them.

`Outline` begins with the rows that the display had chosen, each group with the same children; what was opened by hand
has all of them. `Failures` is what failed, one below the other. Both are made anew for each look and find the rows
around one of them, never all: the cost depends on the rows that are shown, not on the tree. Pure.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Protocol, TypeAlias

from treetask.display._selection import Selection
from treetask.model import TaskNode, TaskTree

#: Of the failures, so many can be moved through; the rest is counted.
FAILURES_SHOWN: Final = 1000


@dataclass(frozen=True, slots=True)
class More:
    """The row of a group that stands for its children without a row."""

    group: TaskNode


#: What has a row.
Place: TypeAlias = TaskNode | More


class Rows(Protocol):
    """Rows in an order."""

    def held(self, place: Place) -> Place | None:
        """Return a place that has a row: this one, or else what it is below; None if there is none."""

    def moved(self, place: Place, count: int) -> Place:
        """Return the place so many rows further down, or up; the last one that there is."""
        ...

    def end(self, *, last: bool) -> Place | None:
        """Return the first place or the last; None where there is none."""


def around(rows: Rows, place: Place, line: int, height: int) -> tuple[list[Place], int]:
    """Return the `height` places around one that is to stand in row `line`, and the row where it does stand."""
    below = _from(rows, place, 1, height - 1 - line)
    above = _from(rows, place, -1, height - 1 - len(below))
    if len(above) < line:
        below = _from(rows, place, 1, height - 1 - len(above))
    return [*reversed(above), place, *below], len(above)


def _from(rows: Rows, place: Place, step: int, count: int) -> list[Place]:
    """Return up to so many places that follow one."""
    places: list[Place] = []
    while len(places) < count:
        following = rows.moved(place, step)
        if following == place:
            break
        places.append(following)
        place = following
    return places


class Outline:
    """The rows of a tree in which some groups are open."""

    def __init__(
        self, tree: TaskTree, chosen: Selection, opened: frozenset[TaskNode], closed: frozenset[TaskNode]
    ) -> None:
        self.tree = tree
        self._chosen = chosen
        self._opened = opened
        self._closed = closed
        #: The places below a group that were found already.
        self._known: dict[TaskNode, Sequence[Place]] = {}

    def is_open(self, place: Place) -> bool:
        """Whether there are rows below a place."""
        return bool(self.below(place))

    def is_opened(self, place: Place) -> bool:
        """Whether all children of a group have rows."""
        return place in self._opened

    def can_open(self, place: Place) -> bool:
        """Whether a place has children."""
        return isinstance(place, TaskNode) and bool(place.children)

    def gap(self, node: TaskNode) -> int:
        """Return the levels between a row and the one that it stands below."""
        return 0 if self.parent(node) is node.parent else self._chosen.gaps.get(node, 0)

    def below(self, place: Place) -> Sequence[Place]:
        """Return the places right below one."""
        if isinstance(place, More) or place in self._closed:
            return ()
        known = self._known.get(place)
        if known is None:
            known = self._known[place] = self._found_below(place)
        return known

    def _found_below(self, group: TaskNode) -> Sequence[Place]:
        if group in self._opened:
            return [*group.children, More(group)] if self.tree.folded_children(group) else group.children
        chosen = [node for node in self._chosen.below.get(group, ()) if self._chosen.is_there(node)]
        if not chosen:
            return ()
        chosen.sort(key=_order)
        own = sum(node.parent is group for node in chosen)
        return [*chosen, More(group)] if own < self._chosen.size(group) else chosen

    def first_hidden(self, group: TaskNode) -> TaskNode | None:
        """Return the first child without a row behind those that have one; else the first of all."""
        shown = [node for node in self.below(group) if isinstance(node, TaskNode) and node.parent is group]
        last = self._index(group.children, shown[-1]) if shown else None
        if last is not None and last + 1 < len(group.children):
            return group.children[last + 1]
        return next((child for child in group.children if child not in shown), None)

    def parent(self, place: Place) -> TaskNode | None:
        """Return what a place stands below."""
        if isinstance(place, More):
            return place.group
        host = self._chosen.hosts_of_gaps.get(place)
        return place.parent if host is None or host in self._opened else host

    def lasts(self, place: Place) -> tuple[bool, ...]:
        """Return for each level below the root down to a place whether it is the last one there."""
        lasts: list[bool] = []
        parent = self.parent(place)
        while parent is not None:
            lasts.append(self.below(parent)[-1] == place)
            place, parent = parent, self.parent(parent)
        return tuple(reversed(lasts))

    # -- in the order of the screen --------------------------------------------------------------------------------

    def held(self, place: Place) -> Place | None:
        """Return the lowest place on the way to one that has a row."""
        path = [place]
        parent = self.parent(place)
        while parent is not None:
            path.append(parent)
            parent = self.parent(parent)
        found = path.pop()
        if found is not self.tree.root:
            return self.tree.root  # it was removed from the tree
        while path and self._index(self.below(found), path[-1]) is not None:
            found = path.pop()
        return found

    def moved(self, place: Place, count: int) -> Place:
        step = self._after if count > 0 else self._before
        for _ in range(abs(count)):
            following = step(place)
            if following is None:
                break
            place = following
        return place

    def end(self, *, last: bool) -> Place:
        return self._lowest(self.tree.root) if last else self.tree.root

    def _after(self, place: Place) -> Place | None:
        below = self.below(place)
        if below:
            return below[0]
        parent = self.parent(place)
        while parent is not None:
            siblings = self.below(parent)
            index = self._index(siblings, place)
            if index is not None and index + 1 < len(siblings):
                return siblings[index + 1]
            place, parent = parent, self.parent(parent)
        return None

    def _before(self, place: Place) -> Place | None:
        parent = self.parent(place)
        if parent is None:
            return None
        siblings = self.below(parent)
        index = self._index(siblings, place)
        return self._lowest(siblings[index - 1]) if index else parent

    def _lowest(self, place: Place) -> Place:
        while below := self.below(place):
            place = below[-1]
        return place

    @staticmethod
    def _index(places: Sequence[Place], place: Place) -> int | None:
        """Return where a place is among others, which mostly stand in their order: of a long list little is read."""
        if isinstance(place, More):
            return len(places) - 1 if places and places[-1] == place else None
        nodes = len(places) - (bool(places) and isinstance(places[-1], More))
        index = bisect_left(places, place._order, 0, nodes, key=_order)
        if index < nodes and places[index] is place:
            return index
        return places.index(place) if place in places else None


class Failures:
    """What failed, the earliest first."""

    def __init__(self, tree: TaskTree) -> None:
        self.tree = tree
        self.nodes: list[TaskNode] = list(islice(tree.failed, FAILURES_SHOWN))
        self._indices: dict[Place, int] = {node: index for index, node in enumerate(self.nodes)}

    def held(self, place: Place) -> Place | None:
        return place if place in self._indices else self.end(last=False)

    def moved(self, place: Place, count: int) -> Place:
        index = self._indices.get(place, 0) + count
        return self.nodes[max(0, min(len(self.nodes) - 1, index))]

    def end(self, *, last: bool) -> Place | None:
        return self.nodes[-1 if last else 0] if self.nodes else None

    def node(self, place: Place) -> TaskNode:
        """Return the node of a place."""
        return self.nodes[self._indices.get(place, 0)]


def _order(place: Place) -> int:
    return place._order if isinstance(place, TaskNode) else 0
