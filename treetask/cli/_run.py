"""Runs a tree as a command: display and summary on standard error, and the exit code for whoever started it."""

from __future__ import annotations

import os
import sys
import threading

from treetask._errors import DefinitionError, ResourceError, RunTimeoutError, TreeRunningError
from treetask.cli._problem import CommandProblem, ExitCode, listed
from treetask.cli._relay import original, printed_above
from treetask.cli._streams import flush_results, say, width_of_errors
from treetask.cli._suspend import suspendable
from treetask.display import LiveDisplay, failure_summary, make_display, restore_terminal, safe_text
from treetask.engine import AsyncExecutor, Interrupted, run_in_main
from treetask.model import TaskStatus, TaskTree, TreeCancelled, TreeFailed


def run_tree(tree: TaskTree, *, display: str) -> int:
    """Run a tree to its end, whatever that is, and return the exit code."""
    try:
        shown = make_display(display, tree.config, original(sys.stderr))
    except ValueError as error:
        raise CommandProblem(str(error)) from error
    executor = AsyncExecutor(tree, on_update=shown.update)
    with shown, suspendable(shown), printed_above(shown.print_message, shown.paints_on):
        code, sentence = _outcome(executor, shown)
    shown.conclude(tree)
    if tree.root.status is not TaskStatus.DONE:
        say(failure_summary(tree, width=width_of_errors()))
    if sentence is not None:
        say([f"treetask: {safe_text(sentence)}"])
    if code == ExitCode.ALL_WELL and tree.selection is not None and tree.selection.unmet:
        words = listed(f"'{safe_text(text)}'" for text in tree.selection.unmet)
        say([f"treetask: nothing that was spawned is selected by {words}"])
        code = ExitCode.ALL_WELL if tree.selection.has_met else ExitCode.NOTHING_SELECTED
    _wait_for_threads(executor, code)
    return code


def _wait_for_threads(executor: AsyncExecutor, code: int) -> None:
    """Name the bodies that were stopped and whose threads go on: the process ends after them, or at Ctrl-C."""
    names = [f"'{safe_text(node.id)}'" for node in executor.left_behind]
    if not names:
        return
    try:
        say([f"treetask: waiting for {listed(names)}, since a thread cannot be stopped; Ctrl-C leaves at once"])
        for thread in threading.enumerate():
            if thread is not threading.current_thread() and not thread.daemon:
                thread.join()
    except KeyboardInterrupt:
        flush_results()
        os._exit(code)


def _outcome(executor: AsyncExecutor, display: LiveDisplay) -> tuple[int, str | None]:
    """Run to the end and say how it was: the exit code, and a sentence where the tree does not show it."""

    def tell(signals: int) -> None:
        running = executor.tree.get_work_node_stats()["working"]
        again = "hurry them" if signals == 1 else "leave at once"
        display.print_message(f"cancelling… {running:,} cleaning up; Ctrl-C again to {again}")

    try:
        run_in_main(executor, on_signal=tell, before_leaving=restore_terminal)
    except TreeFailed as failure:
        error = failure.exceptions[0]
        if isinstance(error, RunTimeoutError):
            return ExitCode.RUN_TIMED_OUT, str(error)
        # Every node may be done: what a resource raised at the end stands in no row.
        told = [str(each) for each in failure.exceptions if isinstance(each, ResourceError)]
        return ExitCode.TASK_FAILED, "; ".join(told) or None
    except (DefinitionError, TreeRunningError) as refused:
        # Nothing has started: a tree that was changed after it was built, or that has run already.
        raise CommandProblem(str(refused)) from refused
    except TreeCancelled as cancelled:
        return ExitCode.TASK_FAILED, str(cancelled)
    except Interrupted as interrupted:
        return interrupted.exit_code, str(interrupted)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED, "a task raised KeyboardInterrupt"
    except SystemExit as left:
        return _left_with(left)
    return ExitCode.ALL_WELL, None


def _left_with(left: SystemExit) -> tuple[int, str | None]:
    """Return what a body asked for by `sys.exit`, as Python understands it; but what is broken off is no success."""
    if left.code is None or isinstance(left.code, int):
        return left.code or ExitCode.TASK_FAILED, None if left.code else "a task left by sys.exit()"
    return ExitCode.TASK_FAILED, str(left.code)
