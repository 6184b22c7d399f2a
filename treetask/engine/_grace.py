"""Names the bodies that were told to end and go on after the grace, in a warning, once. The run waits for them still.

One timer for all of them, set when the first is stopped or bounded: it looks at what runs then, and is set anew if
somebody's grace ends later. Nothing is kept for a body that ends in time.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from functools import partial
from typing import Final

from treetask.engine._timers import Timers
from treetask.engine._workers import Worker
from treetask.model import TaskNode, TaskTree

_logger: Final = logging.getLogger("treetask")
#: A warning that names more bodies than this is no longer read.
_NAMES_SHOWN: Final = 10


class Grace:
    """What is left of the patience with the bodies of one run."""

    def __init__(self, tree: TaskTree, timers: Timers, now: Callable[[], float], seconds: float) -> None:
        self._tree: Final = tree
        self._timers: Final = timers
        self._now: Final = now
        self._seconds: Final = seconds
        #: When the timer is due.
        self._looks_at = math.inf
        self._named: Final[set[Worker]] = set()

    def begin(self, at: float) -> None:
        """A body is told to end at that time, which may be in the future, unless it has ended before."""
        due = at + self._seconds
        if due < self._looks_at:
            self._looks_at = due
            self._timers.at(due, partial(self._look, due))

    def _look(self, due: float) -> None:
        if due != self._looks_at:
            return  # one that came earlier has set another timer
        self._looks_at = math.inf
        overdue: list[tuple[Worker, TaskNode]] = []
        later = math.inf
        for worker, node, stops_at in self._told():
            if stops_at + self._seconds > due:
                later = min(later, stops_at)
            elif worker not in self._named:
                overdue.append((worker, node))
        self._name(overdue)
        if later < math.inf:
            self.begin(later)

    def hurry(self) -> None:
        """Name at once all who were told to end and have not."""
        self._name([(worker, node) for worker, node, stops_at in self._told() if stops_at <= self._now()])

    def _told(self) -> list[tuple[Worker, TaskNode, float]]:
        """Return the bodies that run and were told to end, or will be, with the time of that."""
        found: list[tuple[Worker, TaskNode, float]] = []
        for node in self._tree.active:
            worker: Worker | None = node._attempt
            if worker is not None and worker.stops_at < math.inf:
                found.append((worker, node, worker.stops_at))
        return found

    def _name(self, overdue: list[tuple[Worker, TaskNode]]) -> None:
        if overdue:
            # A worker whose body was stopped runs no other one after it.
            self._named.update(worker for worker, _ in overdue)
            names = [f"'{node.id}'" for _, node in overdue]
            more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
            named = ", ".join(names[:_NAMES_SHOWN]) + more
            _logger.warning("still waiting for %s, which did not end when cancelled", named)
