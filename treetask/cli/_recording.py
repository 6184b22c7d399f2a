"""The record of the run that a command drives: what it is told to go on with, and what is said of it at the end."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from treetask.cli._place import StorePlace
from treetask.cli._problem import ExitCode, listed
from treetask.cli._values import option_for
from treetask.model import TaskNode, TaskStatus
from treetask.text import safe_text

if TYPE_CHECKING:
    from treetask.store import NewRun, ResumedRun, Store

#: How what has ended so is run again.
_AGAIN: Final = {TaskStatus.FAILED: ("rerun", "--failed"), TaskStatus.DONE: ("rerun",)}


class Recording:
    """Records one run in a store, which is closed after it."""

    def __init__(
        self,
        store: Store,
        recorder: NewRun | ResumedRun,
        place: StorePlace,
        *,
        left_out: Sequence[str] = (),
        beginning: str | None = None,
    ) -> None:
        self.recorder: Final = recorder
        self._store: Final = store
        self._place: Final = place
        self._left_out: Final = tuple(left_out)
        #: For a run that takes over what was done: how its last line begins, and how many tasks were done.
        self._beginning: Final = beginning
        self._begun = 0

    @property
    def run(self) -> int | None:
        """The number of the run; None if it did not even begin."""
        return None if self.recorder.journal is None else self.recorder.journal.run

    @property
    def counts_begun(self) -> bool:
        """Whether it has to be told which bodies begin."""
        return self._beginning is not None

    def note_begun(self, node: TaskNode) -> None:
        """Count a node whose body begins."""
        self._begun += node.task_fn is not None

    def close(self) -> None:
        """Let the store go."""
        self._store.close()

    def taken_over(self) -> list[str]:
        """Return what is to be known of a run that took over what had been done."""
        if self._beginning is None or self.recorder.journal is None:
            return []
        lines = [f"treetask: {self._beginning}, {self._begun:,} {'has' if self._begun == 1 else 'have'} run now"]
        past = self.recorder.journal.past
        changed = [] if past is None else [safe_text(name) for name in past.changed]
        if changed:
            lines.append(
                f"treetask: changed since, while {'its result was' if len(changed) == 1 else 'their results were'}"
                f" kept: {listed(changed)}; for new results change version=, or: {self._command('rerun')}"
            )
        return lines

    def again(self, code: int, root: TaskStatus) -> list[str]:
        """Return the command that goes on after an end that was not well."""
        if self.run is None or code in {ExitCode.ALL_WELL, ExitCode.NOTHING_SELECTED}:
            return []
        # All may be done where a resource has failed; what was stopped in the middle goes on as the run that it is.
        words = _AGAIN.get(root, ("resume",)) if code == ExitCode.TASK_FAILED else ("resume",)
        return [f"again: {self._command(*words)}"]

    def _command(self, *words: str) -> str:
        asked = "".join(f" {option_for(name, '…')}" for name in self._left_out)
        return safe_text(f"treetask {typed([*words, str(self.run), *self._place.words])}{asked}")


def typed(words: Sequence[str]) -> str:
    """Return words as one would type them."""
    if sys.platform == "win32":
        from subprocess import list2cmdline

        return list2cmdline(words)
    from shlex import join

    return join(words)


def is_of_the_store(error: Exception) -> bool:
    """Whether a store has failed; where none was loaded, none has."""
    store = sys.modules.get("treetask.store")
    return store is not None and isinstance(error, store.StoreError)
