"""Who waits for whose end: the dependencies of the nodes in a run, looked at from the other side."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from treetask.model import CLOSED, TaskNode, TaskStatus, TaskTree, dependencies_of


class Waiting:
    """The dependents of each node, kept up as nodes are added."""

    def __init__(self, tree: TaskTree) -> None:
        self._dependencies: Final = dependencies_of(tree)
        #: The nodes that wait for the end of one.
        self.dependents: Final[dict[TaskNode, list[TaskNode]]] = {}
        #: Nodes that have ended, but whose dependents were not told yet.
        self.untold: Final[set[TaskNode]] = set()
        #: Nodes that could never start when they came in, each with the dependency that has not ended well.
        self.lost_at_start: Final = self._note(self._dependencies.nodes())

    def include(self, nodes: Iterable[TaskNode]) -> list[tuple[TaskNode, TaskNode]]:
        """Resolve the dependencies of nodes that came in, and note how many each still waits for.

        Returns the nodes that can never start, each with the dependency that has not ended well. Raises
        `DefinitionError` for dependencies that cannot be; nothing is included then.
        """
        return self._note(self._dependencies.include(nodes))

    def _note(self, nodes: Iterable[TaskNode]) -> list[tuple[TaskNode, TaskNode]]:
        lost: list[tuple[TaskNode, TaskNode]] = []
        for node in nodes:
            for dependency in self._dependencies.of(node):
                self.dependents.setdefault(dependency, []).append(node)
                if dependency.is_done() and not dependency.is_successful():
                    lost.append((node, dependency))
            self.close(node)
        return lost

    def lost(self, nodes: Iterable[TaskNode]) -> list[tuple[TaskNode, TaskNode]]:
        """Return those that can never start, each with the dependency that has not ended well."""
        return [
            (node, one)
            for node in nodes
            for one in self._dependencies.of(node)
            if one.is_done() and not one.is_successful()
        ]

    def close(self, node: TaskNode) -> None:
        """Let a node wait, for its parent and for the dependencies that are not met."""
        unmet = sum(one._status is not TaskStatus.DONE or one in self.untold for one in self._dependencies.of(node))
        node._waits = CLOSED + unmet
