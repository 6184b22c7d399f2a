"""What went wrong in a tree that has ended: each distinct failure once, with the nodes that met it again.

Knows nodes and exceptions; not how they are told.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from treetask.model import TaskNode, TaskStatus, TaskTree, is_from_below, leaf_exceptions, unhandled
from treetask.text import exception_lines, frame_lines, safe_text, user_places


@dataclass(slots=True)
class Failure:
    """One distinct failure: the node that met it first, what was raised, and the nodes that met it again."""

    node: TaskNode
    exception: BaseException | None
    #: A node with several failures has one log.
    tells_log: bool
    again: list[TaskNode] = field(default_factory=list[TaskNode])

    @property
    def kind(self) -> str:
        """The name of its kind: `HTTPError`, or a status where nothing was raised."""
        return str(self.node.status).replace("_", " ") if self.exception is None else type(self.exception).__qualname__

    def words(self) -> list[str]:
        """Return what was said of it, in lines that are safe to be shown."""
        if self.exception is not None:
            return exception_lines(self.exception)
        return [safe_text(line) for line in (self.node.error or self.kind).splitlines()]

    def frames(self) -> list[str]:
        """Return where it came from, in lines; none where nothing was raised."""
        return [] if self.exception is None else frame_lines(self.exception)


def failed_nodes(tree: TaskTree) -> list[TaskNode]:
    """Return the nodes that failed by themselves, not because a child did, and whose failure no body handled."""
    return [node for node in unhandled(tree.get_failed_nodes()) if _is_own(node)]


def distinct_failures(nodes: Iterable[TaskNode]) -> list[Failure]:
    """Return each failure of these nodes once; those of a group of exceptions each by itself."""
    found: dict[object, Failure] = {}
    for node in nodes:
        leaves = [None] if node.exception is None else leaf_exceptions(node.exception)
        for number, leaf in enumerate(leaves):
            failure = found.setdefault(_sameness(node, leaf), Failure(node, leaf, tells_log=number == 0))
            if failure.node is not node:
                failure.again.append(node)
    return list(found.values())


def _is_own(node: TaskNode) -> bool:
    """Whether a node failed by itself, not because a child did."""
    if node.parent is None and node.status is TaskStatus.TIMED_OUT and node.exception is None:
        return False  # the run took too long, and its caller says so
    return not is_from_below(node, node.status, node.exception)


def _sameness(node: TaskNode, exception: BaseException | None) -> object:
    if exception is None:
        return (node.status, node.error)
    return (type(exception), tuple(exception_lines(exception)), user_places(exception))
