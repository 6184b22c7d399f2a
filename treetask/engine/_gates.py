"""What a start may have to wait for beside a slot and a thread: named limits, and places in a group. Pure, no I/O.

A limit counts bodies while they run, in a thread that was left behind too, and their starts; a place (`_places.py`) is
held by a child from its start to its end, with all that is below it. Who waits, waits at one gate that keeps it back,
and is looked at when that one opens.

What must stay true:
- A place is never kept while waiting for a limit, nor a limit while waiting for a place, which may be taken for hours.
- Of the nodes that wait at a limit, the first keeps those limits that it has passed, until somebody needs one who goes
  before it; no other keeps any. So nobody is overtaken for ever by later ones that need less, and what is not used is
  not kept from those that could. Limits are passed in the order of their names, so that no two wait for each other.
- A body that goes on after a wait takes all that it needs at once, or nothing.
"""

from __future__ import annotations

import math
import sys
from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush, heapreplace
from itertools import count
from typing import Any, Final

from treetask.engine._gate import Gate, Wish
from treetask.engine._places import Places
from treetask.engine._queue import ReadyQueue
from treetask.model import Limit, TaskNode

#: Seconds in which a limit's `per_second` counts.
_WINDOW: Final = 1.0


class LimitGate(Gate):
    """A limit: how many more bodies may run, and when the next one may start."""

    __slots__ = ("_again", "_window", "is_timed", "keeper", "kept_by", "late")

    def __init__(self, limit: Limit, rank: Callable[[TaskNode], Any]) -> None:
        super().__init__(
            f"limit '{limit.name}'", math.inf if limit.max_concurrency is None else limit.max_concurrency, rank
        )
        #: Those that have passed all limits, and wait here for time alone.
        self.late: Final = ReadyQueue(rank)
        #: Of those that wait here, the one that keeps the limits that it has passed.
        self.keeper: TaskNode | None = None
        #: Those that keep this limit while they wait at another one.
        self.kept_by: Final[dict[TaskNode, None]] = {}
        #: Whether it is known when it opens.
        self.is_timed = False
        rate = limit.per_second
        #: When each of the last starts counts no more; as many as there may be in a window. Empty without a rate.
        self._again: deque[float] | None = None
        self._window = _WINDOW
        if rate is not None:
            self._again = deque(maxlen=min(max(1, math.floor(rate)), sys.maxsize))
            self._window = max(_WINDOW, 1 / rate)

    def next_queue(self) -> ReadyQueue | None:
        queue, late = super().next_queue(), self.late
        if len(late) and (queue is None or late.head_rank() < queue.head_rank()):
            return late
        return queue

    def opens_at(self) -> float:
        again = self._again
        return -math.inf if again is None or len(again) < (again.maxlen or 0) else again[0]

    def note_start(self, at: float) -> None:
        """Count a start."""
        if self._again is not None:
            self._again.append(self._end_of_window(at))

    def correct_start(self, at: float) -> None:
        """The start that was counted last has been later than it was said to be."""
        if self._again:
            self._again[-1] = self._end_of_window(at)

    def _end_of_window(self, start: float) -> float:
        end = start + self._window
        # Rounded, so that whoever subtracts may find less than the window.
        return end if end - start >= self._window else math.nextafter(end, math.inf)

    def sort_anew(self, rank: Callable[[TaskNode], Any]) -> None:
        super().sort_anew(rank)
        self.late.sort_anew(rank)


