"""What a person sees: trees as text, the live region of a terminal, plain lines, what went wrong.

Reads trees and never changes them; knows no event loop.
"""

from treetask._errors import short_path
from treetask.display._live import LiveDisplay
from treetask.display._modes import PlainDisplay, QuietDisplay, make_display
from treetask.display._region import restore_terminal
from treetask.display._renderer import TreeRenderer
from treetask.display._summary import failure_summary
from treetask.display._theme import DEEPEST_PREFIX, theme_for

__all__ = [
    "DEEPEST_PREFIX",
    "LiveDisplay",
    "PlainDisplay",
    "QuietDisplay",
    "TreeRenderer",
    "failure_summary",
    "make_display",
    "restore_terminal",
    "short_path",
    "theme_for",
]
