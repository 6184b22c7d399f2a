"""Who may run a body now: the ready nodes in their order, and what slots and threads there are. Pure, no I/O.

A slot is held only while a body runs. One that waits for its children gives it up (`free`) and asks for it again
(`want`); such wishes go before new starts, in the order in which they came.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from treetask.engine._ready import ReadyQueue
from treetask.model import BodyKind, TaskNode, TaskStatus, kind_of

_PENDING: Final = TaskStatus.PENDING
_RETRYING: Final = TaskStatus.RETRYING


class Slots:
    """Capacity for `max_concurrency` bodies (None: any number), of which `max_threads` in threads.

    `grant` is called with each suspended body that has its slot again.
    """

    def __init__(self, max_concurrency: int | None, max_threads: int, grant: Callable[[TaskNode], None]) -> None:
        self.is_paused = False
        #: What kind the body is that `take` gave out last.
        self.taken_kind = BodyKind.ASYNC
        self._slots: Final[float] = float("inf") if max_concurrency is None else max_concurrency
        self._threads: Final = max_threads
        self._grant: Final = grant
        self._slots_used = 0
        self._threads_used = 0
        self._ready: Final = ReadyQueue()
        #: Ready nodes that only lack a thread.
        self._lack_thread: Final[deque[TaskNode]] = deque()
        #: Suspended bodies that want their slot back, with the kind of each.
        self._returning: Final[deque[tuple[TaskNode, BodyKind]]] = deque()
        self._kinds: Final[dict[Any, BodyKind]] = {}
        # Siblings often have the same body.
        self._last_body: Any = None
        self._last_kind = BodyKind.ASYNC
        #: Add a node that is ready.
        self.push: Final = self._ready.push
        #: Add ready nodes that stand in the order of their declaration.
        self.push_all: Final = self._ready.push_all

    def has_ready(self) -> bool:
        """Whether anything is queued that lacks nothing but a slot."""
        ready = self._ready
        return bool(ready.line or ready.heap or (self._lack_thread and self._threads_used < self._threads))

    def can_start_more(self) -> bool:
        """Whether `take` might find something now."""
        return self._slots_used < self._slots and not self.is_paused and self.has_ready()

    def take(self) -> TaskNode | None:
        """Give a slot, and a thread if need be, to the first ready node; None if none may start now."""
        if self._slots_used >= self._slots or self.is_paused:
            return None
        ready = self._ready
        while True:
            node: TaskNode | None
            if self._lack_thread and self._threads_used < self._threads:
                node = self._lack_thread.popleft()
            else:
                # The line of the queue, where all of it stands in order, is taken from without a call.
                node = ready.line.popleft() if ready.line and not ready.heap else ready.pop()
            if node is None:
                return None
            if (node._status is not _PENDING and node._status is not _RETRYING) or node._waits:
                continue  # it was stopped while it queued, or even brought back to its beginning
            kind = self._last_kind if node._body is self._last_body else self.kind(node)
            if kind.in_thread:
                if self._threads_used >= self._threads:
                    self._lack_thread.append(node)
                    continue
                self._threads_used += 1
            self.taken_kind = kind
            self._slots_used += 1
            return node

    def kind(self, node: TaskNode) -> BodyKind:
        """Return how the body of a node has to be driven."""
        body: Any = node._body
        kind = getattr(body, "kind", None)
        if kind is None:
            try:
                kind = self._kinds.get(body)
            except TypeError:  # a callable object that cannot be hashed
                return kind_of(body)
            if kind is None:
                kind = self._kinds[body] = kind_of(body)
        self._last_body, self._last_kind = body, kind
        return kind

    def free(self, kind: BodyKind) -> None:
        """Take a body's slot back, and its thread."""
        self._slots_used -= 1
        if kind.in_thread:
            self.free_thread()
        if self._returning:
            self._hand_on()

    def seize(self, kind: BodyKind) -> None:
        """Count a slot for a body that went on without one, because it was cancelled: it is about to give it back."""
        self._slots_used += 1
        if kind.in_thread:
            self._threads_used += 1

    def free_thread(self) -> None:
        """Take a thread back, which may be later than its slot."""
        self._threads_used -= 1
        if self._returning:
            self._hand_on()

    def abandon_thread(self) -> None:
        """A body in a thread gave up its slot, but the thread is still busy: count it until `free_thread`."""
        self._threads_used += 1

    def want(self, node: TaskNode, kind: BodyKind) -> None:
        """Ask for a suspended body's slot; `grant` answers, perhaps at once."""
        self._returning.append((node, kind))
        self._hand_on()

    def forget_wish(self, node: TaskNode) -> bool:
        """Take a wish for a slot back; False if it was granted before."""
        for wish in self._returning:
            if wish[0] is node:
                self._returning.remove(wish)
                return True
        return False

    def _hand_on(self) -> None:
        """Give free slots to suspended bodies, in the order in which they asked."""
        for _ in range(len(self._returning)):
            node, kind = self._returning[0]
            if self._slots_used >= self._slots or (kind.in_thread and self._threads_used >= self._threads):
                return
            self._returning.popleft()
            self._slots_used += 1
            if kind.in_thread:
                self._threads_used += 1
            self._grant(node)