class Gates:
    """All gates of one run, and who holds what."""

    def __init__(self, rank: Callable[[TaskNode], Any], look_again_at: Callable[[float], None]) -> None:
        self._rank = rank
        self._look_again_at: Final = look_again_at
        #: The places in groups; None where none has a number of them.
        self.places: Places | None = None
        self._limits: Final[dict[Limit, LimitGate]] = {}
        #: Gates where somebody may pass, by the rank of the first; what has changed since is found out when looked at.
        self._open: Final[list[tuple[Any, int, Gate]]] = []
        #: Gates that keep somebody back by their rate alone, by the time when they open.
        self._timed: Final[list[tuple[float, int, LimitGate]]] = []
        self._count: Final = count()  # keeps gates from being compared
        #: Gates where somebody may go on.
        self.freed: Final[deque[Gate]] = deque()
        #: The limits that a node has passed; it has them until its body ends or waits, or another one keeps them.
        self._held: Final[dict[TaskNode, list[LimitGate]]] = {}
        #: The limit where a node waits that keeps those that it has passed.
        self._keeping: Final[dict[TaskNode, LimitGate]] = {}

    def use_places(self, is_deadlocked: Callable[[TaskNode], bool]) -> Places:
        """From now on look for places; `Places` says what is asked for."""
        self.places = Places(self._rank, self.free, is_deadlocked)
        return self.places

    # -- who goes next -----------------------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether somebody may pass a gate, as far as is known without the time."""
        return bool(self._open) or (self.places is not None and self.places.is_unsettled)

    @property
    def is_timed(self) -> bool:
        """Whether a gate opens by its rate alone."""
        return bool(self._timed)

    def next_queue(self, at: float) -> ReadyQueue | None:
        """Return the queue with the first of all those that may pass a gate now; None if nobody may."""
        self.look_again(at)
        while self._open:
            rank, _, gate = self._open[0]
            queue = gate.next_queue()
            if queue is None:
                heappop(self._open)
            elif at < gate.opens_at():
                heappop(self._open)
                self._wait_for_time(gate)
            elif queue.head_rank() != rank:
                heapreplace(self._open, (queue.head_rank(), next(self._count), gate))
            else:
                return queue
        return None

    def next_returning(self) -> Wish | None:
        """Return the first of those that want to go on and waited at a gate that has opened; None if there is none."""
        while self.freed:
            gate = self.freed[0]
            if gate.free > 0 and gate.returning:
                return gate.returning.popleft()
            self.freed.popleft()
        return None

    def look_again(self, at: float) -> None:
        """Time has passed: limits may let more start."""
        while self._timed and self._timed[0][0] <= at:
            gate = heappop(self._timed)[2]
            gate.is_timed = False
            self._note_open(gate)

    def _note_open(self, gate: Gate) -> None:
        queue = gate.next_queue()
        if queue is not None:
            heappush(self._open, (queue.head_rank(), next(self._count), gate))

    def _wait_for_time(self, gate: Gate) -> None:
        assert isinstance(gate, LimitGate)
        if not gate.is_timed:
            gate.is_timed = True
            opens_at = gate.opens_at()
            heappush(self._timed, (opens_at, next(self._count), gate))
            self._look_again_at(opens_at)

    # -- passing -----------------------------------------------------------------------------------------------------

    def keep_back(self, node: TaskNode, at: float) -> bool:
        """Let a node pass its gates; return whether it has to wait at one, where it stands in line then."""
        if self.places is not None:
            if self.places.park(node):
                self.let_go(node)
                return True
            self.places.rouse(node)
        limits = self._limits_of(node)
        gate, has_all = self._pass(node, limits, at)
        if gate is None:
            return False
        if node in self._held and not self._may_keep(node, gate):
            self.let_go(node)
            has_all = False
        (gate.late if has_all else gate.queue).push(node)
        self._note_open(gate)
        return True

    def _pass(self, node: TaskNode, limits: list[LimitGate], at: float) -> tuple[LimitGate | None, bool]:
        """Take what is free of what a node lacks; return the limit that keeps it back, and whether it lacks time alone.

        One that was passed before may be closed by its rate again.
        """
        held = self._held.get(node, [])
        for gate in limits[len(held) :]:
            if at < gate.opens_at() or (gate.free <= 0 and not self._is_given_up(gate, node)):
                return gate, False
            gate.free -= 1
            held.append(gate)
            self._held[node] = held
        return next((gate for gate in limits if at < gate.opens_at()), None), True

    def _is_given_up(self, gate: LimitGate, node: TaskNode | None = None) -> bool:
        """Let the last of those that keep a limit give it up, if `node` goes before it, or a body wants to go on."""
        last = max(gate.kept_by, key=self._rank, default=None)
        if last is None or (node is not None and self._rank(last) < self._rank(node)):
            return False
        self.let_go(last)
        return True

    def _may_keep(self, node: TaskNode, gate: LimitGate) -> bool:
        """Return whether a node that is about to wait at a limit keeps the others."""
        self._stop_keeping(node)
        other = gate.keeper
        if other is not None:
            if self._rank(other) < self._rank(node):
                return False
            self.let_go(other)
        gate.keeper = node
        self._keeping[node] = gate
        for each in self._held[node]:
            each.kept_by[node] = None
        return True

    def _stop_keeping(self, node: TaskNode) -> None:
        gate = self._keeping.pop(node, None)
        if gate is not None:
            gate.keeper = None
            for each in self._held[node]:
                each.kept_by.pop(node, None)

    def waited_for(self, node: TaskNode, at: float) -> Gate | None:
        """Return the gate that keeps a node back now; nothing changes, whatever thread asks."""
        place = None if self.places is None else self.places.waited_for(node)
        if place is not None:
            return place
        held = self._held.get(node, ())
        for limit in sorted(node.options.limits, key=_name):
            gate = self._limits.get(limit)
            if gate is not None and (at < gate.opens_at() or (gate.free <= 0 and gate not in held)):
                return gate
        return None

    # -- who has what ------------------------------------------------------------------------------------------------

    def note_start(self, node: TaskNode, at: float) -> None:
        """A node that has passed all its gates starts."""
        if self.places is not None:
            self.places.take(node)
        self._stop_keeping(node)
        for gate in self._held.get(node, ()):
            gate.note_start(at)

    def correct_start(self, node: TaskNode, at: float) -> None:
        """The body of the node that started last begins only now."""
        for gate in self._held.get(node, ()):
            gate.correct_start(at)

    def retake(self, wish: Wish) -> bool:
        """Let a body that has waited have again what it needs; return whether it has, else it stands in line."""
        node = wish[0]
        if self.places is not None and self.places.park(node, wish):
            return False
        limits = self._limits_of(node)
        for gate in limits:
            if gate.free <= 0 and not self._is_given_up(gate):
                gate.returning.append(wish)
                return False
        for gate in limits:
            gate.free -= 1
        if limits:
            self._held[node] = limits
        if self.places is not None:
            self.places.take(node)
        return True

    def let_go(self, node: TaskNode) -> None:
        """Take back the limits that a node has passed."""
        self._stop_keeping(node)
        for gate in self._held.pop(node, ()):
            self.free(gate)

    def stop(self, node: TaskNode) -> None:
        """Take back what a body has that is over, or waits."""
        self.let_go(node)
        if self.places is not None:
            self.places.calm(node)

    def hand_over(self, node: TaskNode) -> list[LimitGate]:
        """Return the limits of a body that goes on without its node: they are its own until `free`."""
        self._stop_keeping(node)
        return self._held.pop(node, [])

    def leave(self, node: TaskNode) -> None:
        """Take back all that a node has, which has ended."""
        self.let_go(node)
        if self.places is not None:
            self.places.leave(node)

    def free(self, gate: Gate) -> None:
        """Let one more pass a gate."""
        gate.free += 1
        if gate.returning:
            self.freed.append(gate)
        self._note_open(gate)

    def sort_anew(self, rank: Callable[[TaskNode], Any]) -> None:
        """From now on go by these ranks."""
        self._rank = rank
        self._open.clear()
        gates: list[Gate] = [*self._limits.values()]
        if self.places is not None:
            gates += self.places.sort_by(rank)
        for gate in gates:
            gate.sort_anew(rank)
            self._note_open(gate)

    def _limits_of(self, node: TaskNode) -> list[LimitGate]:
        limits = node.options.limits
        return [self._limit_gate(limit) for limit in sorted(limits, key=_name)] if limits else []

    def _limit_gate(self, limit: Limit) -> LimitGate:
        gate = self._limits.get(limit)
        if gate is None:
            gate = self._limits[limit] = LimitGate(limit, self._rank)
        return gate


def _name(limit: Limit) -> str:
    return limit.name
