"""Decides which finished children are folded into their group (`keep_done="rollup"`), and when.

A child goes that is done, with all below it done: what failed, was skipped or cancelled stays, as it has to be shown.
One that another node depends on stays until that one is done, too: till then its result may be asked for. So does what
may have to run again although it is done, as what always runs may.

Children go in batches, when a group has as many that are done as others, and when it has ended. So the list of what is
left is made anew so rarely that a child costs the same in a group of any size. That is not done at once but in later
turns, when all who listen have been told of the ends; and not for many at a time, so that others get their turn. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from treetask.engine._group import Group
from treetask.engine._left_over import LeftOver
from treetask.engine._waiting import Waiting
from treetask.model import KeepDone, TaskNode, TaskStatus, TaskTree

#: No fewer children than this are worth a look at all of them, while more may come.
FEWEST: Final = 64

#: After so many others get their turn, before there were twice as many; they take some milliseconds.
AT_ONCE: Final = 500

#: But the children of a group are gone through in no more parts than this, since what is left is copied for each.
MOST_PARTS: Final = 64

_DONE: Final = TaskStatus.DONE


class Folding:
    """The children that are to be folded in one run. `ask` is called when there are some, until they were."""

    def __init__(self, tree: TaskTree, waiting: Waiting, left_over: LeftOver, ask: Callable[[], None]) -> None:
        self._tree: Final = tree
        self._waiting: Final = waiting
        self._left_over: Final = left_over
        self._features: Final = waiting.features
        self._ask: Final = ask
        #: The children of each group that are done, since it was looked at last.
        self._done: Final[dict[TaskNode, int]] = {}
        #: The groups to be looked at, and from which of their children on.
        self._due: Final[dict[TaskNode, int]] = {}

    def note_end(self, node: TaskNode) -> None:
        """Take note that a node has ended."""
        parent = node.parent
        if node._status is _DONE and parent is not None and parent.options.keep_done is KeepDone.ROLLUP:
            done = self._done[parent] = self._done.get(parent, 0) + 1
            if done >= FEWEST and done * 2 >= len(parent._children) and parent not in self._due:
                self._plan(parent)
        if node.options.keep_done is KeepDone.ROLLUP and node._children:
            self._plan(node)

    def _plan(self, group: TaskNode) -> None:
        if not self._due:
            self._ask()
        self._due[group] = 0

    @property
    def is_due(self) -> bool:
        """Whether there is something to be folded."""
        return bool(self._due)

    def fold(self) -> list[TaskNode]:
        """Fold some of what is to be folded, and ask to be called again for the rest; return what is gone."""
        gone: list[TaskNode] = []
        while self._due and len(gone) < AT_ONCE:
            gone += self._fold_some(next(iter(self._due)))
        if self._due:
            self._ask()
        return gone

    def _fold_some(self, group: TaskNode) -> list[TaskNode]:
        """Look at some children of a group, the next ones, and fold those that may go."""
        start = self._due.pop(group)
        if not start:
            self._done.pop(group, None)
        if group._tree is not self._tree:
            return []
        attempt: Group | None = group._group
        added = set[TaskNode]() if attempt is None else set(attempt.added)
        stop = start + max(AT_ONCE, len(group._children) // MOST_PARTS)
        children = [child for child in group._children[start:stop] if self._is_through_with(child)]
        left = self._left_over.of.get(group)
        if left:
            children = [child for child in children if child not in left]
        if self._features.has_always:
            children = [child for child in children if child in added or not self._is_run_again(child)]
        if stop < len(group._children):
            self._due[group] = stop - len(children)
        if not children:
            return []
        gone = [node for child in children for node in ((child,) if not child._children else child.walk())]
        self._tree.fold(group, children, added, start)
        if attempt is not None:
            attempt.added = [child for child in attempt.added if child._tree is self._tree]
        self._waiting.forget(gone)
        return gone

    def _is_through_with(self, child: TaskNode) -> bool:
        """Whether a child and all below it are done, and nobody needs them any more."""
        if child._status is not _DONE:
            return False
        if not child._children:
            return not self._is_needed(child)
        keeper = self._find_keeper(child)
        group: Group | None = child._group
        if group is not None:
            group.kept_by = keeper
        return keeper is None

    def _find_keeper(self, top: TaskNode) -> TaskNode | None:
        """Return a node that keeps all above it up to `top` from being folded, or None.

        Who was found so for a group below is asked first: else a chain of groups would be gone down at each level.
        """
        waiting = [top]
        while waiting:
            node = waiting.pop()
            if self._keeps(node):
                return node
            group: Group | None = node._group
            known = None if group is None else group.kept_by
            if known is not None and known._tree is self._tree and self._keeps(known):
                return known
            waiting += node._children
        return None

    def _keeps(self, node: TaskNode) -> bool:
        return node._status is not _DONE or self._is_needed(node)

    def _is_run_again(self, node: TaskNode) -> bool:
        """Whether a node may have to run again though it is done, as what always runs does after each attempt."""
        above = node
        while above.parent is not None:
            if above.options.always and above.parent._status is not _DONE:
                return True
            above = above.parent
        return False

    def _is_needed(self, node: TaskNode) -> bool:
        dependents: Iterable[TaskNode] = self._waiting.dependents.get(node, ())
        return any(
            other._tree is self._tree
            and (other._status is not _DONE or (self._features.has_always and self._is_run_again(other)))
            for other in dependents
        )
