"""The whole logs of tasks that put out more than is kept in memory: files, while somebody may want to read them.

A file gets what makes room in a log, some 64 KB at a time, and is closed in between, so that any number of tasks may
put out any amount. Those of tasks that have failed stay when the run is over, and are named with the failure.

Knows nodes and files.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from treetask.cli._problem import said_by
from treetask.model import FAILURES, TaskNode
from treetask.text import safe_text

#: What stands in the name of a file as it is, and how much of it.
_STRANGE: Final = r"[^\w.-]+"
_NAME_LENGTH: Final = 40


@dataclass(slots=True)
class _File:
    path: str
    lines: int = 0


class WholeLogs:
    """The files of one run, in a folder that is made when the first of them is needed, for this user's eyes only.

    What cannot be written is told once by `tell`; the log of that task is cut, as if there were no files.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell: Final = tell
        self._has_told = False
        self._folder: str | None = None
        self._files: Final[dict[TaskNode, _File]] = {}
        #: Tasks whose file could not be written.
        self._given_up: Final[set[TaskNode]] = set()

    def add(self, node: TaskNode, lines: bytes) -> None:
        """Add lines to the file of a node."""
        if node in self._given_up:
            return
        try:
            file = self._files.get(node)
            if file is None:
                file = self._files[node] = _File(self._new_path(node))
            # Not to be followed to where somebody else has put a link: the folder is ours alone.
            with open(file.path, "ab") as stream:  # noqa: PTH123 - quicker
                stream.write(lines)
            file.lines += lines.count(b"\n")
        except OSError as error:
            self._give_up(node, error)

    def close(self) -> dict[TaskNode, str]:
        """Keep the files of nodes that have failed and delete all others; return what to say of those that stay."""
        kept: dict[TaskNode, str] = {}
        for node in list(self._files):
            if node.status in FAILURES:
                self.add(node, node.kept_log())
        for node, file in self._files.items():
            if node.status in FAILURES:
                kept[node] = f"all {file.lines:,} lines: {safe_text(file.path)}"
            else:
                _delete(file.path)
        self._files.clear()
        self._leave_folder()
        return kept

    def drop(self) -> None:
        """Delete all files: for who leaves before the end."""
        for file in list(self._files.values()):
            _delete(file.path)
        self._leave_folder()

    def _new_path(self, node: TaskNode) -> str:
        if self._folder is None:
            import tempfile

            self._folder = tempfile.mkdtemp(prefix="treetask-")
        name = re.sub(_STRANGE, "-", node.name, flags=re.ASCII).strip("-.")[:_NAME_LENGTH]
        return os.path.join(self._folder, f"{len(self._files) + 1}-{name}.log")  # noqa: PTH118 - quicker

    def _give_up(self, node: TaskNode, error: OSError) -> None:
        self._given_up.add(node)
        file = self._files.pop(node, None)
        if file is not None:
            _delete(file.path)
        if not self._has_told:
            self._has_told = True
            why = said_by(error)
            self._tell(f"treetask: the whole log of '{node.id}' cannot be kept in a file: {why}; the run goes on")

    def _leave_folder(self) -> None:
        if self._folder is not None:
            with suppress(OSError):  # what was kept is in there
                os.rmdir(self._folder)  # noqa: PTH106


def _delete(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)  # noqa: PTH108
