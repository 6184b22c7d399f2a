"""What earlier attempts of bodies have done: the next attempt takes it as its own, child by child, as it asks for it.

A child that was yielded or spawned and is done stays in the tree when its parent's attempt has failed, with all that is
below it: left over. The body that starts from the top gets it back when it asks for the same child again. What it never
asks for is discarded when the body returns, or when there is no further attempt. One that fails may have been about to
ask, so what is left over then is kept for the attempt after it; but no more in all than the attempt that has asked for
most: a body that asks for the same each time loses nothing by that, and one that asks for others fills no memory. The
same child is one of the same arguments, and these are compared themselves. Of those that were folded only the keys and
types are left: they come back without the result that they had, and those of which nobody knows their arguments by
that, as if the key was chosen, not at all. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final, TypeAlias

from treetask.engine._queue import by_order
from treetask.engine._waiting import Waiting
from treetask.model import GONE, Child, TaskNode, TaskStatus, TaskTree

#: Who waited for something that was discarded, and the reason not to run; None where it was not needed.
Orphan: TypeAlias = tuple[TaskNode, str | None]


class LeftOver:
    """The children that are left over in one run."""

    def __init__(self, tree: TaskTree, waiting: Waiting) -> None:
        self._tree: Final = tree
        self._waiting: Final = waiting
        #: By parent, those that its attempt has not asked for. An entry is there until its body has returned.
        self.of: Final[dict[TaskNode, set[TaskNode]]] = {}
        #: For each of these parents, how many children one of its attempts has asked for at most.
        self._most: Final[dict[TaskNode, int]] = {}

    def pop(self, parent: TaskNode, *, is_all: bool) -> set[TaskNode]:
        """Return what is left over of a parent until now, without what was folded; that is forgotten if `is_all`."""
        if is_all and self._tree.folds is not None:
            self._tree.folds.forget_added(parent)
        return self.of.pop(parent, set())

    def keep(self, parent: TaskNode, children: Sequence[TaskNode], asked: Sequence[TaskNode]) -> list[TaskNode]:
        """Leave over children of a parent for its next attempt, and what was folded; return those that are too many.

        The last attempt has asked for those in `asked`. Of the others the first go that were asked for the longest ago,
        after what was folded before.
        """
        folds = self._tree.folds
        added, again, before = (0, 0, 0) if folds is None else folds.left_by(parent)
        most = max(self._most.pop(parent, 0), len(asked) + added)
        too_many = len(children) + again + before - most
        if folds is not None and before and too_many > 0:
            folds.forget_left(parent)
            too_many -= before
        has_folded = folds is not None and folds.leave_added(parent)
        gone = sorted(set(children).difference(asked), key=by_order)[:too_many] if too_many > 0 else []
        if children or has_folded:
            self.of[parent] = set(children).difference(gone)
            self._most[parent] = most
        return gone

    def make_way(self, child: TaskNode) -> list[Orphan]:
        """Discard what is left over and has an id that comes in with a child, or is above it; return who waited."""
        orphans: list[Orphan] = []
        for each in child.walk():
            node = self._tree.find(each.id)
            while node is not None and node.parent is not None:
                left = self.of.get(node.parent)
                if left is not None and node in left:
                    left.remove(node)
                    self.forget(node.walk())
                    orphans += discard(self._tree, self._waiting, [node])
                    break
                node = node.parent
        return orphans

    def take(self, child: Child[Any], parent: TaskNode) -> tuple[TaskNode | None, list[Orphan]]:
        """Return the node that a child comes down to, if it is left over.

        One of the same key that is of other arguments is discarded; who waited for that comes back as well.
        """
        left = self.of.get(parent)
        if left is None or child._node is not None:
            return None, []
        node_id = f"{parent.id}/{child.key}"
        node = self._tree.find(node_id)
        if node is None or node not in left:
            return self._take_folded(child, node_id, parent), []
        left.remove(node)
        if not child.is_same_as(node._child):
            return None, discard(self._tree, self._waiting, [node])
        node._child, child._node = child, node
        self._tree.let_come_last(node)
        return node, []

    def _take_folded(self, child: Child[Any], node_id: str, parent: TaskNode) -> TaskNode | None:
        """Return a node as it is when it has been folded, if a child of a parent is left over as such."""
        folds = self._tree.folds
        had_result = None if folds is None else folds.take_left(child, node_id, parent)
        if had_result is None:
            return None
        child._node = node = child.template.make_node(child, node_id)
        node._status = TaskStatus.DONE
        node.result = GONE if had_result else None
        node.parent = parent
        return node

    def asked_for(self, parent: TaskNode) -> list[TaskNode]:
        """Return the children of a parent, without those that its attempt has not asked for, in their order."""
        left = self.of.get(parent)
        if left is None:
            return parent._children
        return sorted((child for child in parent._children if child not in left), key=by_order)

    def drop(self, parent: TaskNode) -> list[Orphan]:
        """Discard what the body of a parent never asked for; return who waited for that."""
        left = self.of.pop(parent, None)
        if left is None:
            return []
        del self._most[parent]
        orphans = discard(self._tree, self._waiting, left)
        self._tree.put_in_order(parent)
        if self._tree.folds is not None:
            self._tree.folds.forget_left(parent)
        return orphans

    def forget(self, nodes: Iterable[TaskNode]) -> None:
        """Nodes have left the tree, with all below them."""
        for node in nodes if self.of else ():
            self.of.pop(node, None)
            self._most.pop(node, None)


def may_be_left_over(child: TaskNode) -> bool:
    """Whether the next attempt of a child's parent, which has added it, may take it as it is."""
    return child._status is TaskStatus.DONE and child._child is not None and child._child.makes_its_node


def discard(tree: TaskTree, waiting: Waiting, children: Collection[TaskNode]) -> list[Orphan]:
    """Take children of one parent out of the tree; return who waited for them or for what is below."""
    if not children:
        return []
    below = [node for child in children for node in child.walk()]
    tree.remove(*children)
    orphans: list[Orphan] = []
    for node in below:
        for dependent in waiting.dependents.pop(node, ()):
            if node.id not in dependent.options.optional:
                orphans.append((dependent, f"'{node.id}' was discarded"))
            elif not node.is_done() or node in waiting.untold or waiting.held.is_held(node, dependent):
                dependent._waits -= 1
                orphans.append((dependent, None))
            waiting.held.drop(node, dependent)
        waiting.untold.discard(node)
        waiting.held.forget(node)
    return orphans
