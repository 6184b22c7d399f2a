"""Which of the rarer options the nodes of a tree make use of: what none of them uses costs a run nothing.

On the way it refuses what no single node shows: limits of one name that differ, and limits on bodies that yield.
"""

from __future__ import annotations

from collections.abc import Iterable

from treetask._errors import DefinitionError
from treetask.model._body import kind_of
from treetask.model._limit import Limit
from treetask.model._node import TaskNode
from treetask.model._options import DEFAULT_OPTIONS, KeepDone


class Features:
    """What the nodes noted so far make use of."""

    __slots__ = ("has_always", "has_costs", "has_gates", "has_places", "has_priorities", "has_rollup", "limits")

    def __init__(self) -> None:
        #: Whether any node runs whatever happened to its siblings.
        self.has_always = False
        #: Whether the order of starts is another one than that of the declarations.
        self.has_costs = False
        self.has_priorities = False
        #: Whether a start may have to wait for anything but a slot or a thread.
        self.has_gates = False
        #: Whether any group folds its children that are done.
        self.has_rollup = False
        #: Whether it may have to wait for a place in its group.
        self.has_places = False
        #: The limits by their names.
        self.limits: dict[str, Limit] = {}

    def note(self, nodes: Iterable[TaskNode]) -> None:
        """Take note of nodes that come in. Raises `DefinitionError` for limits that cannot be."""
        special = [node for node in nodes if node.options is not DEFAULT_OPTIONS]
        for node in special:
            if node.options.limits:
                self._note_limits(node)
        for options in {id(node.options): node.options for node in special}.values():
            self.has_always = self.has_always or options.always
            self.has_costs = self.has_costs or options.cost is not None
            self.has_priorities = self.has_priorities or options.priority is not None
            self.has_rollup = self.has_rollup or options.keep_done is KeepDone.ROLLUP
            self.has_places = self.has_places or options.max_parallel is not None
            self.has_gates = self.has_gates or self.has_places or bool(options.limits)

    def restore(self, before: Features) -> None:
        """Take note of nothing since a copy was made: what came in was refused."""
        for name in self.__slots__:
            setattr(self, name, getattr(before, name))

    def __copy__(self) -> Features:
        copy = Features()
        copy.restore(self)
        copy.limits = {**self.limits}
        return copy

    def _note_limits(self, node: TaskNode) -> None:
        body = node.task_fn
        names = ", ".join(f"'{limit.name}'" for limit in node.options.limits)
        if body is None or kind_of(body).yields:
            what = "has no body" if body is None else "yields children"
            raise DefinitionError(f"node '{node.id}' {what}, so it cannot be limited by {names}; limit its children")
        for limit in node.options.limits:
            known = self.limits.setdefault(limit.name, limit)
            if known != limit:
                raise DefinitionError(
                    f"node '{node.id}' names another limit '{limit.name}' than the nodes before it: {limit}, not "
                    f"{known}; share one Limit, or give one of them another name"
                )


def goes_last(node: TaskNode) -> bool:
    """Whether a node waits until all its siblings have ended: one that always runs, and says nothing of when.

    One that the body of its parent has spawned just starts: that body may wait for it.
    """
    options = node.options
    if not options.always or (node._child is not None and node._child.makes_its_node):
        return False
    return not options.depends_on or (node.parent is not None and not node.parent.options.parallel)
