"""Who may run a body now: the ready nodes in their order, and what slots and threads there are. Pure, no I/O.

`take` gives a slot to a start; a worker asks (`Crew._work`). A slot is held only while a body runs. One that waits for
its children gives it up (`free`), asks for it again (`want`) and gets it from `_hand_on`, told by `Run.grant`; such
wishes go before new starts, in the order in which they came, but for those that lack something that is not free: nobody
waits for what another one lacks. Limits and places (`_gates.py`) are looked at when a node is about to start, never
before: until then, who comes later may still go first.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from treetask.engine._deadlocks import Deadlocks
from treetask.engine._gate import Wish
from treetask.engine._gates import Gates, LimitGate
from treetask.engine._places import Places
from treetask.engine._queue import ReadyQueue
from treetask.model import BodyKind, TaskNode, TaskStatus, kind_of

_PENDING: Final = TaskStatus.PENDING
_RETRYING: Final = TaskStatus.RETRYING
_TO_BEGIN: Final = frozenset({_PENDING, _RETRYING})

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
        self._is_paused = self._is_held_back = False
        #: Whether nothing is to start, for one reason or the other.
        self._is_shut = False
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
        self._places: Places | None = None
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
        self.push: Callable[[TaskNode], None] = self._ready.push
        #: Add ready nodes that stand in the order of their declaration.
        self.push_all: Callable[[Sequence[TaskNode]], None] = self._ready.push_all

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

    def use_places(self, deadlocks: Deadlocks) -> None:
        """From now on look for places in groups, and who has to give them up."""
        if self._places is None:
            self.use_gates()
            assert self._gates is not None
            self._places = deadlocks.places = self._gates.use_places(deadlocks.is_deadlocked)
            self.push, self.push_all = self._push_and_rouse, self._push_and_rouse_all

    @property
    def is_paused(self) -> bool:
        """Whether nothing is to start until somebody says so."""
        return self._is_paused

    @is_paused.setter
    def is_paused(self, is_paused: bool) -> None:
        self._is_paused = is_paused
        self._is_shut = is_paused or self._is_held_back

    @property
    def is_held_back(self) -> bool:
        """Whether nothing is to start until what has ended is on record."""
        return self._is_held_back

    @is_held_back.setter
    def is_held_back(self, is_held_back: bool) -> None:
        self._is_held_back = is_held_back
        self._is_shut = is_held_back or self._is_paused

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
        return self._slots_used < self._slots and not self._is_shut

    def take(self, at: float) -> TaskNode | None:
        """Give a slot, and a thread if need be, to the first ready node; None if none may start now.

        A node without a body, which needs no slot, comes out here where it had to wait for a place.
        """
        if self._gates is not None:
            return self._take_at_gates(self._gates, at)
        if self._slots_used >= self._slots or self._is_shut:
            return None
        ready, lacking = self._ready, self._lack_thread
        while True:
            node: TaskNode | None
            if lacking.line or lacking.heap:
                node = self._first(None)
            elif ready.heap:
                node = ready.pop()
            else:
                # The line of the queue, where all of it stands in order, is taken from without a call.
                node = ready.line.popleft() if ready.line else None
            if node is None:
                return None
            if (node._status is not _PENDING and node._status is not _RETRYING) or node._waits:
                continue  # it was stopped while it queued, or even brought back to its beginning
            body: Any = node._body
            kind: Any = self._last_kind
            if body is not self._last_body:
                kind = getattr(body, "kind", None)  # what `kind` comes to for what was spawned
                if type(kind) is not BodyKind:
                    kind = self.kind(node)
            if kind.in_thread:
                if self._threads_used >= self._threads:
                    lacking.push(node)
                    continue
                self._threads_used += 1
            self.taken_kind = kind
            self._slots_used += 1
            return node

    def _take_at_gates(self, gates: Gates, at: float) -> TaskNode | None:
        """The same where there is more to wait for."""
        self._settle()
        while self._slots_used < self._slots and not self._is_shut:
            node = self._first(gates.next_queue(at))
            if node is None:
                if self._settle():
                    continue
                return None
            if (node._status is not _PENDING and node._status is not _RETRYING) or node._waits:
                if node._status is _PENDING:
                    self.calm(node)
                continue
            self.taken_kind = kind = self.kind(node)
            if kind.in_thread and self._threads_used >= self._threads:
                self._lack_thread.push(node)
                gates.let_go(node)
            elif not gates.keep_back(node, at):
                gates.note_start(node, at)
                if node._body is None:
                    self.calm(node)
                else:
                    self._slots_used += 1
                    self._threads_used += kind.in_thread
                self._take_in_released()
                return node
        return None

    def _first(self, at_gate: ReadyQueue | None) -> TaskNode | None:
        """Take the first of all nodes that may go on out of the queue that it stands in."""
        queues = [] if at_gate is None else [at_gate]
        if len(self._ready):
            queues.append(self._ready)
        if len(self._lack_thread) and self._threads_used < self._threads:
            queues.append(self._lack_thread)
        return min(queues, key=ReadyQueue.head_rank).pop() if queues else None

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
        return self._places is not None and node.parent is not None and node.parent.options.max_parallel is not None

    def lacking(self, node: TaskNode, at: float) -> str | None:
        """Return what a ready node waits for, in words; nothing changes, whatever thread asks."""
        if self.is_paused:
            return "the run to be resumed"
        if self.is_held_back:
            return "the journal"
        gate = None if self._gates is None else self._gates.waited_for(node, at)
        if gate is not None:
            return gate.what
        if self._threads_used >= self._threads and node._body is not None and kind_of(node._body).in_thread:
            return "a thread"
        return "a slot"

    def kind(self, node: TaskNode) -> BodyKind:
        """Return how the body of a node has to be driven."""
        body: Any = node._body
        known: object = getattr(body, "kind", None)
        if type(known) is BodyKind:  # else it may be an attribute of the user's own
            return known
        if body is None:
            return BodyKind.ASYNC
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
            self._gates.stop(node)
        if kind.in_thread:
            self._threads_used -= 1
        if self._wishes:
            self._hand_on()

    def suspend(self, node: TaskNode, kind: BodyKind) -> None:
        """Take a body's slot back, and all that goes with it, until it asks for it again."""
        self.free(node, kind)
        self._settle()

    def leave(self, node: TaskNode) -> None:
        """Take back what a node holds to its end, its place in its group; a node has ended."""
        if self._gates is not None:
            self._gates.leave(node)
            if self._wishes:
                self._hand_on()

    def forget_start(self, node: TaskNode) -> None:
        """Take back what a node has got that was about to begin an attempt, and will not."""
        if self._gates is not None:
            self._gates.stop(node)
            if self._wishes:
                self._hand_on()

    def seize(self, kind: BodyKind) -> None:
        """Count a slot for a body that went on without one, because it was cancelled: it is about to give it back."""
        self._slots_used += 1
        if kind.in_thread:
            self._threads_used += 1

    def free_thread(self, limits: Sequence[LimitGate]) -> None:
        """Take a thread back, which may be later than its slot, and the limits of the body in it."""
        self._threads_used -= 1
        if self._gates is not None:
            for each in limits:
                self._gates.free(each)
        if self._wishes:
            self._hand_on()

    def abandon_thread(self, node: TaskNode) -> Sequence[LimitGate]:
        """A body in a thread is about to give up its slot, but the thread is still busy.

        It is counted until `free_thread`, with the limits that are returned.
        """
        self._threads_used += 1
        return () if self._gates is None else self._gates.hand_over(node)

    def want(self, node: TaskNode, kind: BodyKind) -> None:
        """Ask for a suspended body's slot; `grant` answers, perhaps at once."""
        wish = self._wishes[node] = (node, kind)
        self._returning.append(wish)
        self.rouse(node)
        self._hand_on()
        self._settle()

    def forget_wish(self, node: TaskNode) -> bool:
        """Take a wish for a slot back; False if it was granted before."""
        if self._wishes.pop(node, None) is None:
            return False
        self.calm(node)
        return True

    # -- places ------------------------------------------------------------------------------------------------------

    def rouse(self, node: TaskNode) -> None:
        """A node goes on by itself, as one does between two attempts: places are kept for it."""
        if self._places is not None:
            self._places.rouse(node)

    def calm(self, node: TaskNode) -> None:
        """It does not any more."""
        if self._places is not None:
            self._places.calm(node)

    def _push_and_rouse(self, node: TaskNode) -> None:
        self.rouse(node)
        self._ready.push(node)

    def _push_and_rouse_all(self, nodes: Sequence[TaskNode]) -> None:
        for node in nodes:
            self.rouse(node)
        self._ready.push_all(nodes)

    def _take_in_released(self) -> None:
        """Let those queue again that have waited for a place which they have now, with another node."""
        for waiter in () if self._places is None else self._places.take_released():
            if isinstance(waiter, tuple):
                self._returning.append(waiter)
            elif waiter._status in _TO_BEGIN and not waiter._waits:
                self.push(waiter)
        if self._returning:
            self._hand_on()

    def look_at_places_again(self) -> None:
        """Who waits for whom has changed: places may have to be given up."""
        if self._places is not None:
            self._places.look_again()

    def _settle(self) -> bool:
        """Let places be given up that are wanted; return whether any was. Only when the tree is at rest."""
        if self._places is None or not self._places.settle():
            return False
        if self._wishes:
            self._hand_on()
        return True

    # -- who goes on -------------------------------------------------------------------------------------------------

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
                self._take_in_released()

    def _next_wish(self) -> Wish | None:
        """Take the next wish out that may be granted: of those that lacked something, if that is free now."""
        if self._returning_to_thread and self._threads_used < self._threads:
            return self._returning_to_thread.popleft()
        at_gate = None if self._gates is None else self._gates.next_returning()
        if at_gate is not None:
            return at_gate
        return self._returning.popleft() if self._returning else None
