"""Whose results were taken by whom: what was done with something that comes to something else by now runs again.

Knows the nodes and their edges of data, and is told how each stands; of records and stores it knows nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from enum import Enum, auto
from typing import Final

from treetask.dsl import results_taken
from treetask.model import TaskNode


class Standing(Enum):
    """What is to be expected of a node when its run goes on."""

    SAME = auto()
    """What it came to before, whether it runs again or not."""
    FOLLOWS = auto()
    """It did not run, and comes to nothing again unless what it waits for comes to something else."""
    OTHER = auto()
    """It runs again, and may come to something else."""


class Takers:
    """Finds what runs again since it takes what others came to."""

    def __init__(self, standing: Callable[[TaskNode], Standing], around: Callable[[TaskNode], bool]) -> None:
        self._standing: Final = standing
        #: Whether the parent of a node, which is done, runs again when the node does.
        self._around: Final = around
        #: The ids of what comes to something else, in all parts of the tree so far.
        self._others: Final[set[str]] = set()

    def take_out(self, nodes: Iterable[TaskNode], done: set[TaskNode]) -> None:
        """Take out of those that are done what runs again. A parent comes before those below it."""
        takers: defaultdict[str, list[TaskNode]] = defaultdict(list)
        waiting: list[TaskNode] = []
        inside: set[TaskNode] = set()
        for node in nodes:
            standing = Standing.SAME if node in done else self._standing(node)
            if node.parent is not None and (node.parent in done or node.parent in inside):
                inside.add(node)  # how it ended counts, until what is around it runs again
            if standing is Standing.OTHER and (node not in inside or self._around(node)):
                waiting.append(node)
            else:
                waits = node.options.depends_on if standing is Standing.FOLLOWS else ()
                for source in results_taken(node).union(waits):
                    takers[source].append(node)
        waiting += (node for source in self._others.intersection(takers) for node in takers[source])
        while waiting:
            node = waiting.pop()
            if node.id in self._others:
                continue
            self._others.add(node.id)
            waiting += takers[node.id]
            if node in done:
                done.remove(node)
                waiting += self._below(node, done)
            if node.parent in done and self._around(node):
                waiting.append(node.parent)

    def _below(self, top: TaskNode, done: set[TaskNode]) -> Iterable[TaskNode]:
        """Return what runs again with what is around it."""
        below = [*top._children]
        while below:
            node = below.pop()
            if node not in done:
                below += node._children
                if self._standing(node) is Standing.OTHER:
                    yield node
