"""`replay`: a run that was, shown again on the displays that it had, at its own pace or another.

Nothing runs. The lines of the run, from its file or from the store, move a tree as the run did; this module only waits
until it is time for the next one.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Final, TextIO

from treetask import _clock
from treetask.cli._on_record import lines_of_file, looking_for_run, store_with_runs
from treetask.cli._options import Options
from treetask.cli._place import StorePlace
from treetask.cli._problem import CommandProblem, ExitCode
from treetask.cli._signals import ended_by_signals
from treetask.cli._streams import say, width_of_errors
from treetask.cli._suspend import suspendable
from treetask.display import CommandDisplay, HandingDisplay, failure_summary, make_display, original
from treetask.events import EndLine, Line, LogLine, MessageLine, Replay, StartLine
from treetask.model import TaskStatus, TreeTaskConfig
from treetask.text import safe_text

#: Seconds between two looks at the clock while nothing happens: times on the screen go on.
_BEAT: Final = 0.1


def replay(options: Options, place: StorePlace) -> int:
    """Show a run again, by default the newest on record; return the exit code of that, not of the run."""
    with looking_for_run(options):
        return _Player(options).play(_lines(options, place))


def _lines(options: Options, place: StorePlace) -> Iterator[Line]:
    if options.source is not None:
        return lines_of_file(options.source, "replay")
    from treetask.store import run_lines

    with store_with_runs(place) as store, store.reading() as connection:
        return iter(list(run_lines(connection, options.run)))


class _Pace:
    """The clock of a replay: seconds since the run began, which go by as fast as they are told to; None is at once."""

    def __init__(self, speed: float | None) -> None:
        self._speed: Final = speed
        self._began: float | None = None
        self._at = 0.0

    def now(self) -> float:
        """Return the time in the run."""
        if self._speed is None or self._began is None:
            return self._at
        return (_clock.monotonic() - self._began) * self._speed

    def goes_on_to(self, at: float) -> bool:
        """Go on towards a time in the run, for a moment; return whether it has come."""
        if self._speed is None:
            self._at = max(self._at, at)
            return True
        if self._began is None:
            self._began = _clock.monotonic()
        left = (at - self.now()) / self._speed
        if left > 0:
            time.sleep(min(left, _BEAT))
        return left <= _BEAT


class _Player:
    """Shows one run again."""

    def __init__(self, options: Options) -> None:
        self._options: Final = options
        self._pace: Final = _Pace(options.speed or None)
        self._replay: Final = Replay(self._pace.now)
        self._start: StartLine | None = None
        self._has_ended = False
        #: What was said when all was over: the tree comes first here as well.
        self._last_words: list[str] = []

    def play(self, lines: Iterator[Line]) -> int:
        """Show what some lines tell, to their end; return the exit code."""
        first = next(lines)
        assert isinstance(first, StartLine)
        self._start = first
        self._replay.hear(first)
        if self._options.display == "json":
            return self._play_as_json(first, lines)
        shown = self._display(first.run)
        shown.follow(self._pace.now, lambda: first.wall + self._pace.now())
        code = ExitCode.ALL_WELL
        # A display of lines paints nothing that would have to go on by itself.
        with ended_by_signals(), shown if shown.paints else nullcontext(), suspendable(shown):
            try:
                self._go_through(lines, shown)
            except KeyboardInterrupt:
                code = ExitCode.INTERRUPTED
        self._conclude(shown, code)
        return code

    def _display(self, run: int | None) -> CommandDisplay:
        options = self._options
        try:
            return make_display(options.display, TreeTaskConfig(), _errors(), color=options.color, run=lambda: run)
        except ValueError as error:
            raise CommandProblem(str(error)) from error

    def _go_through(self, lines: Iterator[Line], shown: CommandDisplay) -> None:
        for line in lines:
            self._wait_for(line, shown)
            self._let_happen(line, shown)
            self._update(shown)

    def _wait_for(self, line: Line, shown: CommandDisplay) -> None:
        if line.at > self._pace.now() + _BEAT:
            # What has happened until now is told before the time goes on, as it was then.
            self._update(shown, force=not shown.paints)
        while not self._pace.goes_on_to(line.at):
            self._update(shown)

    def _update(self, shown: CommandDisplay, *, force: bool = False) -> None:
        tree = self._replay.tree
        if tree is not None and tree.root.status is not TaskStatus.PENDING:
            shown.update(tree, force=force)

    def _let_happen(self, line: Line, shown: CommandDisplay) -> None:
        if isinstance(line, MessageLine) and self._is_over():
            self._last_words += line.lines
        elif isinstance(line, MessageLine) or (isinstance(line, LogLine) and line.node is None):
            shown.print_message("\n".join(line.lines))
        else:
            self._replay.hear(line)
            self._has_ended = self._has_ended or isinstance(line, EndLine)

    def _is_over(self) -> bool:
        tree = self._replay.tree
        return tree is not None and tree.root.is_done()

    def _conclude(self, shown: CommandDisplay, code: int) -> None:
        """Leave behind what a run leaves, and say that this was none."""
        tree = self._replay.tree
        if tree is not None:
            shown.conclude(tree)
            if tree.root.status is not TaskStatus.DONE:
                say(failure_summary(tree, width=width_of_errors(), theme=shown.theme))
        say(safe_text(line) for line in self._last_words)
        self._say_what_it_was(code)

    def _say_what_it_was(self, code: int) -> None:
        which = self._title()
        if code == ExitCode.INTERRUPTED:
            say([f"treetask: the replay of {which} was interrupted; nothing has run"])
        elif self._has_ended:
            say([f"treetask: this was a replay of {which}; nothing has run"])
        else:
            say([f"treetask: this was a replay of {which}, of whose end nothing is known; nothing has run"])

    def _title(self) -> str:
        if self._options.source is not None:
            return safe_text(self._options.source)
        start = self._start
        assert start is not None
        return safe_text(f"run {start.run} of {start.target or start.name}")

    def _play_as_json(self, first: StartLine, lines: Iterator[Line]) -> int:
        """Write the lines again, each at its time; they are all that there is on standard error."""
        from treetask.cli._outlet import Outlet

        shown = HandingDisplay(lambda _: None)
        with ended_by_signals(), Outlet(None, takes_errors=True) as outlet:
            outlet.put_line(first)
            try:
                for line in lines:
                    self._wait_for(line, shown)
                    self._let_happen(line, shown)  # refuses what does not fit, as everywhere
                    outlet.put_line(line)
            except KeyboardInterrupt:
                return ExitCode.INTERRUPTED
        return ExitCode.ALL_WELL


def _errors() -> TextIO | None:
    return None if sys.stderr is None else original(sys.stderr)
