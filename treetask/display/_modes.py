"""The displays that a command can be asked for by name."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TextIO

from treetask._errors import did_you_mean
from treetask.display._command import CommandDisplay
from treetask.display._decisions import is_github
from treetask.model import TreeTaskConfig

if TYPE_CHECKING:
    from treetask.display._face import Face


class AutomaticDisplay(CommandDisplay):
    """A display that paints where somebody may be watching, and elsewhere writes what the reader makes most of."""

    def _choose(self) -> Face:
        face = super()._choose()
        if face.paints or not is_github(os.environ):
            return face
        from treetask.display._github import GitHubLog

        return GitHubLog(self._terminal, self._theme_for(None), self._run)


class PaintedDisplay(CommandDisplay):
    """A display that paints where that can be done, in builds too."""

    _animates = True


class PlainDisplay(CommandDisplay):
    """A display that writes the lines of a log, on a terminal too."""

    def _choose(self) -> Face:
        from treetask.display._plain import PlainLog

        return PlainLog(self._terminal, self._theme_for(None), self._run)


class QuietDisplay(CommandDisplay):
    """A display that shows nothing of a run, and at the end only a tree that did not end well. Messages are printed."""

    def _choose(self) -> Face:
        from treetask.display._silence import Silence

        return Silence(self._terminal, self._theme_for(None))


_KINDS: Final[dict[str, type[CommandDisplay]]] = {
    "auto": AutomaticDisplay,
    "live": PaintedDisplay,
    "plain": PlainDisplay,
    "quiet": QuietDisplay,
}


def make_display(
    mode: str,
    config: TreeTaskConfig | None = None,
    output: TextIO | None = None,
    *,
    color: str = "auto",
    run: Callable[[], int | None] | None = None,
) -> CommandDisplay:
    """Return the display of that name: `auto` (live on a terminal, else plain), `live`, `plain` or `quiet`.

    `color` is `auto` (as the environment says, else on a terminal), `always` or `never`; `run` returns the number of
    the run, once it has begun, if it is on record. Raises `ValueError` for another name, and for `live` on an output
    that cannot be painted on.
    """
    if mode not in _KINDS:
        raise ValueError(f"there is no display '{mode}'{did_you_mean(mode, _KINDS)}")
    display = _KINDS[mode](config, output, color=color, run=run)
    if mode == "live" and not display._terminal.can_paint:
        raise ValueError("display 'live' needs a terminal, and the output is not one; use 'auto' or 'plain'")
    return display
