"""What the parts above the model plug together by. Implement one of these to plug in a part of your own."""

from __future__ import annotations

from typing import Protocol

from treetask.model import Event

__all__ = ["Observer"]


class Observer(Protocol):
    """Who is told what happens in a run; see `AsyncExecutor.subscribe`.

    Called on the event loop, in order, when the tree is at rest. One that raises is logged with its name and is told
    nothing more; the run goes on.
    """

    def on_event(self, event: Event, /) -> None:
        """Take note of one event. Should return at once: the run waits for it."""
        ...
