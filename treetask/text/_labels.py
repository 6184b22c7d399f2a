"""Text inside the quotes of diagrams: whatever it holds, it stays one label on one line. Knows no graphs."""

from __future__ import annotations

import re
from typing import Final

from treetask.text._safe_text import safe_text

#: What means nothing to Mermaid inside a quoted label, wherever it stands; all else is written by its number.
_NOT_PLAIN: Final = re.compile(r"[^\w ./,:=()\[\]…-]")


def mermaid_label(text: str) -> str:
    """Return a text as Mermaid takes it between double quotes."""
    return _NOT_PLAIN.sub(lambda match: f"#{ord(match[0])};", safe_text(text))


def dot_label(text: str) -> str:
    """Return a text as Graphviz takes it between double quotes."""
    return safe_text(text).replace("\\", "\\\\").replace('"', '\\"')
