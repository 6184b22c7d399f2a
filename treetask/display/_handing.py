"""The display of a run that something else tells of: shows nothing, and hands on what it is told to print."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from treetask.display._command import CommandDisplay
from treetask.display._face import Face
from treetask.display._silence import Silence
from treetask.display._terminal import Terminal
from treetask.display._theme import Theme
from treetask.model import TaskTree


class HandingDisplay(CommandDisplay):
    """A display that shows nothing; the lines of what is printed are given to a function, on any thread."""

    def __init__(self, give: Callable[[list[str]], object]) -> None:
        super().__init__()
        self._give = give

    def _choose(self) -> Face:
        return _Hand(self._terminal, self._theme_for(None), self._give)


class _Hand(Silence):
    def __init__(self, terminal: Terminal, theme: Theme, give: Callable[[list[str]], object]) -> None:
        super().__init__(terminal, theme)
        self._give = give

    def say(self, lines: Iterable[str], now: float) -> None:
        """Hand lines on."""
        self._give(list(lines))

    def finish(self, tree: TaskTree, text: str) -> None:
        """Do nothing."""
