"""What a person sees: trees as text, the live region of a terminal, plain lines, what went wrong.

Reads trees and never changes them; knows no event loop.

Every name is loaded when it is first used: a run begins before there is anything to see.
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from treetask._on_use import loaded_on_use as _loaded_on_use

if _TYPE_CHECKING:
    from treetask.display._command import CommandDisplay
    from treetask.display._handing import HandingDisplay
    from treetask.display._live import LiveDisplay
    from treetask.display._messages import message_lines
    from treetask.display._modes import make_display
    from treetask.display._prints import original, printed_by_nodes, shown_instead
    from treetask.display._renderer import TreeRenderer
    from treetask.display._restore import restore_terminal
    from treetask.display._summary import failure_summary
    from treetask.display._theme import DEEPEST_PREFIX, encodable, theme_for
else:
    __getattr__ = _loaded_on_use(
        __name__,
        {
            "_prints": "original printed_by_nodes shown_instead",
            "_command": "CommandDisplay",
            "_handing": "HandingDisplay",
            "_live": "LiveDisplay",
            "_messages": "message_lines",
            "_modes": "make_display",
            "_renderer": "TreeRenderer",
            "_restore": "restore_terminal",
            "_summary": "failure_summary",
            "_theme": "DEEPEST_PREFIX encodable theme_for",
        },
    )


__all__ = [
    "DEEPEST_PREFIX",
    "CommandDisplay",
    "HandingDisplay",
    "LiveDisplay",
    "TreeRenderer",
    "encodable",
    "failure_summary",
    "make_display",
    "message_lines",
    "original",
    "printed_by_nodes",
    "restore_terminal",
    "shown_instead",
    "theme_for",
]
