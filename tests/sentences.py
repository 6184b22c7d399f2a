"""Whole messages as patterns for `pytest.raises(..., match=...)`."""

from __future__ import annotations

import re


def exactly(message: str) -> str:
    """A pattern that matches this message and nothing before or after it."""
    return rf"\A{re.escape(message)}\Z"
