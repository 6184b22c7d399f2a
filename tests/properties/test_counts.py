"""Counters equal a recount at every moment, whatever happens to a tree, and whoever has asked before."""

from __future__ import annotations

from collections.abc import Iterable

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from treetask import DuplicateNodeError, TaskNode, TaskStatus, TaskTree, TreeTaskError
from treetask.model import NEXT, SubtreeStats

pytestmark = pytest.mark.slow

progresses = st.none() | st.tuples(st.integers(0, 9), st.integers(0, 9))
places = st.integers(0, 1_000)


async def body(node: TaskNode) -> None:
    """What makes a node one that works; never run."""


def by_status(nodes: Iterable[TaskNode]) -> dict[str, int]:
    """How many of these nodes are in each status, and the total, counted one by one."""
    counted = dict.fromkeys([status.value for status in TaskStatus], 0)
    total = 0
    for node in nodes:
        counted[node.status.value] += 1
        total += 1
    return {**counted, "total": total}


def recounted(nodes: Iterable[TaskNode]) -> SubtreeStats:
    """The numbers of those of the nodes that do work, added up one by one."""
    working = [node for node in nodes if node.task_fn is not None or node.progress is not None]
    statuses = by_status(working)
    del statuses["total"]
    current = total = 0
    for node in working:
        done, whole = node.progress or (0, 1)
        current += whole if node.status.is_terminal else done
        total += whole
    return SubtreeStats(**statuses, current=current, total=total)


def branch(number: int, size: int, *, has_bodies: bool, progress: tuple[int, int] | None) -> TaskNode:
    """A free subtree: a line of nodes, each with a leaf beside it, in several statuses."""
    fn = body if has_bodies else None
    top = node = TaskNode(f"{number}", task_fn=fn, progress=progress)
    for level in range(size):
        node.add_child(TaskNode(f"{number}.{level}", progress=progress))
        node = node.add_child(TaskNode(f"{number}.{level}+", task_fn=fn, status="working" if level else "done"))
    return top


def done_children(group: TaskNode) -> list[TaskNode]:
    """The children of a group that are done with all below them."""
    return [child for child in group.children if all(node.status == "done" for node in child.walk())]


