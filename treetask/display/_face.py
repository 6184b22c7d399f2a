"""What `LiveDisplay` shows a tree by: one face for a terminal, others for logs, for programs and for silence."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

from treetask.display._theme import Theme
from treetask.model import TaskTree

if TYPE_CHECKING:
    from treetask.display._browsing import Browsing


class Face(Protocol):
    """What a display looks like on one kind of output."""

    #: Whether what is shown is painted over again.
    paints: ClassVar[bool]
    theme: Theme
    #: A line without an end that somebody prints; shown where rows are painted, until it has one.
    begun: str
    #: Somebody types behind that line, or where it would be: its row is left alone.
    is_asked: bool

    def take(self, tree: TaskTree, max_depth: int | None, now: float) -> None:
        """Copy what is to be shown; on the thread that runs the tree."""

    def browse(self, browsing: Browsing | None) -> None:
        """From the next look on, show what keys make of it, where this face has anything to choose from."""

    def show(self, now: float) -> None:
        """Show what was copied; on any thread."""

    def say(self, lines: list[str], now: float) -> None:
        """Write lines for good, above what is shown; on any thread."""

    def hide_cursor(self) -> None:
        """Hide the cursor, where there is one, until `show_cursor`."""

    def show_cursor(self) -> None:
        """Show the cursor again, where there is one."""

    def clear(self) -> None:
        """Take away what is painted; what was written for good stays."""

    def finish(self, tree: TaskTree, text: str) -> None:
        """Write the final text in place of what is shown, after all that was still to be said."""

    def conclude(self, tree: TaskTree, max_depth: int | None) -> None:
        """Leave the end of the tree behind for good, as this face shows trees."""

    def abandon(self) -> list[str]:
        """Show nothing more, and return the lines that were still to be said: another face takes over, or nobody."""
        ...
