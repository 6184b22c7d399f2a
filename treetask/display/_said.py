"""What bodies printed, as lines above a live region: safe to be shown, and with whose they are in front.

Knows nodes and signs; nothing of streams and screens.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from treetask.display._theme import Role, Theme, encodable
from treetask.model import TaskNode, text_lines
from treetask.text import clip, display_width, safe_colours, safe_text, without_colours

if TYPE_CHECKING:
    from treetask.display._prints import Said

#: Of a name, which stands in front of every line.
_NAME_SHOWN: Final = 24


def said_lines(said: Iterable[Said], theme: Theme) -> list[str]:
    """Return the lines in their order: `fetch[3] │ text`. Those of the root, and of nobody, have no name in front."""
    shown: list[str] = []
    names: dict[TaskNode | None, str] = {None: ""}
    for node, lines in said:
        name = names.get(node)
        if name is None:
            assert node is not None
            name = names[node] = _name(node, theme)
        shown += [name + _shown(line, theme) for line in text_lines(lines)]
    return shown


def begun_line(begun: Said | None, theme: Theme, width: int) -> str:
    """Return a line that has no end yet in at most `width` columns: its end, if it is longer. No colours."""
    if begun is None:
        return ""
    node, text = begun
    name = "" if node is None or _is_root(node) else f"{theme.text(node.name, _NAME_SHOWN)} {theme.line} "
    line = theme.text(without_colours(text.decode("utf-8", "backslashreplace")).expandtabs())
    room = width - display_width(name)
    if display_width(line) > room:
        line = theme.ellipsis + line[-max(1, room - len(theme.ellipsis)) :]
    return clip(name + line, width, theme.ellipsis)


def _is_root(node: TaskNode) -> bool:
    return node.parent is None and node._tree is not None


def _name(node: TaskNode, theme: Theme) -> str:
    if _is_root(node):
        return ""
    return theme.paint(Role.FAINT, f"{theme.text(node.name, _NAME_SHOWN)} {theme.line} ")


def _shown(line: str, theme: Theme) -> str:
    line = line.expandtabs()
    # Whole, however long it is: it may be a result, and there is no other copy of it.
    safe = safe_colours(line) if theme.has_colours else safe_text(without_colours(line))
    return safe if theme.encoding is None else encodable(safe, theme.encoding)