class Counters(RuleBasedStateMachine):
    """A tree to which everything happens that can, compared with a recount after each step."""

    def __init__(self) -> None:
        super().__init__()
        self.tree = TaskTree(TaskNode("root"))
        self.removed: list[TaskNode] = []
        #: What was folded into each group: for good, and until its attempt fails.
        self.folded: dict[TaskNode, tuple[list[TaskNode], list[TaskNode]]] = {}
        self.made = 0

    def pick(self, place: int) -> TaskNode:
        """Some node of the tree."""
        nodes = list(self.tree.walk())
        return nodes[place % len(nodes)]

    def counted(self, top: TaskNode) -> list[TaskNode]:
        """A node and all below it, the folded ones too."""
        nodes = list(top.walk())
        return nodes + [node for group in nodes for fold in self.folded.get(group, ()) for node in fold]

    def check_below(self, group: TaskNode) -> None:
        """Compare the numbers of one group."""
        below = [node for node in self.counted(group) if node is not group]
        assert self.tree.subtree_stats(group) == recounted(below)

    @initialize(has_body=st.booleans(), progress=progresses)
    def begin(self, has_body: bool, progress: tuple[int, int] | None) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("treetask.model._tree.RECENT_ENDINGS", 10_000)  # more than there are here
            self.tree = TaskTree(TaskNode("root", task_fn=body if has_body else None, progress=progress))

    @rule(place=places, has_body=st.booleans(), progress=progresses, status=st.sampled_from(TaskStatus))
    def add_a_node(self, place: int, has_body: bool, progress: tuple[int, int] | None, status: TaskStatus) -> None:
        self.made += 1
        made = TaskNode(f"{self.made}", status=status, task_fn=body if has_body else None, progress=progress)
        self.pick(place).add_child(made)

    @rule(place=places, size=st.integers(1, 4), has_bodies=st.booleans(), progress=progresses)
    def add_a_branch(self, place: int, size: int, has_bodies: bool, progress: tuple[int, int] | None) -> None:
        self.made += 1
        self.pick(place).add_child(branch(self.made, size, has_bodies=has_bodies, progress=progress))

    @rule(place=places)
    def remove_a_branch(self, place: int) -> None:
        node = self.pick(place)
        if node.parent is not None:
            node.parent.remove_child(node)
            self.removed.append(node)
            for below in node.walk():
                self.folded.pop(below, None)

    @precondition(lambda self: self.removed)
    @rule(place=places, which=places)
    def add_a_removed_branch_again(self, place: int, which: int) -> None:
        self.pick(place).add_child(self.removed.pop(which % len(self.removed)))

    @rule(place=places, choice=places)
    def change_a_status(self, place: int, choice: int) -> None:
        node = self.pick(place)
        after = sorted(NEXT[node.status])
        self.tree.move(node, after[choice % len(after)], 1.0)

    @rule(place=places, progress=progresses)
    def set_progress(self, place: int, progress: tuple[int, int] | None) -> None:
        self.pick(place).progress = progress

    @rule(place=places, has_body=st.booleans())
    def set_a_body(self, place: int, has_body: bool) -> None:
        self.pick(place).task_fn = body if has_body else None

    @rule(place=places)
    def reset_a_node(self, place: int) -> None:
        self.pick(place).reset()

    @rule()
    def reset_the_tree(self) -> None:
        if any(kept for kept, _ in self.folded.values()):
            with pytest.raises(TreeTaskError, match="cannot be reset"):
                self.tree.reset()
        else:
            self.tree.reset()
            self.folded.clear()

    @rule(place=places, size=st.integers(1, 4), has_bodies=st.booleans(), progress=progresses)
    def add_what_is_done(self, place: int, size: int, has_bodies: bool, progress: tuple[int, int] | None) -> None:
        """Add a branch that is done."""
        self.made += 1
        top = branch(self.made, size, has_bodies=has_bodies, progress=progress)
        for node in top.walk():
            node.status = TaskStatus.DONE
        self.pick(place).add_child(top)

    @rule(place=places, added=st.integers(0, 3), asks=st.booleans())
    def fold_what_is_done(self, place: int, added: int, asks: bool) -> None:
        """Fold the children of a group that are done with all below; the last ones came by its attempt."""
        groups = [(group, done_children(group)) for group in self.tree.walk() if done_children(group)]
        if not groups:
            return
        group, children = groups[place % len(groups)]
        by_attempt = children[len(children) - added :]
        folds = self.folded.setdefault(group, ([], []))
        for child in children:
            folds[child in by_attempt].extend(self.counted(child))
        gone = [node for child in children for node in child.walk()]
        self.tree.fold(group, children, by_attempt, start=group.children.index(children[0]))
        for node in gone:
            self.folded.pop(node, None)
            assert self.tree.was_folded(node.id)
            assert node not in self.tree
            with pytest.raises(DuplicateNodeError):
                self.tree.root.add_child(TaskNode(node.id))
        if asks:
            self.ask_about_all()

    @precondition(lambda self: self.folded)
    @rule(place=places, asks=st.booleans())
    def forget_what_an_attempt_added(self, place: int, asks: bool) -> None:
        groups = list(self.folded)
        group = groups[place % len(groups)]
        assert self.tree.folds is not None
        self.tree.folds.forget_added(group)
        kept, added = self.folded[group]
        assert not any(self.tree.was_folded(node.id) for node in added)
        if kept:
            added.clear()
        else:
            del self.folded[group]
        if asks:
            self.ask_about_all()

    @rule(place=places)
    def ask_about_a_group(self, place: int) -> None:
        """From here on the tree keeps the numbers of this group, and of those below it."""
        group = self.pick(place)
        self.check_below(group)

    @rule()
    def ask_about_all(self) -> None:
        """From here on the tree keeps the numbers of every group."""
        for group in self.tree.walk():
            self.check_below(group)

    @invariant()
    def counters_equal_a_recount(self) -> None:
        tree, nodes = self.tree, self.counted(self.tree.root)
        assert tree.get_stats() == by_status(nodes)
        assert tree.get_leaf_stats() == by_status(node for node in nodes if node.is_leaf())
        assert tree.get_work_node_stats() == by_status(node for node in nodes if node.task_fn is not None)
        work = recounted(nodes)
        assert tree.get_progress_stats() == {
            "current": work.current,
            "total": work.total,
            "done": work.done,
            "working": work.working,
            "pending": work.pending,
            "failed": work.failed,
            "nodes_with_progress": sum(node.progress is not None for node in nodes),
        }

    @invariant()
    def lists_equal_a_recount(self) -> None:
        nodes = list(self.tree.walk())
        assert set(self.tree.active) == {node for node in nodes if node.status in {"working", "retrying"}}
        assert set(self.tree.failed) == {node for node in nodes if node.status in {"failed", "timed_out"}}
        folded = {node for folds in self.folded.values() for fold in folds for node in fold}
        recent = set(self.tree.recent)
        assert recent - folded == {node for node in nodes if node.status.is_terminal}
        assert all(node.is_leaf() and node.parent in self.folded for node in recent & folded)
        assert [self.tree.find(node.id) for node in nodes] == nodes
        assert len({node._order for node in nodes}) == len(self.tree) == len(nodes)


TestCounters = Counters.TestCase
TestCounters.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
