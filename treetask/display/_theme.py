"""What things look like: icons, lines of the tree, bars; in Unicode, or in ASCII where the output has nothing else.

Also the colours, which everybody else knows by what they are for. What a config names is merged over the defaults.
Knows no tree and no terminal.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from treetask.model import DEFAULT_ICONS, DEFAULT_TREE_CHARS, TaskStatus, TreeTaskConfig
from treetask.text import display_width, safe_text, without_colours

#: Columns of each of our own icons, so that wcwidth need not be loaded to know them.
ICON_WIDTH: Final = 2
#: Levels that a line is indented by; beyond it the indentation is a number.
DEEPEST_PREFIX: Final = 40

ASCII_ICONS: Final = {
    "pending": "[ ]",
    "working": "[>]",
    "done": "[+]",
    "failed": "[!]",
    "retrying": "[~]",
    "cancelled": "[/]",
    "skipped": "[-]",
    "timed_out": "[T]",
}
ASCII_TREE_CHARS: Final = {"branch": "|-- ", "last_branch": "`-- ", "vertical": "|   ", "empty": "    "}
_OWN_ICONS: Final = frozenset(DEFAULT_ICONS.values())

#: What stands for our own signs on an output that cannot encode them.
_ASCII_SIGNS: Final = str.maketrans(
    {icon: ASCII_ICONS[status] for status, icon in DEFAULT_ICONS.items()}
    | {"├": "|", "└": "`", "│": "|", "─": "-", "━": "#", "╸": "-", "…": "...", "·": "-", "›": ">", "×": "x"}
)


class Role(Enum):
    """What a part of a line is."""

    FAILED = "failed"
    RETRYING = "retrying"
    RUNNING = "running"
    DONE = "done"
    #: What has not begun.
    WAITING = "waiting"
    #: What will never run to its end: left out, or stopped.
    SKIPPED = "skipped"
    #: What is there for whoever looks for it: lines of the tree, times, logs.
    FAINT = "faint"
    HEADING = "heading"

    # A row asks for five of them: the hash that the class has by itself is a call of Python.
    __hash__ = object.__hash__


#: What sets the colours. Of the sixteen that every terminal has only those that can be read on a dark background and on
#: a light one: no white or black, no blue, no yellow. Faint is less of whatever colour the text has there.
_COLOURS: Final = {
    Role.FAILED: "\x1b[31m",
    Role.RETRYING: "\x1b[35m",
    Role.RUNNING: "\x1b[36m",
    Role.DONE: "\x1b[32m",
    Role.WAITING: "\x1b[2m",
    Role.SKIPPED: "\x1b[2m",
    Role.FAINT: "\x1b[2m",
    Role.HEADING: "\x1b[1m",
}
_RESET: Final = "\x1b[0m"
#: Swaps the colours of text and background: seen on every terminal, whatever its colours are.
_SELECTED: Final = "\x1b[7m"
#: What is said of a node, by its status.
ROLES: Final = {
    TaskStatus.PENDING: Role.WAITING,
    TaskStatus.WORKING: Role.RUNNING,
    TaskStatus.RETRYING: Role.RETRYING,
    TaskStatus.DONE: Role.DONE,
    TaskStatus.FAILED: Role.FAILED,
    TaskStatus.CANCELLED: Role.SKIPPED,
    TaskStatus.SKIPPED: Role.SKIPPED,
    TaskStatus.TIMED_OUT: Role.FAILED,
}


@dataclass(frozen=True, slots=True)
class Theme:
    """The signs of one output."""

    icons: dict[str, str]
    icon_widths: dict[str, int]
    branch: str
    last_branch: str
    vertical: str
    empty: str
    ellipsis: str
    #: Between two facts on one line.
    dot: str
    #: Between the names of a path.
    arrow: str
    #: Between a name and what it said.
    line: str
    bar_full: str
    bar_half: str
    bar_empty: str
    #: The output's encoding, where it has not all characters.
    encoding: str | None
    #: Whether our own signs are those of ASCII.
    is_ascii: bool = False
    has_colours: bool = False

    def paint(self, role: Role | None, text: str) -> str:
        """Return a text in the colour of its role, where there are colours; its width is that of the bare text."""
        return f"{_COLOURS[role]}{text}{_RESET}" if self.has_colours and role is not None and text.strip() else text

    def fit(self, text: str) -> str:
        """Return a whole text with our own signs in it as this output has them."""
        if self.encoding is not None:
            return encodable(text, self.encoding)
        return text.translate(_ASCII_SIGNS) if self.is_ascii else text

    def text(self, value: object, limit: int | None = None) -> str:
        """Return a text that others wrote, safe to be shown on this output."""
        safe = safe_text(value, limit=limit)
        return safe if self.encoding is None else encodable(safe, self.encoding)

    def selected(self, line: str) -> str:
        """Return a line as it looks when it is selected; it takes no more columns."""
        return f"{_SELECTED}{without_colours(line)}{_RESET}"

    def icon(self, status: TaskStatus) -> str:
        """Return the icon of a status."""
        return self.icons[status.value]

    def prefix(self, lasts: tuple[bool, ...]) -> str:
        """Return what stands before a row: one entry per level below the root, whether its node is the last there."""
        if not lasts:
            return ""
        own = self.last_branch if lasts[-1] else self.branch
        if len(lasts) > DEEPEST_PREFIX:
            return self.deep_prefix(len(lasts), is_last=lasts[-1])
        return "".join(self.empty if last else self.vertical for last in lasts[:-1]) + own

    def deep_prefix(self, depth: int, *, is_last: bool) -> str:
        """Return what stands before a row that is too deep to be indented."""
        return f"{self.levels(depth - DEEPEST_PREFIX)}{self.last_branch if is_last else self.branch}"

    def levels(self, count: int) -> str:
        """Return a sign for levels that are not drawn."""
        return f"{self.ellipsis} +{count:,} {'level' if count == 1 else 'levels'} "


def theme_for(
    config: TreeTaskConfig,
    encoding: str | None = None,
    *,
    has_pictures: bool = True,
    has_colours: bool = False,
) -> Theme:
    """Return the signs that a config asks for; on an output that cannot encode or show them those of ASCII."""
    unicode = encoding is None and has_pictures
    icons = {**DEFAULT_ICONS, **config.icons}
    chars = {**DEFAULT_TREE_CHARS, **config.tree_chars}
    if not unicode:
        icons = {name: icon if icon.isascii() else ASCII_ICONS.get(name, "?") for name, icon in icons.items()}
        chars = {name: sign if sign.isascii() else ASCII_TREE_CHARS.get(name, "    ") for name, sign in chars.items()}
    icons = {name: safe_text(icon) for name, icon in icons.items()}
    return Theme(
        icons=icons,
        icon_widths={name: _icon_width(icon) for name, icon in icons.items()},
        branch=safe_text(chars["branch"]),
        last_branch=safe_text(chars["last_branch"]),
        vertical=safe_text(chars["vertical"]),
        empty=safe_text(chars["empty"]),
        ellipsis="…" if unicode else "...",
        dot="·" if unicode else "-",
        arrow="›" if unicode else ">",
        line="│" if unicode else "|",
        bar_full="━" if unicode else "#",
        bar_half="╸" if unicode else "-",
        bar_empty="─" if unicode else ".",
        encoding=encoding,
        is_ascii=not unicode,
        has_colours=has_colours,
    )


def _icon_width(icon: str) -> int:
    return ICON_WIDTH if icon in _OWN_ICONS else display_width(icon)


def encodable(text: str, encoding: str) -> str:
    """Return a text with everything that an encoding lacks in ASCII: our own signs as such, the rest as escapes."""
    try:
        text.encode(encoding)
    except UnicodeError:
        return text.translate(_ASCII_SIGNS).encode(encoding, "backslashreplace").decode(encoding)
    return text
