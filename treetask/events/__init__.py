"""A run as a stream of lines: written while it lasts, read again, told as a whole, shown anew.

Knows neither screens nor pages; those are made of what is here.
"""

from treetask.events._form import encoded
from treetask.events._lines import (
    FORMAT_VERSION,
    EndLine,
    Fault,
    Frame,
    Line,
    LogLine,
    MessageLine,
    NodeLine,
    ProgressLine,
    RemovalLine,
    StartLine,
    StatusLine,
)
from treetask.events._reader import EventsError, lines_of, read_events
from treetask.events._replay import Replay
from treetask.events._sink import ByteStream, Sink
from treetask.events._story import Attempt, Story, StoryNode
from treetask.events._teller import story_of
from treetask.events._writer import EventWriter

__all__ = [
    "FORMAT_VERSION",
    "Attempt",
    "ByteStream",
    "EndLine",
    "EventWriter",
    "EventsError",
    "Fault",
    "Frame",
    "Line",
    "LogLine",
    "MessageLine",
    "NodeLine",
    "ProgressLine",
    "RemovalLine",
    "Replay",
    "Sink",
    "StartLine",
    "StatusLine",
    "Story",
    "StoryNode",
    "encoded",
    "lines_of",
    "read_events",
    "story_of",
]
