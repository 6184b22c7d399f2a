"""The face of a display in GitHub Actions: the plain lines, folded where all went well, and what it shows elsewhere.

A part of the whole is told in one piece when it is done, as a group that is closed. A part in which something fails is
told as it happens from then on, since nobody opens a group to look for a failure. At the end come annotations, which
GitHub shows beside the lines of code, and the summary of the step.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from treetask import _clock
from treetask.display._failures import Failure, distinct_failures, failed_nodes
from treetask.display._plain import PlainLog
from treetask.display._step_summary import step_summary
from treetask.display._summary import node_path
from treetask.display._terminal import Terminal
from treetask.display._theme import Theme
from treetask.display._workflow import command, group, quoted
from treetask.model import FAILURES, TaskNode, TaskStatus, TaskTree
from treetask.text import user_frames, without_colours

#: GitHub shows this many errors of a step and drops the others.
_ANNOTATIONS: Final = 10
#: Characters of an annotation, which is a box beside a line of code.
_ANNOTATION_SHOWN: Final = 2_000


class GitHubLog(PlainLog):
    """The face of a command's display in a job of GitHub Actions."""

    def __init__(
        self,
        terminal: Terminal,
        theme: Theme,
        run: Callable[[], int | None] | None = None,
        wall: Callable[[], float] = _clock.wall,
    ) -> None:
        super().__init__(terminal, theme, run, wall)
        #: What is still to be told of each part of the whole that runs; None of one that is told as it happens.
        self._parts: dict[TaskNode, list[str] | None] = {}

    def _put(self, node: TaskNode | None, lines: list[str]) -> None:
        part = None if node is None else _part_of(node)
        if node is None or part is None:
            super()._put(node, lines)
            return
        held = self._parts.setdefault(part, [])
        if held is None:
            super()._put(node, lines)
        elif node is part:
            self._put_part(part, held, lines)
        elif node.status in FAILURES:
            self._parts[part] = None
            super()._put(node, [*held, *lines])
        else:
            held += lines

    def _put_part(self, part: TaskNode, held: list[str], lines: list[str]) -> None:
        """Put down what is said of a part itself; at its end with all that was held back."""
        if not part.status.is_terminal:
            super()._put(part, lines)
            return
        self._parts[part] = None
        if part.status is TaskStatus.DONE and held:
            self._lines.extend(group(without_colours(lines[0]), quoted(held)))
        else:
            super()._put(part, [*held, *lines])

    def _last_news(self, tree: TaskTree) -> None:
        super()._last_news(tree)
        for part, held in self._parts.items():
            if held:
                super()._put(part, held)
        self._parts.clear()

    def conclude(self, tree: TaskTree, max_depth: int | None) -> None:
        """Write what was still to be said, the annotations, and the summary of the step."""
        self._last_news(tree)
        failures = distinct_failures(failed_nodes(tree))
        self._lines.extend(error_commands(failures, os.environ.get("GITHUB_WORKSPACE", "")))
        file = os.environ.get("GITHUB_STEP_SUMMARY")
        if file:
            self._summarize(tree, failures, file)
        self._write_out()

    def _summarize(self, tree: TaskTree, failures: list[Failure], file: str) -> None:
        """Append to the file that GitHub shows below the job, and may hold what other commands of the step wrote."""
        try:
            with Path(file).open("a", encoding="utf-8", newline="\n") as stream:
                stream.write(step_summary(tree, failures, written=stream.tell()))
        except OSError as error:
            said = f"the summary of the step cannot be written: {error.strerror or error}"
            self._lines.append(self._line(said))


def error_commands(failures: list[Failure], workspace: str) -> list[str]:
    """Return the commands that show failures beside the code, those of the user's own files in the workspace."""
    return [_annotation(failure, workspace) for failure in failures[:_ANNOTATIONS]]


def _annotation(failure: Failure, workspace: str) -> str:
    said = failure.words()
    frames = [] if failure.exception is None else user_frames(failure.exception)
    if failure.again:
        said.append(f"the same in {len(failure.again):,} more")
    text = "\n".join(said)
    file, line = None, None
    if frames:
        file = _in_workspace(frames[-1].file, workspace)
        line = None if file is None else frames[-1].line
    if len(text) > _ANNOTATION_SHOWN:
        text = text[: _ANNOTATION_SHOWN - 1] + "…"
    return command("error", text, file=file, line=line, title=node_path(failure.node))


def _in_workspace(file: str, workspace: str) -> str | None:
    """Return the path of a file as the repository has it; None for one that is somewhere else."""
    if not workspace:
        return None
    try:
        return Path(file).resolve().relative_to(Path(workspace).resolve()).as_posix()
    except (OSError, ValueError):
        return None


def _part_of(node: TaskNode) -> TaskNode | None:
    """Return the child of the root that a node is, or is below; None for the root."""
    parent = node.parent
    if parent is None:
        return None
    while parent.parent is not None:
        node, parent = parent, parent.parent
    return node
