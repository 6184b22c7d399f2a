"""Text for people: what others wrote made safe, its width on a screen, where an exception came from, times and counts.

Knows neither trees nor where text goes.
"""

from treetask.text._quantities import duration, estimate, number, percent
from treetask.text._safe_text import safe_text, without_colours
from treetask.text._traceback import SourceFrame, exception_lines, frame_lines, is_raised_by_us, user_frames
from treetask.text._width import clip, display_width

__all__ = [
    "SourceFrame",
    "clip",
    "display_width",
    "duration",
    "estimate",
    "exception_lines",
    "frame_lines",
    "is_raised_by_us",
    "number",
    "percent",
    "safe_text",
    "user_frames",
    "without_colours",
]
