"""What a command says beside its tree, as its output wants it: with colours or without, in signs that it has.

Loads no display: most of what a command says it says instead of running something.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final, TextIO

from treetask.display._decisions import is_github
from treetask.display._terminal import Terminal
from treetask.display._theme import Role, Theme, theme_for
from treetask.model import TreeTaskConfig

#: What messages begin with.
_BEGINNINGS: Final = ("treetask:", "again:")


def message_lines(lines: Iterable[str], output: TextIO, *, color: str = "auto") -> list[str]:
    """Return lines as they are written to an output. What users wrote in them has to be safe to be shown."""
    theme = theme_on(Terminal(output), color=color)
    said = [_painted(theme.fit(line), theme) for line in lines]
    if not is_github(os.environ):
        return said
    from treetask.display._workflow import quoted

    return quoted(said)


def theme_on(terminal: Terminal, config: TreeTaskConfig | None = None, *, color: str = "auto") -> Theme:
    """Return the signs and colours that a terminal, or what is none, can show."""
    return theme_for(
        TreeTaskConfig() if config is None else config,
        terminal.narrow_encoding,
        has_pictures=terminal.has_pictures,
        has_colours=terminal.wants_colours(color),
    )


def _painted(line: str, theme: Theme) -> str:
    for beginning in _BEGINNINGS:
        if line.startswith(beginning):
            return theme.paint(Role.HEADING, beginning) + line.removeprefix(beginning)
    return line
