"""Text for people: what others wrote made safe, its width on a screen, where an exception came from, times and counts.

Knows neither trees nor where text goes.

Every name is loaded when it is first used: what explains failures is of no use before there are any.
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from treetask._on_use import loaded_on_use as _loaded_on_use

if _TYPE_CHECKING:
    from treetask.text._colours import safe_colours
    from treetask.text._labels import dot_label, mermaid_label
    from treetask.text._quantities import duration, estimate, number, percent
    from treetask.text._retold import Retold, retold
    from treetask.text._safe_text import safe_json, safe_text, without_colours
    from treetask.text._traceback import (
        SourceFrame,
        exception_lines,
        frame_lines,
        is_raised_by_us,
        user_frames,
        user_places,
    )
    from treetask.text._width import clip, display_width
else:
    __getattr__ = _loaded_on_use(
        __name__,
        {
            "_colours": "safe_colours",
            "_labels": "dot_label mermaid_label",
            "_retold": "Retold retold",
            "_quantities": "duration estimate number percent",
            "_safe_text": "safe_json safe_text without_colours",
            "_traceback": "SourceFrame exception_lines frame_lines is_raised_by_us user_frames user_places",
            "_width": "clip display_width",
        },
    )

__all__ = [
    "Retold",
    "SourceFrame",
    "clip",
    "display_width",
    "dot_label",
    "duration",
    "estimate",
    "exception_lines",
    "frame_lines",
    "is_raised_by_us",
    "mermaid_label",
    "number",
    "percent",
    "retold",
    "safe_colours",
    "safe_json",
    "safe_text",
    "user_frames",
    "user_places",
    "without_colours",
]
