"""Who waits for whose end: the dependencies of the nodes in a run, looked at from the other side.

`TaskNode._waits` counts what a node still waits for: the dependencies that are not met, and `CLOSED` for a parent that
has not let it go ahead. It is set here, lowered by the parent (`Scheduler._open`, `_let_go`) and by each dependency
that ends (`Endings._release`, `_tell`) or is discarded (`_left_over.py`); at 0 the node is ready. Between two attempts
it is `BACKING_OFF`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from treetask.engine._held import Held
from treetask.model import CLOSED, TaskNode, TaskStatus, TaskTree, dependencies_of

#: What a dependency that is not optional may not end as.
_BAD_ENDS: Final = frozenset(status for status in TaskStatus if status.is_terminal) - {TaskStatus.DONE}


class Waiting:
    """The dependents of each node, kept up as nodes are added."""

    def __init__(self, tree: TaskTree) -> None:
        self._dependencies: Final = dependencies_of(tree)
        #: What the nodes make use of.
        self.features: Final = self._dependencies.features
        #: The nodes that wait for the end of one.
        self.dependents: Final = self._dependencies.dependents
        #: Nodes that have ended, but whose dependents were not told yet.
        self.untold: Final[set[TaskNode]] = set()
        #: Bad ends that some of the dependents are not to hear of yet.
        self.held: Final = Held(tree.config)
        #: Take in a node that needs nothing and is like one before, or say that it is not.
        self.include_plain: Final = self._dependencies.include_plain
        #: Let go nodes that were folded.
        self.forget: Final = self._dependencies.forget

    def begin(self) -> list[tuple[TaskNode, TaskNode]]:
        """Note how many others each node waits for; return what `include` does."""
        return self._note(self._dependencies.items())

    def include(self, top: TaskNode) -> list[tuple[TaskNode, TaskNode]]:
        """Resolve the dependencies of nodes that came in with `top`, and note how many each still waits for.

        Returns the nodes that can never start, each with the dependency that has not ended well. Raises
        `DefinitionError` for dependencies that cannot be; nothing is included then.
        """
        return self._note((node, self._dependencies.of(node)) for node in self._dependencies.include(top.walk()))

    def _note(self, nodes: Iterable[tuple[TaskNode, tuple[TaskNode, ...]]]) -> list[tuple[TaskNode, TaskNode]]:
        lost: list[tuple[TaskNode, TaskNode]] = []
        for node, dependencies in nodes:
            if any(dependency._status.is_terminal for dependency in dependencies):
                self.close(node)
                lost += self.lost([node])
            else:
                node._waits = CLOSED + len(dependencies)
        return lost

    def lost(self, nodes: Iterable[TaskNode]) -> list[tuple[TaskNode, TaskNode]]:
        """Return those that can never start, each with the dependency that has not ended well."""
        return [(node, one) for node in nodes for one in self._dependencies.of(node) if self._is_lost(node, one)]

    def close(self, node: TaskNode) -> None:
        """Let a node wait, for its parent and for the dependencies that are not met."""
        self.held.of.pop(node, None)
        for one in self._dependencies.of(node):
            if one._status in _BAD_ENDS and one._tree is node._tree and one not in self.untold:
                self.held.hold(one, node)
        node._waits = CLOSED + len(self.unmet(node))

    def begin_anew(self, nodes: list[TaskNode]) -> None:
        """Nodes are brought back to their beginning: let them wait, and those who wait for them do so again."""
        self.untold.difference_update(nodes)
        for node in nodes if self.held.of else ():
            for dependent in self.dependents.get(node, ()):
                self.held.drop(node, dependent)
        for node in nodes:
            self.close(node)
        for node in nodes:
            for dependent in self.dependents.get(node, ()):
                if dependent._status is TaskStatus.PENDING:
                    dependent._waits += len(self.unmet(dependent)) - dependent._waits % CLOSED

    def unmet(self, node: TaskNode) -> list[TaskNode]:
        """Return the nodes whose ends a node still waits for."""
        return [
            one
            for one in self._dependencies.of(node)
            if one in self.untold or not (one.is_successful() or _is_out(one, node)) or self.held.is_held(one, node)
        ]

    def _is_lost(self, node: TaskNode, dependency: TaskNode) -> bool:
        """Whether a node can never start because something that it needs did not end well, or was discarded."""
        if dependency.id in node.options.optional:
            return False
        has_failed = dependency._status in _BAD_ENDS and not self.held.is_held(dependency, node)
        return has_failed or dependency._tree is not node._tree


def _is_out(dependency: TaskNode, node: TaskNode) -> bool:
    """Whether nothing more is to come of an optional dependency: it has ended, or it was discarded."""
    is_optional = dependency.id in node.options.optional
    return is_optional and (dependency.is_done() or dependency._tree is not node._tree)
