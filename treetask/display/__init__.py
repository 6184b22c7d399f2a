"""What a person sees: trees as text, the live region of a terminal, plain lines, what went wrong.

Reads trees and never changes them; knows no event loop.
"""

from treetask._errors import short_path
from treetask.display._live import LiveDisplay
from treetask.display._modes import PlainDisplay, QuietDisplay, make_display
from treetask.display._region import restore_terminal
from treetask.display._renderer import TreeRenderer
from treetask.display._safe_text import safe_text, without_colours
from treetask.display._summary import failure_summary
from treetask.display._theme import DEEPEST_PREFIX, theme_for
from treetask.display._traceback import exception_lines, frame_lines, is_raised_by_us, user_frames
from treetask.display._width import clip, display_width
from treetask.display._words import duration

__all__ = [
    "DEEPEST_PREFIX",
    "LiveDisplay",
    "PlainDisplay",
    "QuietDisplay",
    "TreeRenderer",
    "clip",
    "display_width",
    "duration",
    "exception_lines",
    "failure_summary",
    "frame_lines",
    "is_raised_by_us",
    "make_display",
    "restore_terminal",
    "safe_text",
    "short_path",
    "theme_for",
    "user_frames",
    "without_colours",
]
