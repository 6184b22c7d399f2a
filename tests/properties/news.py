"""Who was told of a bad end, and whether that was taken back afterwards: only who keeps it waiting may know."""

from __future__ import annotations

from collections.abc import Iterator

from tests.properties.facts import DONE, RETRYING, SKIPPED, Facts, goes_last, in_turn
from treetask import TaskNode


class News:
    """What nodes know of the bad ends of others; and what bodies await."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        #: Who has acted upon a bad end, and the nodes above that were not to be repeated after that.
        self._known: dict[TaskNode, dict[TaskNode, list[TaskNode]]] = {}
        self.awaited: dict[TaskNode, TaskNode] = {}

    def note_act(self, node: TaskNode) -> None:
        """A node begins, or is skipped, upon what it knows."""
        for one in self._dependencies(node):
            is_cause = node.status is not SKIPPED or (node.reason or "").startswith(f"'{one.id}' ")
            if one.is_done() and one.status is not DONE and is_cause:
                repeatable = [above for above in between(one, node) if may_be_repeated(self._facts, above)]
                final = [above for above in repeatable if node not in self._needed_by(above)]
                self._known.setdefault(one, {})[node] = final

    def note_reset(self, node: TaskNode) -> None:
        """A node is brought back to its beginning: what it knew does not count, and nobody may know of its end."""
        for known in self._known.values():
            known.pop(node, None)
        repeated = {above for above in node.get_ancestors() if above.status is RETRYING}
        early = [one.id for one, final in self._known.pop(node, {}).items() if repeated & set(final)]
        assert not early, f"{early} knew of the end of {node.id}, which was not final"

    def _dependencies(self, node: TaskNode) -> Iterator[TaskNode]:
        found = (self._facts.tree.find(each) for each in node.options.depends_on)
        return (one for one in found if one is not None)

    def _needed_by(self, top: TaskNode) -> set[TaskNode]:
        """Return all that the end of a node may wait for, and perhaps more."""
        needed: set[TaskNode] = set()
        left = [top]
        while left:
            node = left.pop()
            if node in needed:
                continue
            needed.add(node)
            left += node.children
            for above in (node, *node.get_ancestors()):
                left += [*self._dependencies(above), *self._siblings_before(above)]
                if above in self.awaited:
                    left.append(self.awaited[above])
        return needed.union(*(node.get_ancestors() for node in needed))

    def _siblings_before(self, node: TaskNode) -> list[TaskNode]:
        parent = node.parent
        if parent is None or (parent.parallel and not goes_last(node)):
            return []
        turns = in_turn(parent)
        early = self._facts.at_once | self._facts.latest
        return [*turns[: turns.index(node)], *(one for one in turns if one in early)]


def between(node: TaskNode, other: TaskNode) -> list[TaskNode]:
    """Return the nodes above one and not above another."""
    shared = set(other.get_ancestors())
    return [above for above in node.get_ancestors() if above not in shared]


def may_be_repeated(facts: Facts, node: TaskNode) -> bool:
    """Whether a node is allowed a further attempt, if it needs one."""
    if node.is_done() or node.options.retry is not None:
        return not node.is_done()
    default = facts.tree.config.max_retries if node.task_fn is not None else 0
    return node.retry_count < (default if node.options.max_retries is None else node.options.max_retries)


def may_be_held(facts: Facts, node: TaskNode) -> bool:
    """Whether something that a node depends on has ended, but perhaps not for good."""
    found = [facts.tree.find(each) for each in node.options.depends_on]
    bad = [one for one in found if one is not None and one.is_done() and one.status is not DONE]
    return any(may_be_repeated(facts, above) for one in bad for above in between(one, node))
