"""Children that are done and were folded into their group, so that any number of them fits into memory.

That is what `keep_done="rollup"` asks for. A folded node leaves the children of its parent and the index of the tree,
but not the tree's counters nor the rolls above it, which go on counting it. Of itself there remain its part of the sums
kept here, and 8 bytes of its id: by these a second node of that id is refused, and a dependency on it is known to be
met. It keeps its parent, for those who hold it still, and is in no tree any more.

What an attempt had spawned and was folded is left over when the attempt fails: counted no more, until the next one asks
for a child of the same key. Then it counts again, as much as it did; but the ids below it are known no more, nor how
long it took.

Whether a child may be folded, and when, is decided by the engine.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, insort
from collections.abc import Container, Iterable, Sequence
from hashlib import blake2b
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from treetask._errors import DuplicateNodeError, TreeTaskError
from treetask.model._children import NO_CHILDREN, Children, RolledChildren
from treetask.model._counts import Counts, note_below, row_of, settled
from treetask.model._status import TaskStatus
from treetask.model._times import Times

if TYPE_CHECKING:
    from treetask.model._node import TaskNode
    from treetask.model._spawn import Child, Template
    from treetask.model._tree import TaskTree

#: What a child and all below it add up to: nodes by cell, units of the nodes with a progress of their own, all units.
_Sums: TypeAlias = tuple[tuple[tuple[int, int], ...], int, int]
#: Spawned children that are alike: the declaration, by identity, `Child.shape`, whether there was a result, the sums.
_Kind: TypeAlias = tuple[int, object, bool, _Sums]

_DONE_SLOT: Final = TaskStatus.DONE.slot

_DIGEST_BYTES: Final = 8
#: The part of a digest that does not choose its shelf. Some 250 to a shelf for a million: short enough to insert into.
_SHELF_BITS: Final = 52


def digest_of(node_id: str) -> int:
    """Return what is kept of an id: of a million of them, two are equal once in 37 million runs."""
    return int.from_bytes(blake2b(node_id.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).digest(), "big")


class Digests:
    """A set of digests that takes the 8 bytes of each, and little more."""

    def __init__(self) -> None:
        #: Sorted, by the first bits of what they hold.
        self._shelves: Final[dict[int, array[int]]] = {}

    def add(self, digest: int) -> None:
        """Put in a digest."""
        shelf = self._shelves.get(digest >> _SHELF_BITS)
        if shelf is None:
            shelf = self._shelves[digest >> _SHELF_BITS] = array("Q")
        insort(shelf, digest)

    def remove(self, digest: int) -> None:
        """Take out a digest that is in."""
        shelf = self._shelves[digest >> _SHELF_BITS]
        del shelf[bisect_left(shelf, digest)]

    def __len__(self) -> int:
        return sum(map(len, self._shelves.values()))

    def __contains__(self, digest: int) -> bool:
        shelf = self._shelves.get(digest >> _SHELF_BITS, ())
        place = bisect_left(shelf, digest)
        return place < len(shelf) and shelf[place] == digest


class Fold:
    """What nodes add up to that were folded into one group."""

    __slots__ = ("cells", "children", "digests", "progress", "spawned", "times", "units")

    def __init__(self) -> None:
        #: Those of them that were children of the group itself.
        self.children = 0
        #: Nodes by their place in `Counts.cells`.
        self.cells: dict[int, int] = {}
        #: The units of the nodes with a progress of their own, and of all that do work.
        self.progress = 0
        self.units = 0
        self.times = Times()
        self.digests = array("Q")
        #: The digests of the children that may be left over when the attempt fails.
        self.spawned: dict[_Kind, array[int]] = {}

    @property
    def nodes(self) -> int:
        """All nodes, those below the children too."""
        return sum(self.cells.values())

    @property
    def work(self) -> int:
        """The nodes that do work."""
        return Counts.working(self.cells)

    @property
    def sums(self) -> _Sums:
        """What the nodes add up to."""
        return tuple(sorted(self.cells.items())), self.progress, self.units

    def all_digests(self) -> Iterable[int]:
        """Return the digests of all nodes."""
        return chain(self.digests, *self.spawned.values())

    def add(self, node: TaskNode) -> None:
        """Add one node, which is done, without its digest."""
        cell = row_of(node) + _DONE_SLOT
        self.cells[cell] = self.cells.get(cell, 0) + 1
        if node._progress is not None:
            total = node._progress[1]
            self.units += total
            self.progress += total
        elif node._body is not None:
            self.units += 1
        self.times.add(node)

    def add_sums(self, sums: _Sums) -> None:
        """Add what one child comes to."""
        cells, progress, units = sums
        for cell, number in cells:
            self.cells[cell] = self.cells.get(cell, 0) + number
        self.progress += progress
        self.units += units

    def include(self, other: Fold) -> None:
        """Add what was folded below a node that is folded itself, its times too; its children are none of this one.

        The other is of no more use then.
        """
        self.add_sums(other.sums)
        self.times.include(other.times)
        if len(self.digests) < len(other.digests):
            # The longer takes in the shorter: else those of a chain of groups would be copied at each of its levels.
            self.digests, other.digests = other.digests, self.digests
        self.digests.extend(other.all_digests())


def _shape_to_come_back(child: TaskNode) -> object | None:
    """Return the shape by which a child that an attempt has added may come back to the next one, None if it may not."""
    handle: Child[Any] | None = child._child
    # What always runs does so after each attempt.
    if handle is None or not handle.makes_its_node or child.options.always:
        return None
    return handle.shape


def _sums_of_leaf(node: TaskNode) -> _Sums:
    """Return `Fold.sums` of one node that is done and has nothing below it."""
    progress = 0 if node._progress is None else node._progress[1]
    cell = row_of(node) + _DONE_SLOT
    return ((cell, 1),), progress, progress if node._progress is not None else int(node._body is not None)


class Folds:
    """What was folded in one tree."""

    def __init__(self, tree: TaskTree) -> None:
        self._tree: Final = tree
        #: For each group what stays folded, and what an attempt that fails takes with it.
        self._of: Final[dict[TaskNode, tuple[Fold, Fold]]] = {}
        self._digests: Final = Digests()
        #: For each group what is left over of its earlier attempts, and was not asked for.
        self._left: Final[dict[TaskNode, dict[_Kind, Digests]]] = {}
        #: The declarations in kinds; held, so that none takes the place of another in memory.
        self._templates: Final[dict[int, Template]] = {}

    # -- reading -----------------------------------------------------------------------------------------------------

    def has(self, node_id: str) -> bool:
        """Whether a node of that id was folded."""
        return digest_of(node_id) in self._digests

    def refuse(self, node_id: str, place: str) -> None:
        """Raise `DuplicateNodeError` for an id that comes in again at a place."""
        if self.has(node_id):
            raise DuplicateNodeError(node_id, "as a node that was done and folded into its group", place)

    def children(self, group: TaskNode) -> int:
        """Return how many children of a group were folded."""
        return sum(fold.children for fold in self._of.get(group, ()))

    def nodes(self, group: TaskNode) -> int:
        """Return the same with all nodes below these children."""
        return sum(fold.nodes for fold in self._of.get(group, ()))

    def below(self, group: TaskNode) -> tuple[int, int]:
        """Return how many of these nodes do work, and their units."""
        folds = self._of.get(group, ())
        return sum(fold.work for fold in folds), sum(fold.units for fold in folds)

    def add_times(self, times: Times) -> None:
        """Add how long the folded nodes took."""
        for folds in self._of.values():
            for fold in folds:
                times.include(fold.times)

    # -- changing ----------------------------------------------------------------------------------------------------

    def fold(self, group: TaskNode, children: Sequence[TaskNode], added: Container[TaskNode], start: int) -> None:
        """Fold children of a group, which are done with all below them, given in their order.

        Those of `added` came by the attempt that goes on: `forget_added` takes them back, `leave_added` leaves them
        over. None is before `start`.
        """
        if group._roll is not None:
            settled(group)  # what the rolls below have not sent up would be lost with them
        folds = self._of.setdefault(group, (Fold(), Fold()))
        has_groups = False
        for child in children:
            is_added = child in added
            fold = folds[is_added]
            fold.children += 1
            has_groups = has_groups or bool(child._children)
            shape = _shape_to_come_back(child) if is_added else None
            if shape is not None:
                self._take_in_spawned(child, shape, fold)
            else:
                digests = [self._take_in(node, fold) for node in (list(child.walk()) if child._children else (child,))]
                fold.digests.extend(digests)  # only now: what it takes in may put another list in place of its own
        self._unlink(group, children, start)
        if has_groups:
            self._tidy_recent()
        self._tree.version += 1

    @staticmethod
    def _unlink(group: TaskNode, children: Sequence[TaskNode], start: int) -> None:
        before = group._children
        first = before.index(children[0], start)
        last = before.index(children[-1], first)
        gone = set(children)
        stay = [child for child in before[first : last + 1] if child not in gone]
        # Another list, not the same one shortened: somebody may be on the way through that.
        group._children = RolledChildren([*before[:first], *stay, *before[last + 1 :]])

    def _take_in_spawned(self, child: TaskNode, shape: object, fold: Fold) -> None:
        """Take in a child that may be left over, with what it adds up to."""
        template: Template = child._child.template
        if child._children:
            one = Fold()
            nodes = list(child.walk())
            digest = self._take_in(child, one)
            digests = [self._take_in(node, one) for node in nodes[1:]]
            one.digests.extend(digests)
            fold.include(one)
            sums = one.sums
        else:
            sums = _sums_of_leaf(child)
            digest = self._take_in(child, fold)
        kind = id(template), shape, child.result is not None, sums
        alike = fold.spawned.get(kind)
        if alike is None:
            self._templates[id(template)] = template
            alike = fold.spawned[kind] = array("Q")
        alike.append(digest)

    def _take_in(self, node: TaskNode, fold: Fold) -> int:
        """Take in one node; return its digest, for the fold to keep."""
        digest = digest_of(node.id)
        fold.add(node)
        self._digests.add(digest)
        if node in self._of:
            for below in self._of.pop(node):
                fold.include(below)
        del self._tree._index[node.id]
        # With nothing that leads back to it, a node is gone as soon as nobody holds it.
        node._tree = node._roll = node._group = node._child = None
        return digest

    def forget_added(self, group: TaskNode) -> None:
        """Count no more what was folded of the children that the attempts of a group have added; forget it."""
        self._discount_added(group)
        self.forget_left(group)

    def leave_added(self, group: TaskNode) -> bool:
        """Count it no more, but leave over what was spawned; return whether anything is left."""
        added = self._of[group][1] if group in self._of else Fold()
        for kind, digests in added.spawned.items():
            left = self._left.setdefault(group, {}).setdefault(kind, Digests())
            for digest in digests:
                left.add(digest)
        self._discount_added(group)
        return group in self._left

    def left_by(self, group: TaskNode) -> tuple[int, int, int]:
        """Return how many folded children an attempt has added, how many of them may come back, and how many before."""
        added = self._of[group][1] if group in self._of else Fold()
        left = self._left.get(group, {})
        return added.children, sum(map(len, added.spawned.values())), sum(map(len, left.values()))

    def take_left(self, child: Child[Any], node_id: str, group: TaskNode) -> bool | None:
        """Count a child of a group again, if it is left over, and return whether it had a result; else None."""
        digest, alike = digest_of(node_id), (id(child.template), child.shape)
        for kind, left in self._left.get(group, {}).items():
            if kind[:2] == alike and digest in left:
                left.remove(digest)
                self._count_again(kind, digest, group)
                return kind[2]
        return None

    def _count_again(self, kind: _Kind, digest: int, group: TaskNode) -> None:
        one = Fold()
        one.add_sums(kind[-1])
        added = self._of.setdefault(group, (Fold(), Fold()))[1]
        added.children += 1
        added.add_sums(kind[-1])
        added.spawned.setdefault(kind, array("Q")).append(digest)
        self._digests.add(digest)
        self._count(one, 1)
        if group._roll is not None:
            note_below(group, _DONE_SLOT, one.work, one.units, one.units)
        self._tree.version += 1

    def forget_left(self, group: TaskNode) -> None:
        """Nobody will ask any more for what is left over."""
        if self._left.pop(group, None) is not None and group not in self._of:
            self._unroll(group)

    def _discount_added(self, group: TaskNode) -> None:
        kept, added = self._of.get(group, (None, None))
        if kept is None or added is None or not added.children:
            return
        self._drop(added)
        if group._roll is not None:
            note_below(group, _DONE_SLOT, -added.work, -added.units, -added.units)
        if kept.children:
            self._of[group] = kept, Fold()
        else:
            del self._of[group]
            if group not in self._left:
                self._unroll(group)
        self._tidy_recent()
        self._tree.version += 1

    def _unroll(self, group: TaskNode) -> None:
        """Nothing is folded into a group any more."""
        self._tree._counts.exclude(group)
        group._children = Children(group._children) or NO_CHILDREN
        self._tree._counts.include(group)

    def drop(self, nodes: Iterable[TaskNode]) -> None:
        """Count no more what was folded into nodes that have left the tree."""
        for group in nodes:
            self._left.pop(group, None)
            if group in self._of:
                for fold in self._of.pop(group):
                    self._drop(fold)
                group._children = Children(group._children) or NO_CHILDREN
        self._tidy_recent()

    def _drop(self, fold: Fold) -> None:
        self._count(fold, -1)
        for digest in fold.all_digests():
            self._digests.remove(digest)

    def _count(self, fold: Fold, sign: int) -> None:
        counts = self._tree._counts
        for cell, number in fold.cells.items():
            counts.cells[cell] += sign * number
        counts.current += sign * fold.progress
        counts.total += sign * fold.progress

    def _tidy_recent(self) -> None:
        """Of what is folded, keep as recent endings only what has nothing below it and can be shown in its place."""
        recent = self._tree.recent
        stay = [node for node in recent if node._tree is self._tree or self.is_folded_leaf(node)]
        if len(stay) < len(recent):
            recent.clear()
            recent.extend(stay)

    def is_folded_leaf(self, node: TaskNode) -> bool:
        """Whether a node without children was folded into a group that is in the tree, and is counted there."""
        parent = node.parent
        is_leaf_of_ours = not node._children and node._tree is None and parent is not None
        return is_leaf_of_ours and parent in self._of and self.has(node.id)

    def forget_all(self) -> None:
        """Forget all that was folded, so that the tree can run again.

        Raises `TreeTaskError` where this cannot be, because children were folded that no body adds again.
        """
        for group, (kept, _) in self._of.items():
            if kept.children:
                raise TreeTaskError(
                    f"tree '{self._tree.root.id}' cannot be reset: {kept.children:,} children of '{group.id}' were "
                    "done and are gone (it says keep_done='rollup'); build a second tree to run it again"
                )
        for group in list(self._of):
            self.forget_added(group)
