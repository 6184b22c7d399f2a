"""Who may run a body now: the ready nodes in their order, and what slots and threads there are. Pure, no I/O.

A slot is held only while a body runs. One that waits for its children gives it up (`free`) and asks for it again
(`want`); such wishes go before new starts, in the order in which they came, but for those that lack something that is
not free: nobody waits for what another one lacks. Limits and places (`_gates.py`) are looked at when a node is about to
start, never before: until then, who comes later may still go first.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

from treetask.engine._gates import Gates, Wish
from treetask.engine._ready import ReadyQueue
from treetask.model import BodyKind, TaskNode, TaskStatus, kind_of

_PENDING: Final = TaskStatus.PENDING
_RETRYING: Final = TaskStatus.RETRYING

#: Functions whose kind is remembered: more than a pipeline has, unless it makes one for each child.
_MOST_KINDS: Final = 256


class Owner(Protocol):
    """Who is told when somebody may go on."""

    def grant(self, node: TaskNode) -> None:
        """Let a suspended body go on: it has a slot again."""

    def look_again_at(self, when: float) -> None:
        """Call `look_again` then: somebody waits for nothing but time."""


class Slots:
    """Capacity for `max_concurrency` bodies (None: any number), of which `max_threads` in threads."""

    def __init__(self, max_concurrency: int | None, max_threads: int, owner: Owner) -> None:
        self.is_paused = False
        #: What kind the body is that `take` gave out last.
        self.taken_kind = BodyKind.ASYNC
        self._slots: Final = sys.maxsize if max_concurrency is None else max_concurrency
        self._threads: Final = max_threads
        self._owner: Final = owner
        self._slots_used = 0
        self._threads_used = 0
        self._ready: Final = ReadyQueue()
        #: Ready nodes that only lack a thread.
        self._lack_thread: Final = ReadyQueue()
        #: What else a start may have to wait for; None where nothing has limits or places.
        self._gates: Gates | None = None
        #: Suspended bodies that want their slot back, with the kind of each.
        self._wishes: Final[dict[TaskNode, Wish]] = {}
        #: The same in the order in which they asked, and those that lack a thread; some of them are gone already.
        self._returning: Final[deque[Wish]] = deque()
        self._returning_to_thread: Final[deque[Wish]] = deque()
        self._kinds: Final[dict[Any, BodyKind]] = {}
        # Siblings often have the same body.
        self._last_body: Any = None
        self._last_kind = BodyKind.ASYNC
        #: Add a node that is ready.
        self.push: Final = self._ready.push
        #: Add ready nodes that stand in the order of their declaration.
        self.push_all: Final = self._ready.push_all

    def sort_by(self, rank: Callable[[TaskNode], Any]) -> None:
        """From now on let the node with the lowest rank go first."""
        self._ready.sort_anew(rank)
        self._lack_thread.sort_anew(rank)
        if self._gates is not None:
            self._gates.sort_anew(rank)

    def use_gates(self) -> None:
        """From now on look for limits and places."""
        if self._gates is None:
            self._gates = Gates(self._ready.rank, self._owner.look_again_at)

    # -- starts ------------------------------------------------------------------------------------------------------

    def has_ready(self) -> bool:
        """Whether anything is queued that lacks nothing but time, or a slot while a body has it."""
        return self.can_start_more() or (self._gates is not None and self._gates.is_timed)

    def can_start_more(self) -> bool:
        """Whether `take` might find something now."""
        ready = self._ready
        if not ready.line and not ready.heap:
            lacking, gates = self._lack_thread, self._gates
            lacks_only_thread = (lacking.line or lacking.heap) and self._threads_used < self._threads
            if not lacks_only_thread and (gates is None or not gates.is_open):
                return False
        return self._slots_used < self._slots and not self.is_paused

    def take(self, at: float) -> TaskNode | None:
        """Give a slot, and a thread if need be, to the first ready node; None if none may start now.

        A node without a body, which needs no slot, comes out here where it had to wait for a place.
        """
        if self._slots_used >= self._slots or self.is_paused:
            return None
        ready, lacking, gates = self._ready, self._lack_thread, self._gates
        while True:
            node: TaskNode | None
            if gates is not None or lacking.line or lacking.heap:
                node = self._first(at)
            elif ready.heap:
                node = ready.pop()
            else:
                # The line of the queue, where all of it stands in order, is taken from without a call.
                node = ready.line.popleft() if ready.line else None
            if node is None:
                return None
            if (node._status is not _PENDING and node._status is not _RETRYING) or node._waits:
                continue  # it was stopped while it queued, or even brought back to its beginning
            body = node._body
            kind = self._last_kind if body is self._last_body else self.kind(node)
            if kind.in_thread and self._threads_used >= self._threads:
                lacking.push(node)
                if gates is not None:
                    gates.let_go(node)
                continue
            if gates is not None and not self._pass_gates(node, at):
                continue
            self.taken_kind = kind
            if body is not None:
                self._slots_used += 1
                if kind.in_thread:
                    self._threads_used += 1
            return node

    def _first(self, at: float) -> TaskNode | None:
        """Take the first of all nodes that may go on out of the queue that it stands in."""
        queues = [self._ready] if len(self._ready) else []
        if len(self._lack_thread) and self._threads_used < self._threads:
            queues.append(self._lack_thread)
        at_gate = None if self._gates is None else self._gates.next_queue(at)
        if at_gate is not None:
            queues.append(at_gate)
        return min(queues, key=ReadyQueue.head_rank).pop() if queues else None

    def _pass_gates(self, node: TaskNode, at: float) -> bool:
        assert self._gates is not None
        if self._gates.keep_back(node, at):
            return False
        self._gates.note_start(node, at)
        return True

    def begun(self, node: TaskNode, at: float) -> None:
        """The body of the node that was taken last begins now: this is when its start counts."""
        if self._gates is not None:
            self._gates.correct_start(node, at)

    def look_again(self, at: float) -> None:
        """Time has passed: a limit may let more start."""
        if self._gates is not None:
            self._gates.look_again(at)

    def has_to_pass(self, node: TaskNode) -> bool:
        """Whether a node needs a place in its group."""
        return self._gates is not None and node.parent is not None and node.parent.options.max_parallel is not None

    def lacking(self, node: TaskNode, at: float) -> str | None:
        """Return what a ready node waits for, in words."""
        if self.is_paused:
            return "the run to be resumed"
        gate = None if self._gates is None else self._gates.waited_for(node, at)
        if gate is not None:
            return gate.what
        if self._threads_used >= self._threads and self.kind(node).in_thread:
            return "a thread"
        return "a slot"

    def kind(self, node: TaskNode) -> BodyKind:
        """Return how the body of a node has to be driven."""
        body: Any = node._body
        if body is None:
            return BodyKind.ASYNC
        kind = getattr(body, "kind", None)
        if not isinstance(kind, BodyKind):  # it may be an attribute of the user's own
            try:
                kind = self._kinds.get(body)
            except TypeError:  # a callable object that cannot be hashed
                return kind_of(body)
            if kind is None:
                if len(self._kinds) >= _MOST_KINDS:
                    self._kinds.clear()
                kind = self._kinds[body] = kind_of(body)
        self._last_body, self._last_kind = body, kind
        return kind

    # -- ends and waits ----------------------------------------------------------------------------------------------

    def free(self, node: TaskNode, kind: BodyKind) -> None:
        """Take a body's slot back, its thread and its limits."""
        self._slots_used -= 1
        if self._gates is not None:
            self._gates.let_go(node)
        if kind.in_thread:
            self._threads_used -= 1
        if self._wishes:
            self._hand_on()

    def leave(self, node: TaskNode) -> None:
        """Take back what a node holds to its end, its place in its group; a node has ended."""
        if self._gates is not None:
            self._gates.leave(node)
            if self._wishes:
                self._hand_on()

    def seize(self, kind: BodyKind) -> None:
        """Count a slot for a body that went on without one, because it was cancelled: it is about to give it back."""
        self._slots_used += 1
        if kind.in_thread:
            self._threads_used += 1

    def free_thread(self) -> None:
        """Take a thread back, which may be later than its slot."""
        self._threads_used -= 1
        if self._wishes:
            self._hand_on()

    def abandon_thread(self) -> None:
        """A body in a thread gave up its slot, but the thread is still busy: count it until `free_thread`."""
        self._threads_used += 1

    def want(self, node: TaskNode, kind: BodyKind) -> None:
        """Ask for a suspended body's slot; `grant` answers, perhaps at once."""
        wish = self._wishes[node] = (node, kind)
        self._returning.append(wish)
        self._hand_on()

    def forget_wish(self, node: TaskNode) -> bool:
        """Take a wish for a slot back; False if it was granted before."""
        return self._wishes.pop(node, None) is not None

    def _hand_on(self) -> None:
        """Give free slots to suspended bodies, in the order in which they asked."""
        while self._slots_used < self._slots:
            wish = self._next_wish()
            if wish is None:
                return
            node, kind = wish
            if self._wishes.get(node) is not wish:
                continue
            if kind.in_thread and self._threads_used >= self._threads:
                self._returning_to_thread.append(wish)
            elif self._gates is None or self._gates.retake(wish):
                del self._wishes[node]
                self._slots_used += 1
                if kind.in_thread:
                    self._threads_used += 1
                self._owner.grant(node)

    def _next_wish(self) -> Wish | None:
        """Take the next wish out that may be granted: of those that lacked something, if that is free now."""
        if self._returning_to_thread and self._threads_used < self._threads:
            return self._returning_to_thread.popleft()
        at_gate = None if self._gates is None else self._gates.next_returning()
        if at_gate is not None:
            return at_gate
        return self._returning.popleft() if self._returning else None
