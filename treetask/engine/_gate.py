"""Something that only so many may have at the same time, and who waits for it. Pure, no I/O."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from treetask.engine._queue import ReadyQueue
from treetask.model import BodyKind, TaskNode

#: A suspended body that wants to go on.
Wish: TypeAlias = tuple[TaskNode, BodyKind]


class Gate:
    """What only so many may have at the same time: how many more may, and who waits for it."""

    __slots__ = ("free", "queue", "returning", "what")

    def __init__(self, what: str, free: float, rank: Callable[[TaskNode], Any]) -> None:
        #: What is waited for here, as a reason says it.
        self.what: Final = what
        self.free = free
        #: Those that want to begin.
        self.queue: Final = ReadyQueue(rank)
        #: Those that want to go on.
        self.returning: Final[deque[Wish]] = deque()

    def next_queue(self) -> ReadyQueue | None:
        """Return the queue whose head may pass, as far as no rate is concerned; None if none may."""
        return self.queue if self.free > 0 and len(self.queue) else None

    def opens_at(self) -> float:
        """Return when the next one may start, which may be long past."""
        return -math.inf

    def sort_anew(self, rank: Callable[[TaskNode], Any]) -> None:
        """From now on go by these ranks."""
        self.queue.sort_anew(rank)
