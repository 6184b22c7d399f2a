"""Where in the user's files something was declared, for messages. Knows nothing of what was declared there."""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass
from types import CodeType
from typing import Any, Final

from treetask._errors import short_path

_OUR_PACKAGE: Final = __name__.rpartition(".")[0]


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file, shown as `app.py:12`."""

    file: str
    line: int

    @classmethod
    def of(cls, function: object) -> Place:
        """Return where a function is defined, seen through decorators; the caller's line if it has no source."""
        inner: Any = inspect.unwrap(function) if callable(function) else function
        code = getattr(getattr(inner, "func", inner), "__code__", None)
        # A mock has whatever is asked for, and says that it is one.
        return cls(code.co_filename, code.co_firstlineno) if type(code) is CodeType else cls.of_caller()

    @classmethod
    def of_caller(cls) -> Place:
        """Return the line that called into this package."""
        frame = sys._getframe(1)
        while frame.f_back is not None and str(frame.f_globals.get("__name__")).startswith(_OUR_PACKAGE):
            frame = frame.f_back
        return cls(frame.f_code.co_filename, frame.f_lineno)

    def __str__(self) -> str:
        return f"{short_path(self.file)}:{self.line}"
