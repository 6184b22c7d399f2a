"""What a start may have to wait for beside a slot and a thread: named limits, and places in a group. Pure, no I/O.

A limit counts bodies while they run, and their starts; a place is held by a child from its start to its end, with all
that is below it. Who waits, waits at the gate that keeps it back, and is looked at again when that one opens.

What must stay true: a node that waits at one limit keeps those that it has passed, and all pass the limits in the order
of their names. So nobody is overtaken for ever by nodes that need less, and no two nodes wait for each other. A place
is never kept while waiting, nor is a limit kept while waiting for a place: a place may be taken for hours.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from treetask.engine._ready import ReadyQueue
from treetask.model import Limit, TaskNode

#: Seconds in which a limit's `per_second` counts.
_WINDOW: Final = 1.0


class Gate:
    """One limit or the places of one group: what is free, and who waits."""

    __slots__ = ("_starts", "_window", "free", "late", "queue", "what")

    def __init__(self, what: str, free: float, rank: Callable[[TaskNode], Any]) -> None:
        #: What is waited for here, as a reason says it.
        self.what: Final = what
        #: How many more may pass.
        self.free = free
        self.queue: Final = ReadyQueue(rank)
        #: Those that have passed all gates, but for the rate of this one.
        self.late: Final = ReadyQueue(rank)
        self._starts: deque[float] | None = None
        self._window = _WINDOW

    def set_rate(self, per_second: float) -> None:
        """Bound the starts in any window of a second; below one a second, the time between two."""
        self._starts = deque(maxlen=max(1, math.floor(per_second)))
        self._window = max(_WINDOW, 1 / per_second)

    def opens_at(self) -> float:
        """Return when the rate lets the next one start, which may be long past."""
        starts = self._starts
        return -math.inf if starts is None or len(starts) < (starts.maxlen or 0) else starts[0] + self._window

    @property
    def has_waiting(self) -> bool:
        """Whether anybody waits here."""
        return len(self.late) > 0 or len(self.queue) > 0

    def next_queue(self) -> ReadyQueue | None:
        """Return the queue whose head may pass, as far as the rate is not concerned; None if none may."""
        if len(self.late):
            return self.late
        return self.queue if len(self.queue) and self.free > 0 else None

    def note_start(self, at: float) -> None:
        """Count a start."""
        if self._starts is not None:
            self._starts.append(at)


class Gates:
    """All gates of one run, and who holds what."""

    def __init__(self, rank: Callable[[TaskNode], Any]) -> None:
        self._rank = rank
        self._limits: Final[dict[Limit, Gate]] = {}
        self._places: Final[dict[TaskNode, Gate]] = {}
        #: Gates that may let somebody pass; one that does not when it is looked at is taken out until it may again.
        self._open: Final[dict[Gate, None]] = {}
        #: Gates that keep somebody back by their rate alone.
        self._too_early: Final[dict[Gate, None]] = {}
        #: The limits that a node has passed; it keeps them until its body ends or waits.
        self._held: Final[dict[TaskNode, list[Gate]]] = {}
        #: The place that a node has in its group, until it ends.
        self._placed: Final[dict[TaskNode, Gate]] = {}

    # -- who goes next -----------------------------------------------------------------------------------------------

    def next_queue(self, at: float) -> ReadyQueue | None:
        """Return the queue with the first of all those that may pass a gate now; None if nobody may."""
        for gate in [gate for gate in self._too_early if at >= gate.opens_at()]:
            del self._too_early[gate]
            self._open[gate] = None
        first: ReadyQueue | None = None
        for gate in list(self._open):
            queue = gate.next_queue()
            if queue is None:
                del self._open[gate]
            elif at < gate.opens_at():
                del self._open[gate]
                self._too_early[gate] = None
            elif first is None or queue.head_rank() < first.head_rank():
                first = queue
        return first

    def opens_at(self) -> float | None:
        """Return when the next gate opens by its rate; None if nobody waits for that."""
        return min((gate.opens_at() for gate in self._too_early), default=None)

    def keep_back(self, node: TaskNode, at: float) -> bool:
        """Let a node pass its gates, or as many as it can; return whether it has to wait at one, and let it wait."""
        gate = self._blocking(node, at)
        if gate is None:
            return False
        (gate.late if gate in self._held.get(node, ()) else gate.queue).push(node)
        self._open[gate] = None
        return True

    def _blocking(self, node: TaskNode, at: float) -> Gate | None:
        place = self._place_for(node)
        if place is not None and place.free <= 0:
            self.let_go(node)
            return place
        limits = self._limits_of(node)
        held = self._held.get(node, [])
        for gate in limits[len(held) :]:
            if gate.free <= 0 or at < gate.opens_at():
                return gate
            gate.free -= 1
            held.append(gate)
            self._held[node] = held
        # Those that were passed before may be closed by their rate again.
        return next((gate for gate in limits if at < gate.opens_at()), None)

    def waited_for(self, node: TaskNode, at: float) -> Gate | None:
        """Return the gate that keeps a node back now; nothing changes."""
        place = self._place_for(node)
        if place is not None and place.free <= 0:
            return place
        held = self._held.get(node, ())
        for gate in self._limits_of(node):
            if at < gate.opens_at() or (gate.free <= 0 and gate not in held):
                return gate
        return None

    # -- who has what ------------------------------------------------------------------------------------------------

    def note_start(self, node: TaskNode, at: float) -> None:
        """A node that has passed all its gates starts."""
        place = self._place_for(node)
        if place is not None:
            place.free -= 1
            self._placed[node] = place
        for gate in self._held.get(node, ()):
            gate.note_start(at)

    def retake(self, node: TaskNode) -> bool:
        """Let a body that has waited have its limits again, if all are free; return whether it has."""
        limits = self._limits_of(node)
        if any(gate.free <= 0 for gate in limits):
            return False
        for gate in limits:
            gate.free -= 1
        if limits:
            self._held[node] = limits
        return True

    def let_go(self, node: TaskNode) -> bool:
        """Take back the limits that a node has passed; return whether there were any."""
        held = self._held.pop(node, None)
        for gate in held or ():
            self._free(gate)
        return bool(held)

    def leave(self, node: TaskNode) -> bool:
        """Take back all that a node has, which has ended; return whether that was anything."""
        has_let_go = self.let_go(node)
        place = self._placed.pop(node, None)
        if place is not None:
            self._free(place)
        self._places.pop(node, None)
        return has_let_go or place is not None

    def _free(self, gate: Gate) -> None:
        gate.free += 1
        if gate.has_waiting:
            self._open[gate] = None

    def sort_anew(self, rank: Callable[[TaskNode], Any]) -> None:
        """From now on go by these ranks."""
        self._rank = rank
        for gate in (*self._limits.values(), *self._places.values()):
            gate.queue.sort_anew(rank)
            gate.late.sort_anew(rank)

    def _limits_of(self, node: TaskNode) -> list[Gate]:
        limits = node.options.limits
        return [self._limit_gate(limit) for limit in sorted(limits, key=_name)] if limits else []

    def _limit_gate(self, limit: Limit) -> Gate:
        gate = self._limits.get(limit)
        if gate is None:
            free = math.inf if limit.max_concurrency is None else limit.max_concurrency
            gate = self._limits[limit] = Gate(f"limit '{limit.name}'", free, self._rank)
            if limit.per_second is not None:
                gate.set_rate(limit.per_second)
        return gate

    def _place_for(self, node: TaskNode) -> Gate | None:
        """Return the gate of a node's group, if it has one and the node has no place yet."""
        group = node.parent
        if group is None or group.options.max_parallel is None or node in self._placed:
            return None
        gate = self._places.get(group)
        if gate is None:
            gate = self._places[group] = Gate(f"a place in '{group.id}'", group.options.max_parallel, self._rank)
        return gate


def _name(limit: Limit) -> str:
    return limit.name
