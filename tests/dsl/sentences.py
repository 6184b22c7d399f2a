"""What the tests of declarations say messages with."""

from __future__ import annotations

import re

from treetask.dsl._place import Place


def at(function: object) -> str:
    """Where a function stands, or that of a handle, as messages say it."""
    return str(Place.of(function))


def exactly(message: str) -> str:
    """A pattern for a whole message."""
    return f"^{re.escape(message)}$"
