"""What the command line refuses, and how it says so."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Final

from treetask._errors import TreeTaskError
from treetask.text import safe_text

#: More names than this only bury the one that was meant.
NAMES_SHOWN: Final = 8


class ExitCode(IntEnum):
    """How a command ended, as its caller sees it; a signal adds its own code, 128 and its number."""

    ALL_WELL = 0
    TASK_FAILED = 1
    """A task failed that nobody handled, or the run was cancelled from inside."""
    MISUSE = 2
    """A wrong command or a pipeline that cannot run; nothing was started."""
    NOTHING_SELECTED = 5
    """The selectors left nothing to run; pytest says the same."""
    RUN_TIMED_OUT = 124
    """The run as a whole took longer than `--timeout` or the config allow; `timeout(1)` says the same."""
    INTERRUPTED = 130
    """Ctrl-C."""


class CommandProblem(TreeTaskError):
    """A command that cannot be obeyed: one sentence, more lines where they help, and the exit code."""

    def __init__(self, sentence: str, details: Iterable[str] = (), *, exit_code: int = ExitCode.MISUSE) -> None:
        super().__init__(sentence)
        self.details: Final = tuple(details)
        self.exit_code: Final = exit_code

    def lines(self) -> list[str]:
        """Return what a person reads: the sentence, the rest indented below it. Hostile text is made visible."""
        first, *more = str(self).splitlines() or [""]
        below = [*more, *self.details]
        return [f"treetask: {safe_text(first)}", *(f"  {safe_text(line)}" if line else "" for line in below)]


def said_by(error: Exception) -> str:
    """Return what an error says; of the system's own only the words, since who tells it names the file."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def closest(word: str, known: Iterable[str]) -> str | None:
    """Return the known name that was most likely meant, or None. Case does not matter."""
    from difflib import get_close_matches

    by_folded = {name.casefold(): name for name in reversed(list(known))}
    close = get_close_matches(word.casefold(), by_folded, n=1)
    return by_folded[close[0]] if close else None


def suggestion(word: str, known: Iterable[str], *, prefix: str = "", suffix: str = "") -> str:
    """Return the end of a sentence that offers the closest name, or nothing where none is close."""
    close = closest(word, known)
    return f"; did you mean '{prefix}{close}{suffix}'?" if close is not None else ""


def listed(names: Iterable[str]) -> str:
    """Return names in a row, the first ones where there are many."""
    every = list(names)
    row = ", ".join(every[:NAMES_SHOWN])
    return row if len(every) <= NAMES_SHOWN else f"{row}, … {len(every) - NAMES_SHOWN} more"
