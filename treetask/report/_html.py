"""A run as a page for a browser: one file that asks the network for nothing and obeys nothing that a run has said.

The page is `page/page.html` with the style and the script beside it; the policy in its head allows these two, by their
hashes, and nothing else. What the run has said stands in an element that is never run, and the script makes text of it.
"""

from __future__ import annotations

import base64
import hashlib
import html
from importlib.resources import files
from typing import Final

from treetask.events import Story
from treetask.report._payload import payload
from treetask.text import safe_text

#: In the order in which they build on each other.
_SCRIPTS: Final = ("story.js", "element.js", "tree.js", "timeline.js", "panel.js", "sections.js", "main.js")


def html_page(story: Story) -> str:
    """Return the whole page. It is to be written as UTF-8."""
    style = _part("page.css")
    # One block, so that nothing of it is global.
    script = '"use strict";\n{\n' + "\n".join(map(_part, _SCRIPTS)) + "}\n"
    parts = {
        "policy": (
            f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
            "base-uri 'none'; form-action 'none'"
        ),
        "title": html.escape(safe_text(story.name)),
        "style": style,
        "script": script,
        "story": payload(story),
    }
    # Split, not replaced one after the other: a name may look like the mark of a part.
    pieces = _part("page.html").split("%%")
    return "".join(parts[piece] if place % 2 else piece for place, piece in enumerate(pieces))


def _part(name: str) -> str:
    return (files("treetask.report") / "page" / name).read_text(encoding="utf-8").replace("\r\n", "\n")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
