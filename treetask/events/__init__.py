"""A run as a stream of lines: written while it lasts, read again, told as a whole, shown anew.

Knows neither screens nor pages; those are made of what is here.
"""

from treetask.events._lines import (
    FORMAT_VERSION,
    EndLine,
    Fault,
    Frame,
    Line,
    LogLine,
    NodeLine,
    ProgressLine,
    RemovalLine,
    StartLine,
    StatusLine,
)
from treetask.events._story import Attempt, Story, StoryNode

__all__ = [
    "FORMAT_VERSION",
    "Attempt",
    "EndLine",
    "Fault",
    "Frame",
    "Line",
    "LogLine",
    "NodeLine",
    "ProgressLine",
    "RemovalLine",
    "StartLine",
    "StatusLine",
    "Story",
    "StoryNode",
]
