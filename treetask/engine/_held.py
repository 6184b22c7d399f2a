"""Bad ends that nobody is to hear of yet, because they may be taken back.

A node that has failed begins anew when one above it is repeated. Who depends on it from outside of that one would be
skipped for a failure that is none in the end. So the news is held: until the nearest node above has ended that has not,
and then, if that may begin anew as well, until the next one. What is inside is told at once, since it begins anew, too.

Who hears late may keep waiting the very node that it waits for. It is told at once then. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from treetask.engine._repeat import may_be_repeated
from treetask.model import TaskNode, TaskStatus, TreeTaskConfig


class Held:
    """The news that are held in one run."""

    def __init__(self, config: TreeTaskConfig) -> None:
        self._config: Final = config
        #: By node, whose ends it has not heard of, each with the node whose end that waits for.
        self.of: Final[dict[TaskNode, dict[TaskNode, TaskNode]]] = {}
        #: By the node whose end is waited for, who is to hear of whom then. What is stale stays in it.
        self.until: Final[dict[TaskNode, dict[tuple[TaskNode, TaskNode], None]]] = {}
        #: Whether the end of one node waits for the start of another.
        self.is_waited_for: Callable[[TaskNode, TaskNode], bool] = lambda node, by: False

    def hold(self, node: TaskNode, dependent: TaskNode) -> bool:
        """Hold the news of a bad end for one that depends on it, if it may be taken back; return whether it is held."""
        above = self._waits_for_end_of(node, dependent)
        if above is None or self.is_waited_for(dependent, above):
            return False
        self.of.setdefault(dependent, {})[node] = above
        self.until.setdefault(above, {})[node, dependent] = None
        return True

    def _waits_for_end_of(self, node: TaskNode, dependent: TaskNode) -> TaskNode | None:
        """Return the nearest node above one, and not above another, that has not ended; None if the end is final."""
        above, nearest = node.parent, None
        shared: set[TaskNode] | None = None
        is_kept = False
        while above is not None:
            if above._status is TaskStatus.DONE:
                is_kept = True
            elif not above._status.is_terminal:
                nearest = nearest or above
            if above.options.always:
                is_kept = False  # it is repeated though it is done
            if not is_kept and may_be_repeated(above, self._config):
                shared = set(dependent.get_ancestors())
                return None if above in shared or nearest in shared else nearest
            above = above.parent
        return None

    def is_held(self, node: TaskNode, dependent: TaskNode) -> bool:
        """Whether a node has not heard of another's end."""
        return node in self.of.get(dependent, ())

    def release(self, above: TaskNode) -> list[tuple[TaskNode, TaskNode]]:
        """A node has ended: return what was held until then, each with who is to hear of it."""
        pairs = self.until.pop(above, ())
        return [(node, dependent) for node, dependent in pairs if self._is_until(above, node, dependent)]

    def _is_until(self, above: TaskNode, node: TaskNode, dependent: TaskNode) -> bool:
        held = self.of.get(dependent, {})
        if held.get(node) is not above:
            return False
        self.drop(node, dependent)
        return True

    def stuck(self) -> list[tuple[TaskNode, TaskNode]]:
        """Return what is held until the end of a node that waits, by now, for the one that is to hear of it."""
        pairs = [(node, dependent, above) for dependent, held in self.of.items() for node, above in held.items()]
        stuck: list[tuple[TaskNode, TaskNode]] = []
        for node, dependent, above in pairs:
            if self.is_waited_for(dependent, above):
                # The next one may have been stuck because of this one only.
                self.drop(node, dependent)
                stuck.append((node, dependent))
        return stuck

    def drop(self, node: TaskNode, dependent: TaskNode) -> None:
        """Nothing is held any more of one node for another."""
        held = self.of.get(dependent)
        if held is not None:
            held.pop(node, None)
            if not held:
                del self.of[dependent]

    def forget(self, node: TaskNode) -> None:
        """A node was discarded; nobody waits for it, and it for nobody."""
        self.of.pop(node, None)
        self.until.pop(node, None)
