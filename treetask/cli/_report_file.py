"""The file of a report: whether it can be written, before anything is done for it, and the page of a run in it.

Loaded only where a report is asked for.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from treetask._errors import TreeTaskError
from treetask.cli._problem import CommandProblem, said_by
from treetask.events import Story, lines_of, story_of
from treetask.text import safe_text


class ReportFile:
    """What `--report` names: keeps the lines of a run, and has a page made of them when that is over.

    Raises `CommandProblem` for a file that cannot be written; until the page is there, nothing is.
    """

    def __init__(self, file: str) -> None:
        try:
            refuse_unwritable(file)
        except OSError as error:
            raise CommandProblem(f"--report: '{file}' cannot be written: {said_by(error)}") from error
        self._file: Final = file
        self._lines: Final[list[bytes]] = []

    def put(self, line: bytes) -> None:
        """Keep a line. From any thread."""
        self._lines.append(line)

    def write(self) -> list[str]:
        """Write the page of what was kept, and return what is to be said of that; nothing where no run has begun.

        Raises `CommandProblem` where it cannot be written any more.
        """
        if not self._lines:
            return []
        try:
            write_page(self._file, story_of(lines_of(self._lines, self._file)))
        except (OSError, TreeTaskError) as error:
            raise CommandProblem(f"{self._file}: the report cannot be written: {said_by(error)}") from error
        return [f"treetask: report written to {safe_text(self._file)}"]


def write_page(file: str, story: Story) -> None:
    """Write the page of a run to a file. Raises `OSError`."""
    from treetask.report import html_page

    Path(file).write_text(html_page(story), encoding="utf-8", newline="\n")


def refuse_unwritable(file: str) -> None:
    """Raise `OSError` for a file that cannot be written, and leave all as it was."""
    path = Path(file)
    if path.is_fifo():
        return  # to open it takes its reader, for whom this would be all
    is_new = not os.path.lexists(path)
    try:
        with path.open("ab"):
            pass
    except ValueError as error:
        raise OSError(0, str(error)) from error  # a NUL in the name
    if is_new:
        path.unlink()
