"""The run's side of a journal: hands it the ends of nodes, and the scheduler its answers, in turns of the event loop.

The scheduler decides that a node has ended, and holds that back until the journal has it on record
(`Endings._on_record`). Answers come in batches from the journal's own thread, each by one wake-up of the loop. Where
bodies end faster than that, no further ones begin for a while. A journal that fails ends the run with its error: what
was on record is kept, and what was not never counts as done.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio.to_thread

from treetask.engine._threads import busy_threads
from treetask.engine._uninterrupted import uninterrupted

if TYPE_CHECKING:
    from treetask.abc import Journal
    from treetask.engine._scheduler import Scheduler
    from treetask.model import TaskNode, TaskStatus

#: So many answers are passed on before others get their turn; they take a few milliseconds.
_ANSWERS_AT_ONCE: Final = 1000


class Recording:
    """What is being recorded of one run."""

    def __init__(
        self,
        journal: Journal,
        scheduler: Scheduler,
        *,
        now: Callable[[], float],
        post: Callable[[Callable[[], None]], None],
        advance: Callable[[], None],
        raise_at_end: Callable[[BaseException], None],
    ) -> None:
        self._journal: Final = journal
        self._scheduler: Final = scheduler
        self._now: Final = now
        self._post: Final = post
        self._advance: Final = advance
        self._raise_at_end: Final = raise_at_end
        #: A virtual clock stands still while ends are being written.
        self._busy: Final = busy_threads()
        self._asked = 0
        self._answers: Final[deque[TaskNode]] = deque()
        self._has_failed = False
        self.adopt: Final = journal.adopt
        scheduler.record = self._record

    def begin(self) -> None:
        self._journal.begin(
            self._now,
            on_recorded=lambda nodes: self._post(partial(self._take, nodes)),
            on_failed=lambda error: self._post(partial(self._fail, error)),
        )

    async def recall(self, node: TaskNode) -> tuple[bool, object]:
        """Return whether the result of a node is kept already, and that result."""
        return await anyio.to_thread.run_sync(self._journal.recall, node)

    def _record(self, node: TaskNode, status: TaskStatus, at: float) -> None:
        if not self._asked:
            self._busy.add(1)
        self._asked += 1
        self._journal.record(node, status, at)
        if self._journal.is_full:
            self._scheduler.hold_back(is_behind=True)  # until an answer comes

    def _take(self, nodes: Sequence[TaskNode]) -> None:
        """Ends are on record."""
        self._answers.extend(nodes)
        if len(self._answers) == len(nodes):  # else a turn is asked for already
            self._pass_on()

    def _pass_on(self) -> None:
        if self._has_failed:
            return
        answers = self._answers
        nodes = [answers.popleft() for _ in range(min(len(answers), _ANSWERS_AT_ONCE))]
        if answers:
            self._post(self._pass_on)
        self._settled(len(nodes))
        # What fills it may need no answer, as what is skipped or comes back. Then nobody would let bodies begin again;
        # they do now, and the next one that ends holds the others back.
        self._scheduler.recorded(nodes, self._now())
        self._scheduler.hold_back(is_behind=self._asked > 0 and self._journal.is_full)
        self._advance()

    def _fail(self, error: BaseException) -> None:
        """Nothing more will be on record: the run ends, and what ends from now on has not been done."""
        self._has_failed = True
        self._settled(self._asked)
        answered = [*self._answers]
        self._answers.clear()
        self._scheduler.recorded(answered, self._now())
        self._scheduler.recording_failed(f"not on record: {error}", self._now())
        self._raise_at_end(error)
        self._advance()

    def _settled(self, number: int) -> None:
        if self._asked:
            self._asked -= number
            if not self._asked:
                self._busy.add(-1)

    async def close(self) -> BaseException | None:
        """Wait until all is on record; return what has interrupted that. Raises what writing the rest has raised."""
        self._settled(self._asked)  # what a run that broke down has not been told
        return (await uninterrupted(self._journal.close))[1]
