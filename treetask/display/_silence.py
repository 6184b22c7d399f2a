"""The face of a display that shows next to nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from treetask.display._terminal import Terminal
from treetask.display._theme import Theme
from treetask.model import TaskStatus, TaskTree

if TYPE_CHECKING:
    from treetask.display._browsing import Browsing


class Silence:
    """The face of a display that shows nothing but what it is told to say, and a tree that did not end well."""

    paints: ClassVar[bool] = False

    def __init__(self, terminal: Terminal, theme: Theme) -> None:
        self._terminal = terminal
        self.theme = theme
        self.begun = ""
        self.is_asked = False

    def take(self, tree: TaskTree, max_depth: int | None, now: float) -> None:
        """Do nothing."""

    def show(self, now: float) -> None:
        """Do nothing."""

    def browse(self, browsing: Browsing | None) -> None:
        """Do nothing."""

    def say(self, lines: Iterable[str], now: float) -> None:
        """Write lines as they are."""
        self._terminal.write("".join(f"{line}\n" for line in lines))

    def hide_cursor(self) -> None:
        """Do nothing."""

    def show_cursor(self) -> None:
        """Do nothing."""

    def clear(self) -> None:
        """Do nothing."""

    def finish(self, tree: TaskTree, text: str) -> None:
        """Write a text, if the tree did not end well."""
        if tree.root.status is not TaskStatus.DONE:
            self._terminal.write(f"{text}\n")

    def conclude(self, tree: TaskTree, max_depth: int | None) -> None:
        """Do nothing: what went wrong is told by the summary of a run."""

    def abandon(self) -> list[str]:
        """Return nothing: what is said is written at once."""
        return []
