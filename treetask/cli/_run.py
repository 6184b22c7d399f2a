"""Runs a tree as a command: display and summary on standard error, and the exit code for whoever started it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from typing import TYPE_CHECKING, TextIO

from treetask._errors import DefinitionError, ResourceError, RunTimeoutError, TreeRunningError
from treetask.cli._descriptors import own_terminal, redirected
from treetask.cli._job import Job
from treetask.cli._options import Options
from treetask.cli._problem import CommandProblem, ExitCode, listed
from treetask.cli._recording import Recording, is_of_the_store
from treetask.cli._signals import ended_by_signals
from treetask.cli._stdin import Asked
from treetask.cli._streams import flush_results, say, width_of_errors
from treetask.cli._suspend import suspendable
from treetask.cli._whole_logs import WholeLogs
from treetask.display import CommandDisplay, make_display, original
from treetask.engine import AsyncExecutor, Interrupted, run_in_main
from treetask.model import TaskStatus, TreeCancelled, TreeFailed, leaf_exceptions
from treetask.text import safe_text

if TYPE_CHECKING:
    # Loaded where the events of a run are asked for.
    from treetask.cli._outlet import Outlet


def run_tree(job: Job, *, recording: Recording | None = None) -> int:
    """Run a tree to its end, whatever that is, and return the exit code. What records it is closed after it."""
    try:
        with own_terminal(None if sys.stderr is None else original(sys.stderr)) as terminal:
            if job.options.events is None and job.options.report is None and job.options.display != "json":
                return _run_to_end(job, _display(job, terminal, recording), recording, None)
            return _run_to_end_and_tell(job, terminal, recording)
    finally:
        if recording is not None:
            recording.close()


def _run_to_end_and_tell(job: Job, terminal: TextIO | None, recording: Recording | None) -> int:
    """Run a tree whose events are asked for."""
    from treetask.cli._outlet import Outlet
    from treetask.cli._report_file import ReportFile
    from treetask.display import HandingDisplay

    takes_errors = job.options.display == "json"
    number = None if recording is None else lambda: recording.run
    report = None if job.options.report is None else ReportFile(job.options.report)
    with Outlet(job.options.events, report, takes_errors=takes_errors, target=str(job.target), run=number) as outlet:
        shown = HandingDisplay(outlet.writer.message) if takes_errors else _display(job, terminal, recording)
        outlet.say_above = shown.print_message
        return _run_to_end(job, shown, recording, outlet)


def _display(job: Job, terminal: TextIO | None, recording: Recording | None) -> CommandDisplay:
    options = job.options
    number = None if recording is None else lambda: recording.run
    try:
        return make_display(options.display, job.tree.config, terminal, color=options.color, run=number)
    except ValueError as error:
        raise CommandProblem(str(error)) from error


def _run_to_end(job: Job, shown: CommandDisplay, recording: Recording | None, outlet: Outlet | None) -> int:
    tree = job.tree
    tell = say if outlet is None else outlet.say
    executor = AsyncExecutor(
        tree,
        on_update=shown.update,
        on_node_start=None if recording is None or not recording.counts_begun else recording.note_begun,
        store=None if recording is None else recording.recorder,
    )
    if outlet is not None:
        outlet.subscribe_to(executor)
    logs = WholeLogs(shown.print_message)
    if outlet is None or not outlet.takes_errors:
        tree.overflow = logs.add
    with (
        ended_by_signals(),
        shown,
        suspendable(shown),
        redirected(shown.paints_on, shown.taker()) as put_back,
        _typed(shown, executor, job.options),
    ):
        code, told = _outcome(executor, shown, partial(_leave, shown, put_back, outlet, logs))
    shown.conclude(tree)
    tree.overflow = None
    whole_logs = logs.close()
    if outlet is not None:
        outlet.say_above = None
    if tree.root.status is not TaskStatus.DONE and (outlet is None or not outlet.takes_errors):
        from treetask.display import failure_summary

        say(failure_summary(tree, width=width_of_errors(), theme=shown.theme, whole_logs=whole_logs))
    tell(told)
    if code == ExitCode.ALL_WELL and tree.selection is not None and tree.selection.unmet:
        words = listed(f"'{safe_text(text)}'" for text in tree.selection.unmet)
        tell([f"treetask: nothing that was spawned is selected by {words}"])
        code = ExitCode.ALL_WELL if tree.selection.has_met else ExitCode.NOTHING_SELECTED
    if recording is not None:
        tell([*recording.taken_over(), *recording.again(code, tree.root.status)])
    _wait_for_threads(executor, code, outlet)
    return code


def _typed(display: CommandDisplay, executor: AsyncExecutor, options: Options) -> AbstractContextManager[object]:
    """Return what takes care of what is typed while it is entered; nothing, where nobody types."""
    if not display.paints or not isinstance(sys.stdin, Asked):
        return nullcontext()
    from treetask.cli._keys import typed

    return typed(display, executor, sys.stdin, obeys_keys=not options.no_keys)


def _wait_for_threads(executor: AsyncExecutor, code: int, outlet: Outlet | None) -> None:
    """Name the bodies that were stopped and whose threads go on: the process ends after them, or at Ctrl-C."""
    names = [f"'{safe_text(node.id)}'" for node in executor.left_behind]
    if not names:
        return
    said = [f"treetask: waiting for {listed(names)}, since a thread cannot be stopped; Ctrl-C leaves at once"]
    try:
        if outlet is None:
            say(said)
        else:
            outlet.say(said)
            outlet.close()
        for thread in threading.enumerate():
            if thread is not threading.current_thread() and not thread.daemon:
                thread.join()
    except KeyboardInterrupt:
        flush_results()
        os._exit(code)


def _outcome(executor: AsyncExecutor, display: CommandDisplay, leave: Callable[[], None]) -> tuple[int, list[str]]:
    """Run to the end and say how it was: the exit code, and in lines what the tree does not show."""

    def tell(signals: int) -> None:
        display.leave_keys()  # what is typed from now on is meant for the shell
        running = executor.tree.get_work_node_stats()["working"]
        again = "hurry them" if signals == 1 else "leave at once"
        display.print_message(f"cancelling… {running:,} cleaning up; Ctrl-C again to {again}")

    try:
        run_in_main(executor, on_signal=tell, before_leaving=leave)
    except TreeFailed as failure:
        return _failed_by(failure)
    except (DefinitionError, TreeRunningError) as refused:
        # Nothing has started: a tree that was changed after it was built, or that has run already.
        raise CommandProblem(str(refused)) from refused
    except TreeCancelled as cancelled:
        return ExitCode.TASK_FAILED, [_sentence(cancelled)]
    except Interrupted as interrupted:
        return interrupted.exit_code, [_sentence(interrupted)]
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED, [_sentence("a task raised KeyboardInterrupt")]
    except SystemExit as left:
        return _left_with(left)
    except Exception as error:
        if not is_of_the_store(error):
            raise  # of the engine's own, to be reported with the traceback
        if executor.tree.root.status is TaskStatus.PENDING:
            raise CommandProblem(str(error)) from error  # nothing has started
        return ExitCode.TASK_FAILED, [_sentence(error)]
    except BaseException as error:  # noqa: BLE001 - of a kind of the user's own, which the summary shows
        return ExitCode.TASK_FAILED, [_sentence(f"a task raised {type(error).__name__}")]
    return ExitCode.ALL_WELL, []


def _leave(display: CommandDisplay, put_back: Callable[[], None], outlet: Outlet | None, logs: WholeLogs) -> None:
    """Lose nothing that was put out before, in the handler of the signal that ends the process."""
    for step in (put_back, display.leave, flush_results, None if outlet is None else outlet.flush, logs.drop):
        # It may have come in the midst of a write, which refuses another one; the process has to end all the same.
        with suppress(Exception):
            if step is not None:
                step()


def _failed_by(failure: TreeFailed) -> tuple[int, list[str]]:
    """Tell of the time that is up and of resources: every node may be done, what these raised stands in no row."""
    from treetask.text import exception_lines, frame_lines

    is_late = isinstance(failure.exceptions[0], RunTimeoutError)
    lines = [_sentence(failure.exceptions[0])] if is_late else []
    for each in failure.exceptions:
        if isinstance(each, ResourceError):
            lines.append(_sentence(each))
            leaves = [] if each.__cause__ is None else [*leaf_exceptions(each.__cause__)]
            for leaf in leaves:
                lines += [f"  {line}" for line in frame_lines(leaf)]
                if len(leaves) > 1:
                    lines += [f"  {line}" for line in exception_lines(leaf)]
    return ExitCode.RUN_TIMED_OUT if is_late else ExitCode.TASK_FAILED, lines


def _sentence(what: object) -> str:
    return f"treetask: {safe_text(str(what))}"


def _left_with(left: SystemExit) -> tuple[int, list[str]]:
    """Return what a body asked for by `sys.exit`, as Python understands it; but what is broken off is no success."""
    if left.code is None or isinstance(left.code, int):
        return left.code or ExitCode.TASK_FAILED, [] if left.code else [_sentence("a task left by sys.exit()")]
    return ExitCode.TASK_FAILED, [_sentence(left.code)]
