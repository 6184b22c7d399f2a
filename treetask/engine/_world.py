"""The world outside of the scheduler: what it asks for, and a run on an event loop does. So does a test, by hand."""

from __future__ import annotations

from typing import Protocol

from treetask.engine._bounds import Bound
from treetask.model import TaskNode


class World(Protocol):
    """What the scheduler asks of the world. Nothing of it may call back."""

    def interrupt(self, node: TaskNode) -> None:
        """Cancel the body of a node; its end will be reported as that of any body."""

    def grant(self, node: TaskNode) -> None:
        """Let a suspended body go on: it has a slot again."""

    def bound(self, node: TaskNode, bound: Bound) -> None:
        """See to it that an attempt that lasts already ends in time: its body by itself, else call `expire`."""

    def fold_soon(self) -> None:
        """Call `fold` when all who listen have been told what happened, in the next turn or so."""

    def raise_at_end(self, error: BaseException) -> None:
        """Cancel the run soon, and let it raise this, as KeyboardInterrupt and SystemExit are."""

    def look_again_at(self, when: float) -> None:
        """Call `look_again` then: something may start that waits for nothing but time."""
