"""What state a node is in, and which changes there are.

A node begins `pending`. It is `working` from the moment its body gets a slot (a group without a body: from the moment
it may start) until its whole subtree is down, so a parent is working while its children run. Between two attempts it is
`retrying`, which holds no slot. It ends in one of the five terminal statuses and leaves that only by a reset.

Whoever wants to know why a change is refused reads `NEXT`; nothing else in the package knows the table.
"""

from __future__ import annotations

from enum import Enum
from typing import Final


class TaskStatus(str, Enum):
    """The state of one node; equal to its value as a string, and printed as it."""

    #: Its place among the statuses: where counters keep it.
    slot: int
    is_terminal: bool

    PENDING = "pending"
    """Not begun: waits for its parent, a dependency, an earlier sibling, a slot, or was not reached yet."""
    WORKING = "working"
    """Its body runs, or its children do."""
    RETRYING = "retrying"
    """An attempt failed and the next one is due later."""
    DONE = "done"
    """Body and children ended well."""
    FAILED = "failed"
    """The body raised in its last attempt, or a child failed and nobody claimed that."""
    CANCELLED = "cancelled"
    """Stopped, or never started, because something else failed or somebody asked for it."""
    SKIPPED = "skipped"
    """Never started because something that it needs did not end well; `TaskNode.reason` names it."""
    TIMED_OUT = "timed_out"
    """The last attempt did not end within its timeout."""

    def __str__(self) -> str:
        return str.__str__(self)

    def __format__(self, spec: str) -> str:
        return str.__format__(self, spec)


_PENDING, _WORKING, _RETRYING, _DONE, _FAILED, _CANCELLED, _SKIPPED, _TIMED_OUT = TaskStatus

TERMINAL: Final = frozenset({_DONE, _FAILED, _CANCELLED, _SKIPPED, _TIMED_OUT})

#: The ends that are a failure of the node's own or of one below it.
FAILURES: Final = frozenset({_FAILED, _TIMED_OUT})

# Plain attributes, not properties: every status change reads them.
for _slot, _status in enumerate(TaskStatus):
    _status.slot = _slot
    _status.is_terminal = _status in TERMINAL

#: How an end that is no success reads in a sentence.
BAD_ENDINGS: Final = {
    _FAILED: "failed",
    _TIMED_OUT: "timed out",
    _CANCELLED: "was cancelled",
    _SKIPPED: "was skipped",
}

#: Every change that exists. A terminal status is left by a reset alone.
NEXT: Final[dict[TaskStatus, frozenset[TaskStatus]]] = {
    _PENDING: frozenset({_WORKING, _DONE, _FAILED, _CANCELLED, _SKIPPED}),
    _WORKING: frozenset({_RETRYING, _DONE, _FAILED, _CANCELLED, _TIMED_OUT}),
    _RETRYING: frozenset({_WORKING, _FAILED, _CANCELLED, _TIMED_OUT}),
    **{status: frozenset({_PENDING}) for status in TERMINAL},
}

#: The reason of a child that came in while its tree ran, and is not selected there.
NOT_SELECTED: Final = "not selected"
